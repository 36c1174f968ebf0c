//! Drafts become the text of our files: tidy, in one order, with a word of comment where the
//! reader may wonder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use super::draft::{FederationDraft, HostDraft, NvidiaDraft, SiteDraft};
use super::known::usual;

/// The longest line of a host before its keys get lines of their own.
const MAX_COLUMNS: usize = 120;

/// `federation.yaml`.
pub(super) fn federation(draft: &FederationDraft) -> String {
    let FederationDraft {
        name,
        primary,
        consul,
        nomad,
        cni,
        ..
    } = draft;
    let (traefik, docker, probe) = (usual::TRAEFIK, usual::DOCKER, usual::PROBE);
    let (name, primary) = (scalar(name), scalar(primary));
    let mut text = format!(
        "# What all sites share, imported from Ansible. IMPORT-REPORT.md says which values are guesses.

federation: {name}
primary: {primary}

versions: {{ consul: {consul}, nomad: {nomad}, traefik: {traefik}, cni: {cni} }}
docker: {{ source: vendor, version: \"{docker}\" }}
introduction: warn          # nodes which run already are let in without a token
verify: {{ image: \"{probe}\" }}
"
    );
    if let Some(mib) = draft.reserved_memory_mib {
        let _ = writeln!(text, "clients: {{ reserved_memory_mib: {mib} }}");
    }
    if let Some(draft) = &draft.nvidia {
        text += &nvidia(draft);
    }
    text += "\n# The virtual organisations, each with its Nomad namespace and the parent domain of its users' URLs.\n";
    text += &vos(&draft.vos);
    text + &external(&draft.external)
}

/// `nvidia:`.
pub(super) fn nvidia(draft: &NvidiaDraft) -> String {
    let NvidiaDraft { driver, plugin } = draft;
    let toolkit = usual::TOOLKIT;
    format!("nvidia: {{ driver: {driver}, toolkit: {toolkit}, plugin: {plugin} }}\n")
}

/// `vos:`.
pub(super) fn vos(vos: &BTreeMap<String, (String, String)>) -> String {
    if vos.is_empty() {
        return "vos: {}\n".to_owned();
    }
    let line = |(vo, (namespace, domain)): (&String, &(String, String))| {
        let namespace = scalar(namespace);
        format!("  {vo}: {{ namespace: {namespace}, domain: {domain} }}\n")
    };
    "vos:\n".to_owned() + &vos.iter().map(line).collect::<String>()
}

/// `external:` with what stands above it; nothing when there is no address.
pub(super) fn external(addresses: &BTreeSet<IpAddr>) -> String {
    if addresses.is_empty() {
        return String::new();
    }
    let list = list(addresses.iter().map(ToString::to_string));
    format!(
        "\n# Servers of sites which are in no file here, at their public addresses.\nexternal:\n  \
         consul_servers: {list}\n  nomad_servers: {list}\n"
    )
}

/// Where a site's file lies: named after the site, or else after its datacenter.
pub(super) fn site_path(draft: &SiteDraft) -> PathBuf {
    let name = draft.site.as_deref().unwrap_or(&draft.datacenter);
    PathBuf::from(format!("sites/{}.yaml", name.to_ascii_lowercase()))
}

/// A file of `sites/`.
pub(super) fn site(draft: &SiteDraft, source: &str) -> String {
    let mut text = format!(
        "# One site, one datacenter, imported from Ansible's `{source}`. IMPORT-REPORT.md says what to check.\n\n"
    );
    if let Some(site) = &draft.site {
        let _ = writeln!(text, "site: {}", scalar(site));
    }
    let _ = writeln!(text, "datacenter: {}", scalar(&draft.datacenter));
    let _ = writeln!(text, "domain: {}\n", scalar(&draft.domain));
    let mut ssh = vec![("user", scalar(&draft.user))];
    ssh.extend(draft.port.map(|port| ("port", port.to_string())));
    if !draft.jump.is_empty() {
        ssh.push(("jump", list(draft.jump.iter().cloned())));
    }
    let _ = writeln!(text, "ssh: {}", flow(&ssh));
    if !draft.versions.is_empty() {
        let versions = draft
            .versions
            .iter()
            .map(|(product, version)| (*product, version.clone()));
        let _ = writeln!(text, "versions: {}", flow(&versions.collect::<Vec<_>>()));
    }
    if let Some(mirror) = &draft.mirror {
        let _ = writeln!(text, "docker: {{ mirrors: [{}] }}", scalar(mirror));
    }
    if draft.has_certificates {
        text += "certificates: { source: files }\n";
    }
    let _ = writeln!(text, "\nvos: {}\n", list(draft.vos.iter().cloned()));
    text += "# A node keeps the name it has: `name` stands where that is not the datacenter and the host's key.\n";
    text += "hosts:\n";
    for (key, host) in &draft.hosts {
        text += &self::host(key, host, &draft.datacenter);
    }
    text
}

fn host(key: &str, host: &HostDraft, datacenter: &str) -> String {
    let pairs = pairs(key, host, datacenter);
    let (key, line) = (scalar(key), flow(&pairs));
    let line = format!("  {key}: {line}\n");
    if line.chars().count() <= MAX_COLUMNS {
        return line;
    }
    let pair = |(name, value): &(&str, String)| format!("    {name}: {value}\n");
    format!("  {key}:\n") + &pairs.iter().map(pair).collect::<String>()
}

/// The keys of a host that have something to say.
fn pairs(key: &str, host: &HostDraft, datacenter: &str) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        (
            "roles",
            list(host.roles.iter().map(|role| (*role).to_owned())),
        ),
        ("address", scalar(&host.address.to_string())),
    ];
    let public = host.public_address.map(|it| scalar(&it.to_string()));
    pairs.extend(public.map(|public| ("public_address", public)));
    let mut ssh = Vec::new();
    ssh.extend(
        host.ssh_address
            .map(|it| ("address", scalar(&it.to_string()))),
    );
    ssh.extend(host.port.map(|port| ("port", port.to_string())));
    ssh.extend(host.user.as_ref().map(|user| ("user", scalar(user))));
    if !ssh.is_empty() {
        pairs.push(("ssh", flow(&ssh)));
    }
    match &host.volume {
        Some((device, Some(label))) => {
            let pair = [("device", scalar(device)), ("label", scalar(label))];
            pairs.push(("volume", flow(&pair)));
        }
        Some((device, None)) => pairs.push(("volume", scalar(device))),
        None => {}
    }
    pairs.extend(host.kind.map(|kind| ("kind", kind.to_owned())));
    if host.has_gpus {
        pairs.push(("gpus", "{}".to_owned()));
    }
    pairs.extend(
        host.vos
            .as_ref()
            .map(|vos| ("vos", list(vos.iter().cloned()))),
    );
    if host.node != format!("{datacenter}-{key}") {
        pairs.push(("name", scalar(&host.node)));
    }
    pairs
}

fn flow(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.map(|item| scalar(&item)).collect();
    format!("[{}]", items.join(", "))
}

/// A text as YAML, in quotes where a reader could take it for something else.
fn scalar(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._/+-@".contains(&b);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let is_null = text.eq_ignore_ascii_case("null");
    if starts_well && !is_null && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_where_it_must_be() {
        for (text, yaml) in [
            ("ifca-ai4eosc", "ifca-ai4eosc"),
            ("1.10", "1.10"),
            ("/dev/vdb", "/dev/vdb"),
            ("2001:db8::1", "\"2001:db8::1\""),
            ("null", "\"null\""),
            ("", "\"\""),
            ("-a", "\"-a\""),
            ("a\"b\n", "\"a\\\"b\\u000a\""),
        ] {
            assert_eq!(scalar(text), yaml, "{text}");
        }
    }
}
