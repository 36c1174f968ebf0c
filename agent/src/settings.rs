//! The agent's settings file, with all its mistakes at once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use federation::names::{DatacenterName, NodeName, RegionName};
use federation::settings::{Problems, Settings as Table};

/// Where the file is unless a flag says otherwise.
pub const PATH: &str = "/etc/atoll-agent/agent.toml";

const DOCKER: &str = "/var/lib/docker";
const LEDGER: &str = "/var/lib/atoll-agent/ledger.db";
/// Where systemd keeps what it has handed to the service.
const SERVICE_CREDENTIALS: &str = "/run/credentials/atoll-agent.service";
const CREDENTIALS: &str = "$CREDENTIALS_DIRECTORY/";

/// What the agent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The federation, which is Nomad's region.
    pub federation: RegionName,
    /// This node, as Consul and Nomad know it.
    pub node: NodeName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
    /// The Nomad agent of this node.
    pub nomad: Nomad,
    /// The Consul agent of this node.
    pub consul: Consul,
    /// Where usage is delivered; nowhere without it.
    pub accounting: Option<Accounting>,
    /// The folder of Docker's daemon.
    pub docker: PathBuf,
    /// The ledger's file.
    pub ledger: PathBuf,
    /// How often counters are read, in seconds: 1 to 60.
    pub sample_seconds: u64,
    /// The library that speaks to the GPUs, when it is not the usual one.
    pub gpu_library: Option<PathBuf>,
    /// How far the wall clock is moved for a rehearsal, in seconds.
    pub clock_offset_s: i64,
}

/// How to reach Nomad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nomad {
    /// `https://<host>:<port>`.
    pub address: Address,
    /// The name in its certificate, when it is not the address's host.
    pub server_name: Option<String>,
    /// The file with the token.
    pub token_file: PathBuf,
    /// Who we are to it.
    pub identity: Identity,
}

/// How to reach Consul.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consul {
    /// `http://<host>:<port>`.
    pub address: Address,
    /// The file with the token.
    pub token_file: PathBuf,
}

/// How to reach the accounting service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounting {
    /// `https://<host>:<port>`.
    pub address: Address,
    /// Who we are to it.
    pub identity: Identity,
}

/// The files of mutual TLS, all in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The CA that signs the other side.
    pub ca: PathBuf,
    /// Our certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// `<scheme>://<host>[:<port>]`, without a path and a closing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port, such as `127.0.0.1:4646`.
    pub fn authority(&self) -> &str {
        self.0.split("://").nth(1).unwrap_or(&self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses an address with a scheme.
struct Https(Address);
struct Http(Address);

fn address(text: &str, scheme: &str) -> Result<Address, String> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix(scheme);
    match rest.and_then(|rest| rest.strip_prefix("://")) {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(Address(text.to_owned()))
        }
        _ => Err(format!(
            "`{text}` must be {scheme}://<host>:<port>, without a path"
        )),
    }
}

impl FromStr for Https {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        address(text, "https").map(Self)
    }
}

impl FromStr for Http {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        address(text, "http").map(Self)
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}: {source}; `--settings` names another file", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file has mistakes.
    #[error("mistakes in the settings in {}:\n{problems}", path.display())]
    Mistaken {
        /// Which file.
        path: PathBuf,
        /// All of them.
        problems: Problems,
    },
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, with all its mistakes when it has some.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        // By hand, a person who may read them finds those of the running service.
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY")
            .map_or_else(|| PathBuf::from(SERVICE_CREDENTIALS), PathBuf::from);
        Self::parse(&text, Some(&credentials)).map_err(|problems| SettingsError::Mistaken {
            path: path.to_owned(),
            problems,
        })
    }

    /// Reads a file's text; `credentials` stands for `$CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// With all mistakes.
    pub fn parse(text: &str, credentials: Option<&Path>) -> Result<Self, Problems> {
        let mut reader = Reader {
            table: Table::parse(text)?,
            credentials,
        };
        let federation = reader.table.required("federation");
        let node = reader.table.required("node");
        let datacenter = reader.table.required("datacenter");
        let nomad = reader.nomad();
        let consul = reader.consul();
        let accounting = reader.accounting();
        let docker = reader.optional_file("docker.folder");
        let ledger = reader.optional_file("ledger");
        let sample_seconds = reader.table.optional("sample_seconds").unwrap_or(1);
        if !(1..=60).contains(&sample_seconds) {
            reader.refuse("`sample_seconds` must be 1 to 60");
        }
        let gpu_library = reader.optional_file("gpu.library");
        let clock_offset_s = reader.table.optional("rehearse.clock_offset_s");
        let whole = (|| {
            Some(Self {
                federation: federation?,
                node: node?,
                datacenter: datacenter?,
                nomad: nomad?,
                consul: consul?,
                accounting,
                docker: docker.unwrap_or_else(|| PathBuf::from(DOCKER)),
                ledger: ledger.unwrap_or_else(|| PathBuf::from(LEDGER)),
                sample_seconds,
                gpu_library,
                clock_offset_s: clock_offset_s.unwrap_or(0),
            })
        })();
        reader.table.finish()?;
        // Whatever is missing has been told by `finish`.
        whole.ok_or(Problems(Vec::new()))
    }
}

struct Reader<'a, 'b> {
    table: Table<'a>,
    credentials: Option<&'b Path>,
}

impl Reader<'_, '_> {
    fn refuse(&mut self, what: impl Into<String>) {
        self.table.refuse(what);
    }

    fn nomad(&mut self) -> Option<Nomad> {
        let address = self.table.required("nomad.address");
        let server_name = self.table.optional("nomad.server_name");
        let token_file = self.file("nomad.token_file");
        let identity = self.identity("nomad");
        let Https(address) = address?;
        Some(Nomad {
            address,
            server_name,
            token_file: token_file?,
            identity: identity?,
        })
    }

    fn consul(&mut self) -> Option<Consul> {
        let address = self.table.required("consul.address");
        let token_file = self.file("consul.token_file");
        let Http(address) = address?;
        Some(Consul {
            address,
            token_file: token_file?,
        })
    }

    fn accounting(&mut self) -> Option<Accounting> {
        if self.table.below("accounting").is_empty() {
            return None;
        }
        let address = self.table.required("accounting.address");
        let identity = self.identity("accounting");
        let Https(address) = address?;
        Some(Accounting {
            address,
            identity: identity?,
        })
    }

    fn identity(&mut self, table: &str) -> Option<Identity> {
        let ca = self.file(&format!("{table}.ca"));
        let certificate = self.file(&format!("{table}.certificate"));
        let key = self.file(&format!("{table}.key"));
        Some(Identity {
            ca: ca?,
            certificate: certificate?,
            key: key?,
        })
    }

    fn file(&mut self, key: &str) -> Option<PathBuf> {
        let text: String = self.table.required(key)?;
        self.path(key, &text)
    }

    fn optional_file(&mut self, key: &str) -> Option<PathBuf> {
        let text: String = self.table.optional(key)?;
        self.path(key, &text)
    }

    fn path(&mut self, key: &str, text: &str) -> Option<PathBuf> {
        if let Some(name) = text.strip_prefix(CREDENTIALS) {
            if let Some(folder) = self.credentials {
                return Some(folder.join(name));
            }
            self.refuse(format!(
                "`{key}`: CREDENTIALS_DIRECTORY is not set; systemd sets it for a unit with LoadCredential"
            ));
            return None;
        }
        if !text.starts_with('/') {
            self.refuse(format!("`{key}`: `{text}` must be an absolute path"));
            return None;
        }
        Some(PathBuf::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
federation = "example"
node = "example-one-wn-1"
datacenter = "example-one"
sample_seconds = 5
[nomad]
address = "https://127.0.0.1:4646"
server_name = "client.example.nomad"
token_file = "$CREDENTIALS_DIRECTORY/nomad-token"
ca = "/etc/nomad.d/ca.pem"
certificate = "/etc/nomad.d/client.pem"
key = "$CREDENTIALS_DIRECTORY/nomad-key"
[consul]
address = "http://127.0.0.1:8500/"
token_file = "/etc/token"
[accounting]
address = "https://accounting.example.org:8443"
ca = "/a/ca.pem"
certificate = "/a/node.pem"
key = "/a/node.key"
[docker]
folder = "/mnt/data/docker"
[gpu]
library = "/opt/libnvidia-ml.so.1"
[rehearse]
clock_offset_s = -60
"#;

    #[test]
    fn a_whole_file_is_read() {
        let settings = Settings::parse(WHOLE, Some(Path::new("/run/c"))).unwrap();
        assert_eq!(
            settings.nomad.token_file,
            PathBuf::from("/run/c/nomad-token")
        );
        assert_eq!(settings.nomad.identity.key, Path::new("/run/c/nomad-key"));
        assert_eq!(settings.nomad.address.authority(), "127.0.0.1:4646");
        assert_eq!(settings.consul.address.as_str(), "http://127.0.0.1:8500");
        assert_eq!(settings.sample_seconds, 5);
        assert_eq!(settings.clock_offset_s, -60);
        assert_eq!(settings.ledger, Path::new(LEDGER));
        assert_eq!(settings.docker, Path::new("/mnt/data/docker"));
        assert!(settings.accounting.is_some());
    }

    #[test]
    fn without_a_table_nothing_is_delivered() {
        let text = WHOLE
            .lines()
            .filter(|line| !line.contains("accounting") && !line.contains("/a/"));
        let text = text.collect::<Vec<_>>().join("\n");
        let settings = Settings::parse(&text, Some(Path::new("/run/c"))).unwrap();
        assert_eq!(settings.accounting, None);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "node = \"A\"\nsample_seconds = 0\nledger = \"x.db\"\n[nomad]\n\
            address = \"http://a\"\nkey = \"$CREDENTIALS_DIRECTORY/k\"\n[accounting]\nkey = \"/k\"\nx = 1\n";
        let told = Settings::parse(text, None).unwrap_err().to_string();
        for part in [
            "`federation` is missing",
            "`datacenter` is missing",
            "line 1: `node`",
            "`sample_seconds` must be 1 to 60",
            "`ledger`: `x.db` must be an absolute path",
            "line 5: `nomad.address`",
            "`nomad.key`: CREDENTIALS_DIRECTORY is not set",
            "`nomad.ca` is missing",
            "`consul.token_file` is missing",
            "`accounting.address` is missing",
            "line 9: `accounting.x` is no setting",
        ] {
            assert!(told.contains(part), "{part} is not in:\n{told}");
        }
    }
}
