//! The settings file of `atoll-accounting`, read once; afterwards its values are trusted.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use federation::names::{DatacenterName, NamespaceName, RegionName, SiteName, VoName};
use federation::settings::{Problems, Settings as Reader};

/// Where the settings are unless a flag says otherwise.
pub const DEFAULT_PATH: &str = "/etc/atoll-accounting/accounting.toml";

const DEFAULT_LEDGER: &str = "/var/lib/atoll-accounting/ledger.db";
const DEFAULT_QUEUE: &str = "/var/lib/atoll-accounting/outgoing";

/// What the operator has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The federation whose nodes deliver here.
    pub federation: RegionName,
    /// Where to answer.
    pub listen: SocketAddr,
    /// With which certificate to answer, and who may call.
    pub tls: TlsFiles,
    /// The ledger's file.
    pub ledger: PathBuf,
    /// The folder of the SSM directory queue that messages go into.
    pub queue: PathBuf,
    /// The GOCDB site of each datacenter that is published.
    pub sites: BTreeMap<DatacenterName, SiteName>,
    /// The VO of each namespace that is published.
    pub vos: BTreeMap<NamespaceName, VoName>,
}

/// The PEM files of the receiver's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, with the chain after it where there is one.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authorities that sign the nodes' certificates.
    pub authority: PathBuf,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something else than settings.
    #[error("the settings {} must be put right:\n{problems}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Everything wrong in it.
        problems: Problems,
    },
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// When it cannot be read, or with everything that is wrong in it.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|problems| SettingsError::Wrong {
            path: path.to_owned(),
            problems,
        })
    }

    /// Reads the text of a settings file.
    ///
    /// # Errors
    /// With everything that is wrong in it.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let mut reader = Reader::parse(text)?;
        let federation = reader.required("federation");
        let listen = reader.required("listen");
        let certificate = reader.required::<Absolute>("tls.certificate");
        let key = reader.required::<Absolute>("tls.key");
        let authority = reader.required::<Absolute>("tls.authority");
        let ledger = reader.optional::<Absolute>("ledger");
        let queue = reader.optional::<Absolute>("queue");
        let sites = table(&mut reader, "sites");
        let vos = table(&mut reader, "vos");
        reader.finish()?;
        let whole = || {
            Some(Self {
                federation: federation?,
                listen: listen?,
                tls: TlsFiles {
                    certificate: certificate?.0,
                    key: key?.0,
                    authority: authority?.0,
                },
                ledger: ledger.map_or_else(|| DEFAULT_LEDGER.into(), |path| path.0),
                queue: queue.map_or_else(|| DEFAULT_QUEUE.into(), |path| path.0),
                sites,
                vos,
            })
        };
        // What is missing has been told by `finish`.
        whole().ok_or_else(|| Problems(Vec::new()))
    }
}

/// A table whose keys are names too.
fn table<K, V>(reader: &mut Reader<'_>, table: &str) -> BTreeMap<K, V>
where
    K: FromStr<Err: fmt::Display> + Ord,
    V: FromStr<Err: fmt::Display>,
{
    let mut read = BTreeMap::new();
    for key in reader.below(table) {
        let value = reader.optional(&format!("{table}.{key}"));
        match (key.parse(), value) {
            (Ok(key), Some(value)) => {
                read.insert(key, value);
            }
            (Err(error), _) => reader.refuse(format!("`{table}`: {error}")),
            (Ok(_), None) => {}
        }
    }
    read
}

/// A path that means the same from wherever the service was started.
struct Absolute(PathBuf);

impl FromStr for Absolute {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        if path.is_absolute() {
            Ok(Self(path))
        } else {
            Err("must be a path from the root, such as /etc/atoll-accounting/tls.key")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "
        federation = \"example\"
        listen = \"127.0.0.1:8443\"
        [tls]
        certificate = \"/etc/c.pem\"
        key = \"/etc/k.pem\"
        authority = \"/etc/a.pem\"
    ";

    #[test]
    fn the_least_settings_have_defaults() {
        let settings = Settings::parse(LEAST).unwrap();
        assert_eq!(settings.federation.as_str(), "example");
        assert_eq!(settings.ledger, Path::new(DEFAULT_LEDGER));
        assert_eq!(settings.queue, Path::new(DEFAULT_QUEUE));
        assert!(settings.sites.is_empty() && settings.vos.is_empty());
    }

    #[test]
    fn tables_are_read_by_their_names() {
        let text =
            format!("{LEAST}\n[sites]\none = \"SITE-ONE\"\n[vos]\nexample = \"vo.example.org\"\n");
        let settings = Settings::parse(&text).unwrap();
        let site = settings.sites.get(&"one".parse().unwrap()).unwrap();
        assert_eq!(site.as_str(), "SITE-ONE");
        let vo = settings.vos.get(&"example".parse().unwrap()).unwrap();
        assert_eq!(vo.as_str(), "vo.example.org");
    }

    #[test]
    fn every_mistake_is_told() {
        let problems = Settings::parse(
            "federation = \"Example\"\nledger = \"ledger.db\"\nlisen = 1\n[sites]\nOne = \"A\"\ntwo = \"-\"\n",
        )
        .unwrap_err()
        .to_string();
        for part in [
            "`listen` is missing",
            "`tls.certificate` is missing",
            "`tls.key` is missing",
            "`tls.authority` is missing",
            "`Example` cannot be a federation name",
            "line 2: `ledger`: must be a path from the root",
            "line 3: `lisen` is no setting",
            "`One` cannot be a datacenter name",
            "line 6: `sites.two`: `-` cannot be a site name",
        ] {
            assert!(problems.contains(part), "{part} is not in:\n{problems}");
        }
    }
}
