//! Reads a file of `sites/`.

use super::super::decode::Field;
use super::super::word::WordError;
use super::super::{Decimal, Location, Pue, State};
use super::extra::extra;
use super::host::host;
use super::tryme::tryme;
use super::{
    CertificateSource, CertificatesEntry, DockerEntry, PoolEntry, SiteFile, SshEntry,
    VersionsEntry, VoList, WaiverEntry, Waivers, scalar,
};

const STATES: &[(&str, State)] = &[
    ("planned", State::Planned),
    ("joined", State::Joined),
    ("tested", State::Tested),
    ("ready", State::Ready),
    ("draining", State::Draining),
    ("retired", State::Retired),
];

const CERTIFICATE_SOURCES: &[(&str, CertificateSource)] = &[
    ("own", CertificateSource::Own),
    ("files", CertificateSource::Files),
    ("acme", CertificateSource::Acme),
];

/// Reads a file of `sites/`.
pub(in super::super) fn site(document: Field) -> Option<SiteFile> {
    document.keys(|keys| SiteFile {
        site: keys.optional("site", Field::parse),
        datacenter: keys.required("datacenter", "example-one", Field::parse),
        domain: keys.required("domain", "one", Field::parse),
        state: keys.optional("state", |field| field.word(STATES)),
        location: keys.optional("location", |field| Some(field.whole(location))),
        ssh: keys.required("ssh", "{ user: debian }", ssh),
        networks: keys.optional("networks", |field| field.list(scalar::network)),
        versions: keys.optional("versions", versions).unwrap_or_default(),
        docker: keys.optional("docker", docker).unwrap_or_default(),
        certificates: keys.optional("certificates", |field| Some(field.whole(certificates))),
        ntp: keys.optional("ntp", |field| {
            let hint = "name a time server, such as ntp.example.org";
            field.list(|item| item.read(scalar::server, hint))
        }),
        tryme: keys.optional("tryme", tryme).unwrap_or_default(),
        vos: keys.required("vos", "[]", vo_list),
        waived: keys.optional("waive", waivers),
        extra: extra(keys),
        hosts: keys.required("hosts", "{ server-0: { … } }", |field| field.named(host)),
    })
}

fn ssh(field: Field) -> Option<SshEntry> {
    field.keys(|keys| SshEntry {
        user: keys.required("user", "debian", Field::parse),
        port: keys.optional("port", |field| {
            field.read(
                scalar::port,
                "a port is 1 to 65535; without the key it is 22",
            )
        }),
        jump: keys.optional("jump", |field| {
            let hint = "write it as `bastion.example.org`, or `user@bastion.example.org:2222`";
            field.list(|item| item.read(scalar::jump, hint))
        }),
    })
}

pub(super) fn vo_list(field: Field) -> Option<VoList> {
    field.list(Field::parse)
}

/// Only what differs from the federation's.
fn versions(field: Field) -> Option<VersionsEntry> {
    field.keys(|keys| VersionsEntry {
        consul: keys.optional("consul", Field::parse),
        nomad: keys.optional("nomad", Field::parse),
        traefik: keys.optional("traefik", Field::parse),
        cni: keys.optional("cni", Field::parse),
    })
}

fn location(field: Field) -> Option<Location> {
    field.keys(|keys| {
        let country = keys.required("country", "ES", Field::parse);
        let latitude = keys.required("latitude", "43.47", |field| {
            field.read(|text| degrees(text, 90.0), "degrees north, -90 to 90")
        });
        let longitude = keys.required("longitude", "-3.80", |field| {
            field.read(|text| degrees(text, 180.0), "degrees east, -180 to 180")
        });
        let pue = keys.optional("pue", |field| Some(field.whole(pue)));
        Some(Location {
            country: country?.value,
            latitude: latitude?.value,
            longitude: longitude?.value,
            pue: pue.map_or(Some(None), |spot| spot.value.map(Some))?,
        })
    })?
}

fn degrees(text: &str, most: f64) -> Result<Decimal, String> {
    let number: Decimal = text.parse().map_err(|error: WordError| error.to_string())?;
    if number.value().abs() <= most {
        Ok(number)
    } else {
        Err(format!("`{text}` is not on the globe"))
    }
}

fn pue(field: Field) -> Option<Pue> {
    field.keys(|keys| {
        let value = keys.required("value", "1.4", |field| {
            field.read(
                usage_effectiveness,
                "it is what the building takes, divided by what its machines take",
            )
        });
        let source = keys.required("source", "\"facility report\"", |field| {
            field.read(scalar::sentence, "say who measured or reported it")
        });
        let date = keys.required("date", "2026-03-01", |field| {
            let read = |text: &str| {
                text.parse()
                    .map_err(|_| format!("`{text}` cannot be a date"))
            };
            field.read(read, "write it as 2026-03-01")
        });
        Some(Pue {
            value: value?.value,
            source: source?.value,
            date: date?.value,
        })
    })?
}

fn usage_effectiveness(text: &str) -> Result<Decimal, String> {
    let number: Decimal = text.parse().map_err(|error: WordError| error.to_string())?;
    if (1.0..=3.0).contains(&number.value()) {
        Ok(number)
    } else {
        Err(format!("`{text}` cannot be a PUE: it lies between 1 and 3"))
    }
}

fn docker(field: Field) -> Option<DockerEntry> {
    let mirror = |item: Field| {
        item.read(
            scalar::mirror,
            "write it as https://mirror.example.org:5000",
        )
    };
    field.keys(|keys| DockerEntry {
        mirrors: keys.optional("mirrors", |field| field.list(mirror)),
        address_pools: keys.optional("address_pools", |field| field.list(pool)),
    })
}

fn pool(field: Field) -> Option<PoolEntry> {
    field.keys(|keys| PoolEntry {
        base: keys.required("base", "172.30.0.0/16", scalar::network),
        size: keys.required("size", "24", |field| {
            let read = |text: &str| {
                text.parse()
                    .map_err(|_| format!("`{text}` cannot be a prefix length"))
            };
            field.read(read, "the length of each network's prefix: 24 of /24")
        }),
    })
}

fn certificates(field: Field) -> Option<CertificatesEntry> {
    field.keys(|keys| CertificatesEntry {
        source: keys.required("source", "own", |field| field.word(CERTIFICATE_SOURCES)),
        email: keys.optional("email", |field| {
            Some(field.whole(|field| Some(field.parse()?.value)))
        }),
        dns_provider: keys.optional("dns_provider", |field| {
            let hint = "name it as Traefik's list of providers does: `rfc2136`";
            Some(field.whole(|field| Some(field.read(scalar::word, hint)?.value)))
        }),
    })
}

/// Reads `waive:`.
pub(super) fn waivers(field: Field) -> Option<Waivers> {
    field.list(|item| {
        item.keys(|keys| WaiverEntry {
            check: keys.required("check", "volume-device", |field| {
                field.read(scalar::word, "name the check as the plan does")
            }),
            reason: keys.required("reason", "\"…\"", |field| {
                field.read(scalar::sentence, "say why, for whoever reads it later")
            }),
        })
    })
}
