//! Reads an entry of `hosts:`.

use ::federation::names::HostName;

use super::super::decode::{Field, Spot};
use super::super::{Gpus, HostSsh, Kind, Role, Volume};
use super::extra::extra;
use super::site::{vo_list, waivers};
use super::{HostEntry, scalar};

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

pub(super) fn host(key: Option<Spot<HostName>>, field: Field) -> Option<HostEntry> {
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
        volume: keys.optional("volume", |field| Some(field.whole(volume))),
        ssh: keys.optional("ssh", |field| Some(field.whole(ssh))),
        waived: keys.optional("waive", waivers),
        extra: extra(keys),
        name: keys.optional("name", Field::parse),
    })
}

fn gpus(field: Field) -> Option<Gpus> {
    field.keys(|keys| {
        let model = keys.optional("model", |field| {
            let read = |field: Field| field.read(scalar::model, "copy it from `nvidia-smi -L`");
            Some(field.whole(read))
        });
        let count = keys.optional("count", |field| {
            let read = |field: Field| field.read(scalar::count, "a host has 1 to 64 GPUs");
            Some(field.whole(read))
        });
        // What could not be read is not the same as what was not said.
        Some(Gpus {
            model: model.map_or(Some(None), |spot| Some(Some(spot.value?.value)))?,
            count: count.map_or(Some(None), |spot| Some(Some(spot.value?.value)))?,
        })
    })?
}

/// The name of the partition where the file says none.
const LABEL: &str = "atoll-data";

/// A disk by itself, or with the name of its partition.
fn volume(field: Field) -> Option<Volume> {
    let device = |field: Field| {
        field.read(
            scalar::device,
            "write it as /dev/vdb, or /dev/disk/by-id/…, which never changes",
        )
    };
    let labelled = |device: Spot<String>, label: Option<Spot<String>>| Volume {
        device: device.value,
        label: label.map_or_else(|| LABEL.to_owned(), |spot| spot.value),
    };
    let keys = |field: Field| {
        field.keys(|keys| {
            let device = keys.required("device", "/dev/vdb", device);
            let label = keys.optional("label", |field| {
                field.read(scalar::label, "1 to 36 of a-z, A-Z, 0-9, -, _ and .")
            });
            Some(labelled(device?, label))
        })?
    };
    field.text_or_keys(|field| Some(labelled(device(field)?, None)), keys)
}

fn ssh(field: Field) -> Option<HostSsh> {
    field.keys(|keys| HostSsh {
        address: keys
            .optional("address", Field::address)
            .map(|spot| spot.value),
        port: keys
            .optional("port", |field| {
                field.read(
                    scalar::port,
                    "a port is 1 to 65535; without the key it is the site's",
                )
            })
            .map(|spot| spot.value),
        user: keys.optional("user", Field::parse).map(|spot| spot.value),
    })
}
