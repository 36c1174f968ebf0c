//! The keys of the files, and what each becomes.
//!
//! A file structure is what could be read: each part that could not is `None`,
//! and has been reported. No rule between two values is here (see `check`).

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::Path;

use federation::names::{
    DatacenterName, DomainLabel, DomainName, HostName, NameError, NamespaceName, NodeName,
    RegionName, SiteName, VoName,
};

use super::decode::{Field, Spot};
use super::problem::{Place, Problems};
use super::tree::Node;
use super::{Docker, DockerSource, Gpus, Introduction, Kind, Nvidia, Role, Ssh, Versions};

const ROLES: &[(&str, &[Role])] = &[
    ("consul-server", &[Role::ConsulServer]),
    ("nomad-server", &[Role::NomadServer]),
    ("server", &[Role::ConsulServer, Role::NomadServer]),
    ("gateway", &[Role::Gateway]),
    ("client", &[Role::Client]),
    ("accounting", &[Role::Accounting]),
];

const KINDS: &[(&str, Kind)] = &[
    ("compute", Kind::Compute),
    ("batch", Kind::Batch),
    ("tryme", Kind::TryMe),
];

const DOCKER_SOURCES: &[(&str, DockerSource)] = &[
    ("distribution", DockerSource::Distribution),
    ("vendor", DockerSource::Vendor),
];

const INTRODUCTIONS: &[(&str, Introduction)] = &[
    ("strict", Introduction::Strict),
    ("warn", Introduction::Warn),
];

/// `federation.yaml`.
pub(super) struct FederationFile {
    pub(super) name: Option<Spot<RegionName>>,
    pub(super) primary: Option<Spot<DatacenterName>>,
    pub(super) versions: Option<Versions>,
    pub(super) docker: Option<Docker>,
    pub(super) introduction: Option<Spot<Introduction>>,
    pub(super) probe_image: Option<String>,
    pub(super) vos: Option<Spot<Vec<VoEntry>>>,
    /// Outside: whether the key is there. Inside: whether its value could be read.
    pub(super) nvidia: Option<Spot<Option<Nvidia>>>,
}

/// One key of `vos:` with its value.
pub(super) struct VoEntry {
    pub(super) name: Option<Spot<VoName>>,
    pub(super) namespace: Option<Spot<NamespaceName>>,
    pub(super) domain: Option<Spot<DomainName>>,
}

/// One file of `sites/`.
pub(super) struct SiteFile {
    pub(super) site: Option<Spot<SiteName>>,
    pub(super) datacenter: Option<Spot<DatacenterName>>,
    pub(super) domain: Option<Spot<DomainLabel>>,
    pub(super) ssh: Option<Ssh>,
    pub(super) vos: Option<VoList>,
    pub(super) hosts: Option<Spot<Vec<Option<HostEntry>>>>,
}

/// A list of VOs; `None` stands for an item that is no VO name.
pub(super) type VoList = Spot<Vec<Option<Spot<VoName>>>>;

/// One key of `hosts:` with its value.
pub(super) struct HostEntry {
    pub(super) key: Option<Spot<HostName>>,
    pub(super) name: Option<Spot<NodeName>>,
    pub(super) roles: Option<RoleList>,
    pub(super) address: Option<Spot<IpAddr>>,
    pub(super) public_address: Option<Spot<IpAddr>>,
    pub(super) kind: Option<Spot<Kind>>,
    pub(super) vos: Option<VoList>,
    pub(super) gpus: Option<Spot<Option<Gpus>>>,
}

/// The words of `roles:`, each with the roles it means.
pub(super) type RoleList = Spot<Vec<Option<Spot<&'static [Role]>>>>;

/// What could be read of an inventory.
pub(super) struct Files {
    /// `federation.yaml`.
    pub(super) federation: Option<FederationFile>,
    /// The files of `sites/`, by file name; `None` stands for one that is no mapping.
    pub(super) sites: Vec<Option<SiteFile>>,
}

impl Files {
    /// The sites that could be read.
    pub(super) fn sites(&self) -> impl Iterator<Item = &SiteFile> {
        self.sites.iter().flatten()
    }

    /// Whether the roles of every host of every site are known.
    pub(super) fn is_whole(&self) -> bool {
        self.sites
            .iter()
            .all(|site| site.as_ref().is_some_and(SiteFile::is_whole))
    }
}

impl SiteFile {
    /// The hosts that could be read.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &HostEntry> {
        self.hosts
            .iter()
            .flat_map(|hosts| hosts.value.iter().flatten())
    }

    /// Whether the roles of every host are known.
    pub(super) fn is_whole(&self) -> bool {
        let is_whole = |host: &Option<HostEntry>| host.as_ref().is_some_and(HostEntry::is_whole);
        self.hosts
            .as_ref()
            .is_some_and(|hosts| hosts.value.iter().all(is_whole))
    }
}

impl HostEntry {
    /// The node's name, and what gives it: `name:`, or the host's key.
    pub(super) fn node(&self, site: &SiteFile) -> Option<(Result<NodeName, NameError>, &Place)> {
        if let Some(name) = &self.name {
            return Some((Ok(name.value.clone()), &name.place));
        }
        let (datacenter, key) = (site.datacenter.as_ref()?, self.key.as_ref()?);
        Some((NodeName::of(&datacenter.value, &key.value), &key.place))
    }

    /// The roles that could be read, each where its word is.
    pub(super) fn roles(&self) -> impl Iterator<Item = (Role, &Place)> {
        let words = self
            .roles
            .iter()
            .flat_map(|roles| roles.value.iter().flatten());
        words.flat_map(|word| word.value.iter().map(|role| (*role, &word.place)))
    }

    /// Whether the host has a role, as far as could be read.
    pub(super) fn has(&self, role: Role) -> bool {
        self.roles().any(|(given, _)| given == role)
    }

    /// Whether other sites or users open connections to the host.
    pub(super) fn is_dialled(&self) -> bool {
        [Role::ConsulServer, Role::NomadServer, Role::Gateway]
            .iter()
            .any(|role| self.has(*role))
    }

    /// Whether every role of the host is known.
    pub(super) fn is_whole(&self) -> bool {
        self.roles
            .as_ref()
            .is_some_and(|roles| roles.value.iter().all(Option::is_some))
    }
}

/// Reads `federation.yaml`.
pub(super) fn federation(node: &Node, file: &Path, problems: &Problems) -> Option<FederationFile> {
    Field::document(node, file, problems).keys(|keys| FederationFile {
        name: keys.required("federation", "example", Field::parse),
        primary: keys.required("primary", "example-one", Field::parse),
        versions: keys.required("versions", "{ consul: …, nomad: …, traefik: … }", versions),
        docker: keys.required("docker", "{ source: distribution, version: … }", docker),
        introduction: keys.optional("introduction", |field| field.word(INTRODUCTIONS)),
        probe_image: keys.required("verify", "{ image: \"atoll/probe:1.35\" }", probe_image),
        vos: keys.required("vos", "{}", |field| field.named(vo)),
        nvidia: keys.optional("nvidia", |field| Some(field.whole(nvidia))),
    })
}

// Within these readers every key is asked for before the first `?`: a key that
// nobody asked for would be reported as unknown.

fn versions(field: Field) -> Option<Versions> {
    field.keys(|keys| {
        let consul = keys.required("consul", "1.22.3", Field::parse);
        let nomad = keys.required("nomad", "1.11.3", Field::parse);
        let traefik = keys.required("traefik", "3.7.15", Field::parse);
        Some(Versions {
            consul: consul?.value,
            nomad: nomad?.value,
            traefik: traefik?.value,
        })
    })?
}

fn docker(field: Field) -> Option<Docker> {
    field.keys(|keys| {
        let source = keys.required("source", "distribution", |field| field.word(DOCKER_SOURCES));
        let version = keys.required("version", "20.10.24+dfsg1-1+deb12u1+b6", |field| {
            field.read(
                package_version,
                "copy it from `apt-cache policy docker.io` (or `docker-ce`)",
            )
        });
        Some(Docker {
            source: source?.value,
            version: version?.value,
        })
    })?
}

fn nvidia(field: Field) -> Option<Nvidia> {
    let package = |field: Field| {
        field.read(
            package_version,
            "copy it from `apt-cache policy nvidia-driver` (or `nvidia-container-toolkit`)",
        )
    };
    field.keys(|keys| {
        let driver = keys.required("driver", "550.163.01-1", package);
        let toolkit = keys.required("toolkit", "1.17.8-1", package);
        let plugin = keys.required("plugin", "1.1.0", Field::parse);
        Some(Nvidia {
            driver: driver?.value,
            toolkit: toolkit?.value,
            plugin: plugin?.value,
        })
    })?
}

fn gpus(field: Field) -> Option<Gpus> {
    field.keys(|keys| {
        let model = keys.required("model", "NVIDIA A100-PCIE-40GB", |field| {
            field.read(model, "copy it from `nvidia-smi -L`")
        });
        let count = keys.required("count", "2", |field| {
            field.read(count, "a host has 1 to 64 GPUs")
        });
        Some(Gpus {
            model: model?.value,
            count: count?.value,
        })
    })?
}

fn probe_image(field: Field) -> Option<String> {
    let hint = "name it with its tag, as in `atoll/probe:1.35`";
    let read = |field: Field| field.read(image, hint);
    Some(
        field
            .keys(|keys| keys.required("image", "\"atoll/probe:1.35\"", read))??
            .value,
    )
}

fn vo(name: Option<Spot<VoName>>, field: Field) -> VoEntry {
    let value = field.keys(|keys| {
        let namespace = keys.required("namespace", "example", Field::parse);
        (
            namespace,
            keys.required("domain", "deployments.example.org", Field::parse),
        )
    });
    let (namespace, domain) = value.unwrap_or_default();
    VoEntry {
        name,
        namespace,
        domain,
    }
}

/// Reads a file of `sites/`.
pub(super) fn site(node: &Node, file: &Path, problems: &Problems) -> Option<SiteFile> {
    Field::document(node, file, problems).keys(|keys| SiteFile {
        site: keys.optional("site", Field::parse),
        datacenter: keys.required("datacenter", "example-one", Field::parse),
        domain: keys.required("domain", "one", Field::parse),
        ssh: keys.required("ssh", "{ user: debian }", ssh),
        vos: keys.required("vos", "[]", vo_list),
        hosts: keys.required("hosts", "{ server-0: { … } }", |field| field.named(host)),
    })
}

fn ssh(field: Field) -> Option<Ssh> {
    field.keys(|keys| {
        let user = keys.required("user", "debian", Field::parse);
        let port = keys.optional("port", |field| {
            field.read(port, "a port is 1 to 65535; without the key it is 22")
        });
        Some(Ssh {
            user: user?.value,
            port: port.map_or(22, |spot| spot.value),
        })
    })?
}

fn vo_list(field: Field) -> Option<VoList> {
    field.list(Field::parse)
}

fn host(key: Option<Spot<HostName>>, field: Field) -> Option<HostEntry> {
    field.keys(|keys| HostEntry {
        key,
        roles: keys.required("roles", "[client]", |field| {
            field.list(|item| item.word(ROLES))
        }),
        address: keys.required("address", "192.0.2.14", Field::address),
        public_address: keys.optional("public_address", Field::address),
        kind: keys.optional("kind", |field| field.word(KINDS)),
        vos: keys.optional("vos", vo_list),
        gpus: keys.optional("gpus", |field| Some(field.whole(gpus))),
        name: keys.optional("name", Field::parse),
    })
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse::<NonZeroU16>();
    port.map(NonZeroU16::get)
        .map_err(|_| format!("`{text}` cannot be a TCP port"))
}

/// NVML's names are shorter than 96 bytes and plain text.
fn model(text: &str) -> Result<String, String> {
    let is_plain = |b: u8| b == b' ' || (b.is_ascii_graphic() && !b"\"'\\$`".contains(&b));
    let is_model = (1..96).contains(&text.len()) && text.bytes().all(is_plain);
    is_model
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be the model of a GPU"))
}

fn count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=64).contains(count));
    count.ok_or_else(|| format!("`{text}` cannot be a number of GPUs"))
}

/// Debian's rule (deb-version), so that the text can stand in a command.
fn package_version(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".+-:~".contains(&b);
    let is_version = text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(allowed);
    is_version
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be the version of a package"))
}

/// An image reference with a tag or digest, so that it never means "whatever is latest".
fn image(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b);
    let (_, last) = text.rsplit_once('/').unwrap_or(("", text));
    let is_pinned = last
        .split_once(':')
        .is_some_and(|(name, tag)| !name.is_empty() && !tag.is_empty());
    let is_image = is_pinned && text.bytes().all(allowed);
    is_image
        .then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` cannot be a pinned image"))
}
