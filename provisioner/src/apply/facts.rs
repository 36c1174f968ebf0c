//! What a host has today, asked with one command that writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::apply::manifest::Manifest;
use crate::plan::{Service, Storage};

/// Where the programs' digests are noted on a host, checked once at their installation.
pub(super) const PROGRAMS: &str = "/var/lib/atoll/programs";
/// Where a run leaves what it has put in place.
pub(super) const MANIFEST: &str = "/var/lib/atoll/manifest.json";
/// Accounts and groups of the host itself. Everybody whom a file of ours can belong to is in them.
const ACCOUNTS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";
/// Where Docker keeps the configuration of each image, by image ID, in its own folder.
const DOCKER_IMAGES: &str = "image/overlay2/imagedb/content/sha256";

/// What to ask a host for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Paths whose kind, owner, mode and inode matter.
    pub paths: BTreeSet<String>,
    /// Paths whose content matters.
    pub digests: BTreeSet<String>,
    /// Certificates, which are read whole: they are public.
    pub certificates: BTreeSet<String>,
    /// System accounts.
    pub accounts: BTreeSet<String>,
    /// Packages.
    pub packages: BTreeSet<String>,
    /// Services.
    pub services: BTreeSet<Service>,
    /// Docker's folder, if its images matter.
    pub images: Option<&'static str>,
}

/// What a host has today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Those of the accounts asked for that exist.
    pub accounts: BTreeSet<String>,
    /// Those of the paths asked for that exist.
    pub paths: BTreeMap<String, PathFact>,
    /// SHA-256 of the files asked for that exist.
    pub digests: BTreeMap<String, String>,
    /// Certificates, in PEM.
    pub certificates: BTreeMap<String, String>,
    /// State of each service asked for.
    pub services: BTreeMap<String, ServiceFact>,
    /// Version of each package asked for that is installed.
    pub packages: BTreeMap<String, String>,
    /// IDs of Docker's images, without `sha256:`.
    pub images: BTreeSet<String>,
    /// What earlier runs have put in place.
    pub manifest: Manifest,
    /// Digest of each program, if it is still the file that was checked.
    pub programs: BTreeMap<String, TrustedProgram>,
}

/// One path of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFact {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub owner: String,
    /// Group.
    pub group: String,
    /// Bytes, inode and change time (seconds with nanoseconds): together they tell whether a file was touched.
    pub identity: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Where it points, if it is a symbolic link.
    pub target: Option<String>,
}

/// A program whose digest was checked when it was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProgram {
    /// SHA-256 at its installation.
    pub digest: String,
    /// Bytes, inode and change time at its installation.
    pub identity: String,
}

/// State of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceFact {
    /// Whether it runs.
    pub active: bool,
    /// Whether it starts at boot.
    pub enabled: bool,
    /// Whether systemd has read its unit, which may be gone since.
    pub loaded: bool,
}

/// Why a host's answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// The answer has no end.
    #[error("cannot read the host's facts: the answer is cut off after {bytes} bytes")]
    Cut {
        /// How much came.
        bytes: usize,
    },
    /// The manifest on the host is not one.
    #[error(
        "cannot read {MANIFEST} on the host: {reason}; move it away to have everything compared anew"
    )]
    Manifest {
        /// What the parser said.
        reason: String,
    },
}

/// The script which asks. It writes nothing, and starts as few processes as it can.
pub fn script(query: &Query) -> String {
    let mut script =
        String::from("LC_ALL=C QUOTING_STYLE=literal; export LC_ALL QUOTING_STYLE; cd /\n");
    let mut section = |name: &str, command: &str| {
        let _ = writeln!(script, "echo '== {name}'; {command}");
    };
    // A tool without arguments would read the rest of this script. Names of owners would be looked
    // up anew for each path.
    section(
        "paths",
        &format!(
            "stat -c '%a %u %g %F|%s %i %.9Z|%N' -- {} 2>/dev/null",
            words(&query.paths)
        ),
    );
    section(
        "digests",
        &format!(
            "sha256sum -- /dev/null {} 2>/dev/null",
            words(&query.digests)
        ),
    );
    let units: BTreeSet<String> = query.services.iter().map(|s| unit(*s)).collect();
    if !units.is_empty() {
        // Three lines: who is asked for, who starts at boot, and then who is known to systemd.
        // To show each one's properties would take three times as long.
        let units = words(&units);
        section(
            "services",
            &format!(
                "echo {units}; echo /etc/systemd/system/*.wants/* /etc/systemd/system/*.requires/*\n\
                 systemctl list-units --all --full --plain --no-legend --no-pager {units}"
            ),
        );
    }
    if !query.packages.is_empty() {
        let format = r"${db:Status-Abbrev}${Package} ${Version}\n";
        section(
            "packages",
            &format!(
                "dpkg-query -W -f '{format}' {} 2>/dev/null",
                words(&query.packages)
            ),
        );
    }
    if let Some(docker) = query.images {
        section(
            "images",
            &format!("(cd {docker}/{DOCKER_IMAGES} 2>/dev/null && echo *)"),
        );
    }
    // One process reads them all, and writes a line with its name before each.
    section(
        "texts",
        &format!(
            "tail -v -n +1 -- {ACCOUNTS} {GROUPS} {PROGRAMS} {MANIFEST} {} 2>/dev/null; echo",
            words(&query.certificates)
        ),
    );
    script.push_str("echo '== end'\n");
    script
}

/// Reads the answer.
///
/// # Errors
/// When it is cut off, or the host's manifest is damaged.
pub fn read(answer: &str) -> Result<Facts, FactsError> {
    let mut facts = Facts::default();
    let mut sections = sections(answer)?;
    let mut take = |name: &str| sections.remove(name).unwrap_or_default();
    let paths = take("paths");
    facts.digests = take("digests").lines().filter_map(digest_line).collect();
    facts.services = services(&take("services"));
    facts.packages = take("packages").lines().filter_map(package_line).collect();
    let images = take("images");
    let images = images.split_whitespace().filter(|image| *image != "*");
    facts.images = images.map(str::to_owned).collect();
    let mut texts = texts(&take("texts"));
    let mut text = |path: &str| texts.remove(path).unwrap_or_default();
    let (accounts, groups) = (text(ACCOUNTS), text(GROUPS));
    let names = Names {
        accounts: names(&accounts),
        groups: names(&groups),
    };
    let account = |line: &str| Some(line.split_once(':')?.0.to_owned());
    facts.accounts = accounts.lines().filter_map(account).collect();
    let paths = paths.lines().filter_map(|line| path_fact(line, &names));
    facts.paths = paths.collect();
    facts.programs = text(PROGRAMS).lines().filter_map(program_line).collect();
    let manifest = text(MANIFEST);
    if !manifest.trim().is_empty() {
        facts.manifest = serde_json::from_str(&manifest).map_err(|error| FactsError::Manifest {
            reason: error.to_string(),
        })?;
    }
    facts.certificates = texts;
    Ok(facts)
}

fn sections(answer: &str) -> Result<BTreeMap<String, String>, FactsError> {
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    let mut name = None;
    for line in answer.lines() {
        if let Some(next) = line.strip_prefix("== ") {
            name = Some(next.to_owned());
            sections.entry(next.to_owned()).or_default();
        } else if let Some(text) = name.as_ref().and_then(|name| sections.get_mut(name)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    if sections.remove("end").is_some() {
        Ok(sections)
    } else {
        Err(FactsError::Cut {
            bytes: answer.len(),
        })
    }
}

/// Files one after the other, a line `==> PATH <==` before each and an empty one between two.
fn texts(answer: &str) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut path = None;
    for line in answer.lines() {
        let head = line.strip_prefix("==> /");
        if let Some(next) = head.and_then(|line| line.strip_suffix(" <==")) {
            path = Some(format!("/{next}"));
        } else if let Some(path) = &path {
            let text = texts.entry(path.clone()).or_default();
            text.push_str(line);
            text.push('\n');
        }
    }
    texts.retain(|_, text| !text.trim().is_empty());
    texts
}

/// Names by ID.
struct Names<'a> {
    accounts: BTreeMap<&'a str, &'a str>,
    groups: BTreeMap<&'a str, &'a str>,
}

/// Lines `NAME:…:ID:…`. Of several with one ID the first counts, as it does for the C library.
fn names(text: &str) -> BTreeMap<&str, &str> {
    let mut names = BTreeMap::new();
    for line in text.lines() {
        let mut parts = line.split(':');
        if let (Some(name), Some(id)) = (parts.next(), parts.nth(1)) {
            names.entry(id).or_insert(name);
        }
    }
    names
}

/// `640 0 113 regular file|962 1234 1700000000.123456789|/etc/x` or `…|/a -> /b`.
fn path_fact(line: &str, names: &Names) -> Option<(String, PathFact)> {
    let mut parts = line.splitn(3, '|');
    let mut access = parts.next()?.splitn(4, ' ');
    let identity = parts.next()?.to_owned();
    let mut place = parts.next()?.splitn(2, " -> ");
    let mode = u32::from_str_radix(access.next()?, 8).ok()?;
    let name = |id, names: &BTreeMap<&str, &str>| (*names.get(id).unwrap_or(&id)).to_owned();
    let owner = name(access.next()?, &names.accounts);
    let group = name(access.next()?, &names.groups);
    let kind = access.next()?;
    let path = place.next()?.to_owned();
    let target = place.next().map(str::to_owned);
    Some((
        path,
        PathFact {
            mode,
            owner,
            group,
            identity,
            is_directory: kind == "directory",
            target,
        },
    ))
}

fn digest_line(line: &str) -> Option<(String, String)> {
    let (digest, path) = line.split_once("  ")?;
    Some((path.to_owned(), digest.to_owned()))
}

/// `ii docker.io 20.10`: only what is wholly installed counts.
fn package_line(line: &str) -> Option<(String, String)> {
    let mut words = line.strip_prefix("ii ")?.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

/// `<sha256> <size> <inode> <ctime> <path>`.
fn program_line(line: &str) -> Option<(String, TrustedProgram)> {
    let (digest, rest) = line.split_once(' ')?;
    let (identity, path) = rest.rsplit_once(' ')?;
    Some((
        path.to_owned(),
        TrustedProgram {
            digest: digest.to_owned(),
            identity: identity.to_owned(),
        },
    ))
}

/// First who was asked for, then the links of those that start at boot, then a line
/// `UNIT LOAD ACTIVE …` for each that systemd has in memory.
fn services(text: &str) -> BTreeMap<String, ServiceFact> {
    let mut lines = text.lines();
    let mut words = || lines.next().unwrap_or_default().split_whitespace();
    let asked = words();
    let at_boot: BTreeSet<&str> = words().filter_map(|link| link.rsplit('/').next()).collect();
    let known: BTreeMap<&str, (&str, &str)> = lines.filter_map(unit_line).collect();
    let one = |unit: &str| {
        let (load, active) = known.get(unit).copied().unwrap_or_default();
        let fact = ServiceFact {
            active: active == "active",
            enabled: at_boot.contains(unit) && load != "masked",
            loaded: !matches!(load, "" | "not-found"),
        };
        (unit.trim_end_matches(".service").to_owned(), fact)
    };
    asked.map(one).collect()
}

fn unit_line(line: &str) -> Option<(&str, (&str, &str))> {
    let mut words = line.split_whitespace();
    Some((words.next()?, (words.next()?, words.next()?)))
}

/// The unit of a service, by its whole name.
fn unit(service: Service) -> String {
    let name = service.name();
    if name.contains('.') {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

fn words(items: &BTreeSet<String>) -> String {
    items
        .iter()
        .map(|item| quote(item))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Where a Nomad client keeps the ID with which it is registered.
pub(super) fn client_id(storage: Storage) -> String {
    format!("{}/client-id", storage.nomad_client)
}

/// A word that the shell takes as it is.
pub(super) fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-:+@,=".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "== paths\n\
        640 0 113 regular file|962 77 1700000000.000000001|/etc/consul.d/consul.hcl\n\
        777 0 0 symbolic link|31 78 1.5|/usr/local/bin/consul -> /opt/atoll/consul/1.22.3/consul\n\
        750 4711 113 directory|4096 79 1.0|/etc/consul.d\n\
        == digests\nabcd  /etc/consul.d/consul.hcl\n== services\n\
        consul.service mnt-data.mount nomad.service docker.service atoll-agent.service\n\
        /etc/systemd/system/multi-user.target.wants/consul.service /etc/systemd/system/multi-user.target.wants/atoll-agent.service /etc/systemd/system/local-fs.target.requires/mnt-data.mount /etc/systemd/system/*.requires/*\n\
        consul.service loaded active running Consul agent\nnomad.service not-found inactive dead nomad.service\nmnt-data.mount loaded failed failed x\n\
        atoll-agent.service masked active running Atoll agent\n\
        == packages\nii docker.io 20.10.24\nrc old 1\n== images\nabc def\n\
        == texts\n==> /etc/passwd <==\nroot:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nconsul:x:112:113::/:/bin/false\n\n\
        ==> /etc/group <==\nroot:x:0:\nconsul:x:113:\n\n==> /var/lib/atoll/programs <==\nfeed 1 2 3.4 /opt/atoll/consul/1.22.3/consul\n\n\
        ==> /var/lib/atoll/manifest.json <==\n{\"format\": 1, \"run\": \"r\", \"files\": {}, \"images\": {}}\n\
        ==> /etc/c.pem <==\n-----BEGIN\n\n==> /etc/empty.pem <==\n\n== end\n";

    #[test]
    fn an_answer_becomes_facts() {
        let facts = read(ANSWER).unwrap();
        assert!(facts.accounts.contains("consul") && facts.accounts.contains("toor"));
        let file = &facts.paths["/etc/consul.d/consul.hcl"];
        assert_eq!(
            (file.mode, file.group.as_str(), file.is_directory),
            (0o640, "consul", false)
        );
        let folder = &facts.paths["/etc/consul.d"];
        assert!(folder.is_directory);
        assert_eq!(
            (file.owner.as_str(), folder.owner.as_str()),
            ("root", "4711"),
            "of whom the host has no name, the number"
        );
        assert_eq!(
            facts.paths["/usr/local/bin/consul"].target.as_deref(),
            Some("/opt/atoll/consul/1.22.3/consul")
        );
        assert_eq!(facts.digests["/etc/consul.d/consul.hcl"], "abcd");
        let certificates: Vec<_> = facts.certificates.iter().collect();
        assert!(
            matches!(certificates[..], [(path, text)] if path == "/etc/c.pem" && text.trim_end() == "-----BEGIN"),
            "{certificates:?}"
        );
        assert_eq!(facts.manifest.run, "r");
        assert_eq!(
            facts.services["consul"],
            ServiceFact {
                active: true,
                enabled: true,
                loaded: true
            }
        );
        assert_eq!(
            facts.services["mnt-data.mount"],
            ServiceFact {
                active: false,
                enabled: true,
                loaded: true
            }
        );
        // Who is masked does not start at boot, whatever links there are.
        let masked = &facts.services["atoll-agent"];
        assert!(masked.active && !masked.enabled, "{masked:?}");
        // Neither what systemd looked for in vain nor what it never looked for.
        for absent in ["nomad", "docker"] {
            assert_eq!(facts.services[absent], ServiceFact::default(), "{absent}");
        }
        assert_eq!(facts.images, ["abc".to_owned(), "def".to_owned()].into());
        assert_eq!(facts.packages.len(), 1);
        assert_eq!(
            facts.programs["/opt/atoll/consul/1.22.3/consul"].identity,
            "1 2 3.4"
        );
    }

    #[test]
    fn a_cut_answer_is_no_answer() {
        let cut = &ANSWER[..ANSWER.len() - 7];
        assert_eq!(read(cut), Err(FactsError::Cut { bytes: cut.len() }));
    }

    #[test]
    fn the_script_quotes_what_the_shell_would_read() {
        let query = Query {
            paths: ["/a b".to_owned(), "/it's".to_owned()].into(),
            ..Query::default()
        };
        assert!(script(&query).contains(r"-- '/a b' '/it'\''s' 2>"));
    }
}
