//! Reads `federation.yaml`.

use ::federation::names::VoName;

use super::super::decode::{Field, Spot};
use super::super::{Docker, DockerSource, ImageCleanup, Introduction, NodeType, Nvidia};
use super::extra::extra;
use super::tryme::tryme;
use super::{
    AccessEntry, ClientsEntry, ExternalEntry, FederationFile, VersionsEntry, VoEntry, scalar,
};

const DOCKER_SOURCES: &[(&str, DockerSource)] = &[
    ("distribution", DockerSource::Distribution),
    ("vendor", DockerSource::Vendor),
];

const INTRODUCTIONS: &[(&str, Introduction)] = &[
    ("strict", Introduction::Strict),
    ("warn", Introduction::Warn),
];

const NODE_TYPES: &[(&str, NodeType)] = &[
    ("compute", NodeType::Compute),
    ("batch", NodeType::Batch),
    ("tryme", NodeType::TryMe),
    ("gateway", NodeType::Gateway),
];

/// Reads `federation.yaml`.
pub(in super::super) fn federation(document: Field) -> Option<FederationFile> {
    document.keys(|keys| FederationFile {
        name: keys.required("federation", "example", Field::parse),
        primary: keys.required("primary", "example-one", Field::parse),
        versions: keys.required("versions", "{ consul: …, nomad: …, traefik: … }", versions),
        external: keys.optional("external", external),
        clients: keys.optional("clients", clients),
        access: keys.optional("access", access),
        image_cleanup: keys.optional("image_cleanup", |field| Some(field.whole(image_cleanup))),
        tryme: keys.optional("tryme", tryme).unwrap_or_default(),
        extra: extra(keys),
        docker: keys.required("docker", "{ source: distribution, version: … }", |field| {
            let Spot { value, place } = field.whole(docker);
            Some(Spot {
                value: value?,
                place,
            })
        }),
        introduction: keys.optional("introduction", |field| field.word(INTRODUCTIONS)),
        probe_image: keys.required("verify", "{ image: \"atoll/probe:1.35\" }", probe_image),
        vos: keys.required("vos", "{}", |field| field.named(vo)),
        nvidia: keys.optional("nvidia", |field| Some(field.whole(nvidia))),
    })
}

// Within these readers every key is asked for before the first `?`: a key that
// nobody asked for would be reported as unknown.

fn versions(field: Field) -> Option<VersionsEntry> {
    field.keys(|keys| VersionsEntry {
        consul: keys.required("consul", "1.22.3", Field::parse),
        nomad: keys.required("nomad", "1.11.3", Field::parse),
        traefik: keys.required("traefik", "3.7.15", Field::parse),
        cni: keys.optional("cni", Field::parse),
    })
}

fn external(field: Field) -> Option<ExternalEntry> {
    let addresses = |field: Field| field.list(Field::address);
    field.keys(|keys| ExternalEntry {
        consul_servers: keys.optional("consul_servers", addresses),
        nomad_servers: keys.optional("nomad_servers", addresses),
    })
}

fn access(field: Field) -> Option<AccessEntry> {
    let networks = |field: Field| field.list(scalar::network);
    field.keys(|keys| AccessEntry {
        ssh: keys.optional("ssh", networks),
        api: keys.optional("api", networks),
        monitoring: keys.optional("monitoring", networks),
    })
}

fn clients(field: Field) -> Option<ClientsEntry> {
    field.keys(|keys| ClientsEntry {
        reserved_memory_mib: keys.optional("reserved_memory_mib", |field| {
            let hint = "without the key it is 4096; 0 keeps nothing back";
            field.read(scalar::mebibytes, hint)
        }),
        raw_exec: keys.optional("raw_exec", |field| field.list(|item| item.word(NODE_TYPES))),
    })
}

fn image_cleanup(field: Field) -> Option<ImageCleanup> {
    field.keys(|keys| {
        let image = keys.required("image", "\"registry.example.org/docuum:0.25.0\"", |field| {
            field.read(scalar::image, "name it with its tag or digest")
        });
        let threshold = keys.required("threshold", "\"60%\"", |field| {
            field.read(scalar::threshold, "write it as `60%` or `50 GB`")
        });
        Some(ImageCleanup {
            image: image?.value,
            threshold: threshold?.value,
        })
    })?
}

fn docker(field: Field) -> Option<Docker> {
    field.keys(|keys| {
        let source = keys.required("source", "distribution", |field| field.word(DOCKER_SOURCES));
        let version = keys.required("version", "20.10.24+dfsg1-1+deb12u1+b6", |field| {
            field.read(
                scalar::package_version,
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
            scalar::package_version,
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

fn probe_image(field: Field) -> Option<String> {
    let hint = "name it with its tag, as in `atoll/probe:1.35`";
    let read = |field: Field| field.read(scalar::image, hint);
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
