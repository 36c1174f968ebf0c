//! What the operator's own words may not set, and what sets it instead.
//!
//! A path names keys and labels from the top of the file; `*` at its end stands for any rest
//! of a name.

/// A path, and what says its value.
pub(super) type Owned = &'static [(&'static str, &'static str)];

const TRUST: &str = "Atoll issues the certificates and says who is believed";
const SERVERS: &str = "it follows from the hosts with that role, and from `external`";
const PORTS: &str = "firewalls, agents and Traefik know the usual ones";
const ROLES: &str = "`roles` of the hosts say it";
const METADATA: &str =
    "users' jobs find their nodes by it: `vos`, `kind`, `gpus` and `domain` say it";

/// Of Consul's agent.
pub(super) const CONSUL: Owned = &[
    ("acl", "Atoll makes the policies and tokens"),
    ("encrypt*", "the gossip key is in the store of secrets"),
    ("node_name", "`name` of the host says it"),
    ("datacenter", "`datacenter` of the site says it"),
    ("primary_datacenter", "`primary` of the federation says it"),
    ("domain", "it is a part of every certificate"),
    ("data_dir", "Atoll makes that folder"),
    ("tls", TRUST),
    ("verify_*", TRUST),
    ("ca_file", TRUST),
    ("ca_path", TRUST),
    ("cert_file", TRUST),
    ("key_file", TRUST),
    ("auto_encrypt", TRUST),
    ("client_addr", "the API is for the host itself alone"),
    ("addresses", "the API is for the host itself alone"),
    ("ports", PORTS),
    ("node_id", "Consul makes it, and keeps it"),
    (
        "serf_*",
        "`address` and `public_address` of the host say it",
    ),
    ("server", ROLES),
    ("bootstrap*", ROLES),
    ("retry_join*", SERVERS),
    ("start_join*", SERVERS),
    ("bind_addr", "`address` of the host says it"),
    (
        "advertise_addr*",
        "`address` and `public_address` of the host say it",
    ),
];

/// Of Nomad's agent.
pub(super) const NOMAD: Owned = &[
    ("acl", "Atoll makes the policies and tokens"),
    ("tls", TRUST),
    ("name", "`name` of the host says it"),
    ("region", "`federation` says it"),
    ("datacenter", "`datacenter` of the site says it"),
    ("data_dir", "Atoll makes that folder"),
    ("plugin_dir", "Atoll makes that folder"),
    ("bind_addr", "`roles` and `address` of the host say it"),
    ("addresses", "`roles` and `address` of the host say it"),
    ("ports", PORTS),
    (
        "advertise",
        "`address` and `public_address` of the host say it",
    ),
    ("server.enabled", ROLES),
    ("server.bootstrap_expect", ROLES),
    (
        "server.encrypt",
        "the gossip key is in the store of secrets",
    ),
    ("server.server_join", SERVERS),
    ("server.retry_join", SERVERS),
    (
        "server.client_introduction",
        "`introduction` of the federation says it",
    ),
    ("client.enabled", ROLES),
    ("client.servers", SERVERS),
    ("client.server_join", SERVERS),
    ("client.meta.namespace", METADATA),
    ("client.meta.type", METADATA),
    ("client.meta.compute", METADATA),
    ("client.meta.tags", METADATA),
    ("client.meta.domain", METADATA),
    ("client.meta.status", "`atoll verify` sets it"),
    (
        "client.reserved.memory",
        "`clients.reserved_memory_mib` says it",
    ),
    (
        "plugin.raw_exec.config.enabled",
        "`clients.raw_exec` says it",
    ),
];

/// Of Docker's daemon.
pub(super) const DOCKER: Owned = &[
    ("data-root", "images are on the host's `volume`"),
    (
        "storage-driver",
        "jobs limit their disk, which overlay2 on XFS alone can do",
    ),
    (
        "features.containerd-snapshotter",
        "with it jobs cannot limit their disk, and images are elsewhere",
    ),
    (
        "exec-opts",
        "with systemd's cgroups, a reload of systemd takes the GPUs from running containers",
    ),
    ("hosts", "who reaches Docker's socket is root"),
    ("registry-mirrors", "`docker.mirrors` of the site says it"),
    (
        "default-address-pools",
        "`docker.address_pools` of the site says it",
    ),
    ("runtimes", "`gpus` of the host say it"),
    (
        "default-runtime",
        "a job that wants a GPU asks for the runtime",
    ),
];
