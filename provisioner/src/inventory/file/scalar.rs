//! Texts of one line which only some keys take, each read by its own rule.

use std::num::NonZeroU16;

use ipnet::IpNet;

use super::super::decode::{Field, Spot};
use super::super::site::Jump;

pub(super) fn port(text: &str) -> Result<u16, String> {
    let port = text.parse::<NonZeroU16>();
    port.map(NonZeroU16::get)
        .map_err(|_| format!("`{text}` cannot be a TCP port"))
}

/// NVML's names are shorter than 96 bytes and plain text.
pub(super) fn model(text: &str) -> Result<String, String> {
    let is_plain = |b: u8| b == b' ' || (b.is_ascii_graphic() && !b"\"'\\$`".contains(&b));
    let is_model = (1..96).contains(&text.len()) && text.bytes().all(is_plain);
    is_model
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be the model of a GPU"))
}

pub(super) fn count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=64).contains(count));
    count.ok_or_else(|| format!("`{text}` cannot be a number of GPUs"))
}

/// Debian's rule (deb-version), so that the text can stand in a command.
pub(super) fn package_version(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".+-:~".contains(&b);
    let is_version = text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(allowed);
    is_version
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be the version of a package"))
}

/// An image reference with a tag or digest, so that it never means "whatever is latest"; otherwise
/// by Docker's rules for `[registry[:port]/]path[:tag][@sha256:…]`.
pub(super) fn image(text: &str) -> Result<String, String> {
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (text, None),
    };
    let (folder, last) = named.rsplit_once('/').unwrap_or(("", named));
    let (last, tag) = match last.split_once(':') {
        Some((last, tag)) => (last, Some(tag)),
        None => (last, None),
    };
    let mut folders: Vec<&str> = folder.split('/').filter(|_| !folder.is_empty()).collect();
    if folders.first().is_some_and(|first| is_registry(first)) {
        folders.remove(0);
    }
    let is_named = folders.into_iter().chain([last]).all(is_part);
    let is_pinned = match (tag, digest) {
        (tag, Some(digest)) => tag.is_none_or(is_tag) && is_digest(digest),
        (Some(tag), None) => is_tag(tag) && tag != "latest",
        (None, None) => false,
    };
    (is_named && is_pinned && text.len() <= 512)
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be a pinned image"))
}

/// What tells a registry from a folder of Docker's own: a dot, a port, or `localhost`.
fn is_registry(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_one = text.contains(['.', ':']) || text == "localhost";
    is_one
        && host.starts_with(|c: char| c.is_ascii_alphanumeric())
        && host.bytes().all(allowed)
        && self::port(port).is_ok()
}

/// Small letters and digits, with separators between them.
fn is_part(text: &str) -> bool {
    let is_own = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let allowed = |c: char| is_own(c) || "._-".contains(c);
    text.starts_with(is_own) && text.ends_with(is_own) && text.chars().all(allowed)
}

fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let allowed = |c: char| is_word(c) || c == '.' || c == '-';
    text.len() <= 128 && text.starts_with(is_word) && text.chars().all(allowed)
}

fn is_digest(text: &str) -> bool {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let hex = text.strip_prefix("sha256:");
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(is_hex))
}

/// A network by its own address, so that one network has one spelling.
pub(super) fn network(field: Field) -> Option<Spot<IpNet>> {
    let read = |text: &str| {
        let network: Option<IpNet> = text.parse().ok();
        let network = network.ok_or_else(|| format!("`{text}` cannot be a network"))?;
        let own = network.trunc();
        if own == network {
            Ok(network)
        } else {
            Err(format!("`{text}` is an address within the network {own}"))
        }
    };
    field.read(read, "write it as 192.0.2.0/24 or 2001:db8::/32")
}

/// `[user@]host[:port]`, as `ssh -J` takes it.
pub(super) fn jump(text: &str) -> Result<Jump, String> {
    // Before the `@` may be a password.
    let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let refused = || format!("`{shown}` cannot be a host to jump through");
    let (user, rest) = text
        .split_once('@')
        .map_or((None, text), |(user, rest)| (Some(user), rest));
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, self::port(port).map_err(|_| refused())?),
        None => (rest, 22),
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let is_host =
        (1..=253).contains(&host.len()) && host.bytes().all(allowed) && !host.starts_with('-');
    let user = user
        .map(|user| user.parse().map_err(|_| refused()))
        .transpose()?;
    let host = host.to_owned();
    if is_host {
        Ok(Jump { user, host, port })
    } else {
        Err(refused())
    }
}

/// A disk of the kernel's: a bare name means one in `/dev`.
pub(super) fn device(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:+-/".contains(&b);
    let path = if text.contains('/') {
        text.to_owned()
    } else {
        format!("/dev/{text}")
    };
    let parts = path.strip_prefix("/dev/").unwrap_or_default();
    let is_device = !parts.is_empty()
        && parts.bytes().all(allowed)
        && parts
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    is_device
        .then_some(path)
        .ok_or_else(|| format!("`{text}` cannot be a disk"))
}

/// A partition's name (GPT): 36 characters at most; ours are such as need no quoting.
pub(super) fn label(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let is_label = (1..=36).contains(&text.len()) && text.bytes().all(allowed);
    is_label
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be the name of a partition"))
}

/// The address of a registry's mirror; Docker takes none with a path.
pub(super) fn mirror(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:[]".contains(&b);
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = host.map(|host| host.trim_end_matches('/'));
    let is_url = host.is_some_and(|host| !host.is_empty() && host.bytes().all(allowed));
    is_url
        .then(|| text.trim_end_matches('/').to_owned())
        .ok_or_else(|| format!("`{text}` cannot be the address of a mirror"))
}

/// A host by its name or address.
pub(super) fn server(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-:".contains(&b);
    let is_server = (1..=253).contains(&text.len()) && text.bytes().all(allowed);
    is_server
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be a server"))
}

/// A word in small letters, such as the name of a check.
pub(super) fn word(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_word = (1..=63).contains(&text.len()) && text.bytes().all(allowed);
    is_word
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be a word of a-z, 0-9 and -"))
}

/// What a person reads: one line that says something.
pub(super) fn sentence(text: &str) -> Result<String, String> {
    let is_said = !text.trim().is_empty();
    is_said
        .then(|| text.to_owned())
        .ok_or_else(|| "nothing is said".to_owned())
}

/// How much images may take: docuum's own words.
pub(super) fn threshold(text: &str) -> Result<String, String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
    let percent = text
        .strip_suffix('%')
        .and_then(number)
        .filter(|percent| *percent < 100);
    let size = text
        .split_once(' ')
        .filter(|(_, unit)| ["MB", "GB", "TB", "MiB", "GiB", "TiB"].contains(unit));
    let size = size.and_then(|(size, _)| number(size));
    (percent.or(size).is_some())
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be a part of a disk"))
}

/// A part of a file system that stays free, and leaves something to use.
pub(super) fn percent(text: &str) -> Result<u8, String> {
    let percent = text.parse().ok().filter(|it| (1..=90).contains(it));
    percent.ok_or_else(|| format!("`{text}` cannot be the part that stays free"))
}

/// Memory in MiB.
pub(super) fn mebibytes(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number <= 1 << 24);
    number.ok_or_else(|| format!("`{text}` cannot be a number of MiB"))
}
