//! Where Ansible says what a key of a draft says: a mistake there is mended in its files, and not
//! in ours, which are not written.

use super::datum::Datum;
use super::draft::Draft;
use super::model::Model;
use super::report::{Findings, Place};
use super::scope::Scope;

/// Keys of a host, and the variables they come from.
const OF_HOSTS: &[(&str, &[&str])] = &[
    ("public_address", &["my_public_ip"]),
    ("address", &["my_ip", "ansible_host"]),
    ("ssh.port", &["ansible_port"]),
    ("ssh.user", &["ansible_user"]),
    ("ssh", &["ansible_host"]),
    ("volume.label", &["partition_name"]),
    ("volume", &["vol_name"]),
    ("kind", &["batch"]),
    ("vos", &["nomad_namespaces"]),
];

/// Keys of a site or of the federation, and the variables they come from.
const OF_ALL: &[(&str, &[&str])] = &[
    ("datacenter", &["consul_dc_name", "nomad_dc"]),
    ("domain", &["domain", "traefik_certs"]),
    ("docker.mirrors", &["docker_registry"]),
    ("external", &["consul_servers_ip", "consul_public_ip"]),
    ("federation", &["nomad_region"]),
    ("nvidia.driver", &["docker_nvidia_driver_version"]),
    ("nvidia.plugin", &["nomad_nvidia_plugin_version"]),
    ("primary", &["primary_datacenter"]),
    ("clients", &["nomad_reserved_memory_mb"]),
    ("ssh.port", &["ansible_port"]),
    ("ssh.user", &["ansible_user", "username"]),
    ("versions.cni", &["nomad_cni_version"]),
    ("versions.consul", &["consul_version"]),
    ("versions.nomad", &["nomad_version"]),
];

/// The line that a key of the draft comes from: a variable's, or else the host's, or else the
/// beginning of the inventory.
pub(super) fn place(draft: &Draft, model: &Model, top: &Place, key: &str) -> Place {
    let ignored = Findings::default();
    let reader = Reader {
        draft,
        model,
        scope: Scope::new(model, &ignored),
    };
    let found = reader
        .of_host(key)
        .or_else(|| reader.of_vo(key))
        .or_else(|| reader.of_all(key));
    found.unwrap_or_else(|| top.clone())
}

struct Reader<'a> {
    draft: &'a Draft,
    model: &'a Model,
    scope: Scope<'a>,
}

impl Reader<'_> {
    fn of_host(&self, key: &str) -> Option<Place> {
        let rest = key.strip_prefix("hosts.")?;
        let (name, rest) = rest.split_once('.').unwrap_or((rest, ""));
        let ansible = self.draft.site.hosts.get(name)?.ansible.as_str();
        let own = &self.model.hosts.get(ansible)?.place;
        let names = variables(OF_HOSTS, rest).iter();
        let given = names.filter_map(|name| self.given(Some(ansible), name));
        // A variable of all may only refer to what the host's own line says.
        let nearest = given.min_by_key(|place| place.file != own.file);
        Some(nearest.unwrap_or_else(|| own.clone()))
    }

    /// Where the namespace of a VO is named first.
    fn of_vo(&self, key: &str) -> Option<Place> {
        let rest = key.strip_prefix("vos.")?;
        let vos = &self.draft.federation.vos;
        let is_meant = |vo: &str| {
            let after = rest.strip_prefix(vo);
            after.is_some_and(|after| after.is_empty() || after.starts_with('.'))
        };
        let (_, (namespace, _)) = vos.iter().find(|(vo, _)| is_meant(vo))?;
        let everybody = self.model.hosts.keys().map(|name| Some(name.as_str()));
        let places = std::iter::once(None)
            .chain(everybody)
            .filter_map(|host| self.scope.get(host, "nomad_namespaces").ok()?)
            .filter(|given| {
                given
                    .datum
                    .items()
                    .is_some_and(|names| names.contains(namespace))
            })
            .map(|given| (matches!(given.datum, Datum::List(_)), given.place));
        // A host's own line says more than the federation's list.
        places.min().map(|(_, place)| place)
    }

    fn of_all(&self, key: &str) -> Option<Place> {
        let names = variables(OF_ALL, key);
        let hosts = self.draft.site.hosts.values();
        let hosts: Vec<_> = hosts.map(|host| Some(host.ansible.as_str())).collect();
        names.iter().find_map(|name| {
            let mut everybody = std::iter::once(&None).chain(&hosts);
            everybody.find_map(|host| self.given(*host, name))
        })
    }

    fn given(&self, host: Option<&str>, name: &str) -> Option<Place> {
        let given = self.scope.get(host, name).ok()?;
        given.map(|given| given.place)
    }
}

/// The variables of the first row whose key is this one, or stands above it.
fn variables(table: &[(&str, &'static [&'static str])], key: &str) -> &'static [&'static str] {
    let is_meant = |above: &str| {
        let rest = key.strip_prefix(above);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let row = table.iter().find(|(above, _)| is_meant(above));
    row.map_or(&[], |(_, names)| *names)
}
