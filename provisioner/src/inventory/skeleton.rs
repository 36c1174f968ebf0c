//! The first files of a federation, or the file of one more site: commented, and sound.
//!
//! What was asked becomes texts, and nothing is written here.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use federation::names::{
    DatacenterName, DomainLabel, DomainName, NameError, NamespaceName, RegionName, SiteName,
    UserName, VoName,
};

use super::{Draft, Inventory, decode};

const FEDERATION: &str = include_str!("skeleton/federation.yaml");
const SITE: &str = include_str!("skeleton/site.yaml");

/// A federation that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFederation {
    /// Its name, which is Nomad's region.
    pub name: RegionName,
    /// Its VOs.
    pub vos: Vec<NewVo>,
}

/// A VO that a federation begins with: `name=namespace@domain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVo {
    /// Its name.
    pub name: VoName,
    /// Its Nomad namespace.
    pub namespace: NamespaceName,
    /// The parent domain of its users' URLs.
    pub domain: DomainName,
}

/// A site that begins, with a host of each kind or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSite {
    /// GOCDB name, if it has one.
    pub site: Option<SiteName>,
    /// Consul's and Nomad's datacenter.
    pub datacenter: DatacenterName,
    /// The left label of its users' URLs.
    pub domain: DomainLabel,
    /// The account that SSH uses.
    pub user: UserName,
    /// The VOs it serves.
    pub vos: Vec<VoName>,
    /// Addresses of its Consul servers; in a new federation they are Nomad's as well.
    pub servers: Vec<IpAddr>,
    /// Addresses of its gateways.
    pub gateways: Vec<IpAddr>,
    /// Addresses of its clients.
    pub clients: Vec<IpAddr>,
}

impl FromStr for NewVo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(name, rest)| {
            let (namespace, domain) = rest.split_once('@')?;
            Some((name, namespace, domain))
        });
        let Some((name, namespace, domain)) = parts else {
            return Err(format!("`{text}` is not of the form name=namespace@domain"));
        };
        Ok(Self {
            name: read(name)?,
            namespace: read(namespace)?,
            domain: read(domain)?,
        })
    }
}

fn read<T: FromStr<Err = NameError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: NameError| error.to_string())
}

/// The address of a host, as an inventory takes it.
///
/// # Errors
/// When it cannot be one, in words for people.
pub fn host_address(text: &str) -> Result<IpAddr, String> {
    decode::host_address(text)
}

/// The files of a new site, and of its federation if that is new too.
pub fn drafts(federation: Option<&NewFederation>, site: &NewSite) -> Vec<Draft> {
    let federation_draft = federation.map(|federation| Draft {
        file: PathBuf::from("federation.yaml"),
        text: federation_text(federation, &site.datacenter),
    });
    let site_draft = Draft {
        file: site_file(&site.datacenter),
        text: site_text(site, federation.is_some()),
    };
    federation_draft.into_iter().chain([site_draft]).collect()
}

/// Where the file of a datacenter goes.
pub fn site_file(datacenter: &DatacenterName) -> PathBuf {
    PathBuf::from(format!("sites/{datacenter}.yaml"))
}

fn federation_text(federation: &NewFederation, primary: &DatacenterName) -> String {
    let mut vos = String::from(if federation.vos.is_empty() {
        "vos: {}\n"
    } else {
        "vos:\n"
    });
    for NewVo {
        name,
        namespace,
        domain,
    } in &federation.vos
    {
        let _ = writeln!(
            vos,
            "  {name}: {{ namespace: {namespace}, domain: {domain} }}"
        );
    }
    FEDERATION
        .replace("@federation@", federation.name.as_str())
        .replace("@primary@", primary.as_str())
        .replace("@vos@", &vos)
}

fn site_text(site: &NewSite, is_first: bool) -> String {
    let gocdb = site.site.as_ref().map_or_else(
        || {
            "# site: EXAMPLE-ONE   its name in GOCDB; without it accounting publishes nothing"
                .to_owned()
        },
        |name| format!("site: {name}   # its name in GOCDB, for accounting"),
    );
    let vos: Vec<_> = site.vos.iter().map(VoName::as_str).collect();
    SITE.replace("@site@", &gocdb)
        .replace("@datacenter@", site.datacenter.as_str())
        .replace("@domain@", site.domain.as_str())
        .replace("@user@", site.user.as_str())
        .replace("@vos@", &vos.join(", "))
        .replace("@hosts@", &hosts(site, is_first))
}

/// The first server collects the usage records too. A further site needs no Nomad server.
fn hosts(site: &NewSite, is_first: bool) -> String {
    let server = if is_first { "server" } else { "consul-server" };
    let kinds = [
        ("server", server, &site.servers),
        ("gateway", "gateway", &site.gateways),
        ("wn", "client", &site.clients),
    ];
    let mut lines = Vec::new();
    for (key, role, addresses) in kinds {
        for (index, address) in addresses.iter().enumerate() {
            let more = if key == "server" && index == 0 {
                ", accounting"
            } else {
                ""
            };
            // A `:` may have a meaning in YAML.
            let quote = if address.is_ipv6() { "\"" } else { "" };
            lines.push(format!(
                "  {key}-{index}: {{ roles: [{role}{more}], address: {quote}{address}{quote} }}"
            ));
        }
    }
    lines.join("\n")
}

/// What is suggested where nothing is said, for the next site of a federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestions {
    /// A datacenter that is not there yet.
    pub datacenter: String,
    /// Of documentation (RFC 5737), to be replaced: the first server's; others follow it.
    pub first_address: IpAddr,
}

impl Suggestions {
    /// For the first site of a federation, or for one more.
    pub fn new(federation: &RegionName, inventory: Option<&Inventory>) -> Self {
        const WORDS: [&str; 9] = [
            "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
        ];
        let is_free = |name: &String| {
            inventory.is_none_or(|it| it.sites.keys().all(|known| known.as_str() != name))
        };
        let named = WORDS.map(|word| format!("{federation}-{word}"));
        let free = named.into_iter().find(is_free);
        let count = inventory.map_or(0, |it| it.sites.len());
        let last = u8::try_from(count % 24 * 10 + 11).unwrap_or(11);
        Self {
            datacenter: free.unwrap_or_else(|| format!("{federation}-{count}")),
            first_address: IpAddr::from([192, 0, 2, last]),
        }
    }

    /// The address of the n-th host after the first server.
    pub fn address(&self, after: u8) -> IpAddr {
        match self.first_address {
            IpAddr::V4(it) => {
                let [a, b, c, d] = it.octets();
                IpAddr::from([a, b, c, d.saturating_add(after)])
            }
            IpAddr::V6(_) => self.first_address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vo_is_read_whole_or_refused() {
        let vo: NewVo = "vo.example.org=example@deployments.example.org"
            .parse()
            .unwrap();
        assert_eq!(vo.namespace.as_str(), "example");
        for (text, error) in [
            (
                "vo.example.org",
                "`vo.example.org` is not of the form name=namespace@domain",
            ),
            (
                "vo.example.org=example",
                "`vo.example.org=example` is not of the form name=namespace@domain",
            ),
            (
                "vo.example.org=a_b@x.org",
                "`a_b` cannot be a namespace: 1 to 128 of a-z, A-Z, 0-9 and -",
            ),
        ] {
            assert_eq!(text.parse::<NewVo>().unwrap_err(), error);
        }
    }
}
