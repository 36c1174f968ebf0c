//! Reads `extra_hcl:` and `extra_yaml:`, which every level may have.

use super::super::Extra;
use super::super::decode::{Field, Keys, Lines, Spot};
use super::ExtraEntry;

/// An operator's own words for the products of a level.
pub(super) fn extra(keys: &mut Keys<'_, '_>) -> ExtraEntry {
    let hcl = keys.optional("extra_hcl", |field| {
        field.keys(|keys| {
            let consul = keys.optional("consul", Field::lines);
            (consul, keys.optional("nomad", Field::lines))
        })
    });
    let docker = keys.optional("extra_yaml", |field| {
        field.keys(|keys| keys.optional("docker", Field::tree))
    });
    let (consul, nomad) = hcl.unwrap_or_default();
    ExtraEntry {
        consul,
        nomad,
        docker: docker.flatten(),
    }
}

impl ExtraEntry {
    /// What was read, without its places.
    pub(in super::super) fn values(self) -> Extra {
        let text = |spot: Option<Spot<Lines>>| spot.map(|spot| spot.value.text);
        Extra {
            consul: text(self.consul),
            nomad: text(self.nomad),
            docker: self.docker.map(|tree| tree.value).unwrap_or_default(),
        }
    }
}
