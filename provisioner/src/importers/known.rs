//! What of ai4-ansible's groups and variables Atoll knows, and what becomes of the rest.

/// The groups of a layout, each list in the order in which they are asked.
pub(super) struct Family {
    /// The first server's group, and that of all.
    pub(super) consul_servers: [&'static str; 2],
    pub(super) consul_clients: &'static [&'static str],
    /// The last one is that whose order numbers the servers.
    pub(super) nomad_servers: &'static [&'static str],
    pub(super) cpu: &'static str,
    pub(super) gpu: &'static str,
    pub(super) tryme: &'static str,
    pub(super) gateway: &'static str,
    pub(super) volume: &'static str,
    /// Groups that are only made of the others.
    pub(super) derived: &'static [&'static str],
}

/// The site that owns the federation, or one that went back to its groups after joining.
pub(super) const DEPLOY: Family = Family {
    consul_servers: ["consul_master", "consul_servers"],
    consul_clients: &["consul_clients", "consul"],
    nomad_servers: &["nomad_master", "nomad_servers"],
    cpu: "nomad_cpu_clients",
    gpu: "nomad_gpu_clients",
    tryme: "nomad_tryme_clients",
    gateway: "traefik_master",
    volume: "nomad_volume",
    derived: &["consul", "nomad_clients", "nomad"],
};

/// A site that joins.
pub(super) const JOIN: Family = Family {
    consul_servers: ["consul_new_master", "consul_new_servers"],
    consul_clients: &["consul_new_clients", "consul_new"],
    nomad_servers: &["nomad_new_servers"],
    cpu: "nomad_new_cpu_clients",
    gpu: "nomad_new_gpu_clients",
    // The order of words differs from all other groups.
    tryme: "new_nomad_tryme_clients",
    gateway: "traefik_new_master",
    volume: "nomad_new_volume",
    derived: &["consul_new", "nomad_new_clients", "nomad_new"],
};

impl Family {
    /// The groups that give a host something to do.
    pub(super) fn roles(&self) -> impl Iterator<Item = &'static str> {
        let servers = self.consul_servers.iter().chain(self.nomad_servers);
        let clients = [self.cpu, self.gpu, self.tryme, self.gateway];
        servers.copied().chain(clients)
    }

    /// All of its groups.
    pub(super) fn all(&self) -> impl Iterator<Item = &'static str> {
        let rest = self.consul_clients.iter().chain(self.derived).copied();
        self.roles().chain(rest).chain([self.volume])
    }
}

/// Groups that mean nothing to an inventory, each with why.
pub(super) const IGNORED_GROUPS: &[(&str, &str)] = &[
    (
        "monitoring",
        "its clean-up scripts are not taken over: `image_cleanup` in federation.yaml removes old images",
    ),
    (
        "version_update",
        "versions are in federation.yaml, for all hosts",
    ),
    ("job_deployer", "`atoll verify` starts a job of its own"),
];

/// Variables that become part of the inventory.
pub(super) const USED: &[&str] = &[
    "ansible_host",
    "ansible_port",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_user",
    "batch",
    "consul_dc_name",
    "consul_public_ip",
    "consul_servers_ip",
    "consul_version",
    "disks_path",
    "docker_nvidia_driver_version",
    "docker_registry",
    "domain",
    "my_ip",
    "my_public_ip",
    "nomad_cni_version",
    "nomad_dc",
    "nomad_namespaces",
    "nomad_nvidia_plugin_version",
    "nomad_region",
    "nomad_reserved_memory_mb",
    "nomad_version",
    "partition_name",
    "primary_datacenter",
    "traefik_certs",
    "username",
    "vol_name",
];

/// Variables of the connection that say nothing where they have this value, or any.
pub(super) const QUIET: &[(&str, Option<&str>)] = &[
    ("ansible_become", None),
    ("ansible_become_method", Some("sudo")),
    ("ansible_become_user", Some("root")),
    ("ansible_connection", Some("ssh")),
    ("ansible_python_interpreter", None),
];

/// A variable that the inventory has no place for.
pub(super) struct Unneeded {
    pub(super) name: &'static str,
    /// The value that ai4-ansible ships, which needs no word; `None` where there is none.
    pub(super) shipped: Option<&'static str>,
    /// What Atoll does about it.
    pub(super) instead: &'static str,
}

const fn unneeded(
    name: &'static str,
    shipped: Option<&'static str>,
    instead: &'static str,
) -> Unneeded {
    Unneeded {
        name,
        shipped,
        instead,
    }
}

const PLACE: &str = "Atoll's place for it is fixed: move what must stay before the first apply";
const ACCOUNT: &str = "Atoll's files belong to root and to the products' own accounts";
const KEPT: &str = "Atoll keeps such files encrypted in the inventory's folder `secrets`";
const GATE: &str = "Atoll asks the hosts what there is, and has no such switch";

/// All variables that ai4-ansible ships and the inventory has no place for.
pub(super) const UNNEEDED: &[Unneeded] = &[
    unneeded(
        "ansible_master",
        None,
        "Atoll runs wherever the operator is",
    ),
    unneeded("from_scratch_cluster_installation", Some("false"), GATE),
    unneeded("add_new_nodes", Some("false"), GATE),
    unneeded("path", Some("/home/ubuntu/"), PLACE),
    unneeded("path_system", Some("/etc/systemd/system/"), PLACE),
    unneeded("path_bin", Some("/usr/bin/"), PLACE),
    unneeded(
        "environment_file",
        Some("/etc/environment"),
        "Atoll does not touch it",
    ),
    unneeded("hosts", Some("/etc/hosts"), "nothing has ever used it"),
    unneeded("new_certs", Some("new_site_certs"), KEPT),
    unneeded("mount_dir", Some("/mnt/data"), PLACE),
    unneeded(
        "docker_config",
        Some("/etc/docker/"),
        "nothing has ever used it",
    ),
    unneeded(
        "grub_path",
        Some("/etc/default/grub"),
        "Atoll does not touch it",
    ),
    unneeded(
        "traefik_certs_dir",
        Some("/etc/nomad.d/traefik-certs"),
        KEPT,
    ),
    unneeded(
        "traefik_letsencrypt_email",
        Some("admin@test.com"),
        "say `certificates: { source: acme, email: …, dns_provider: … }` in the site's file if it is used",
    ),
    unneeded("nomad_data_dir", Some("/opt/nomad"), PLACE),
    unneeded("nomad", Some("{{path_bin}}nomad"), PLACE),
    unneeded("nomad_config_dir", Some("/etc/nomad.d"), PLACE),
    unneeded("nomad_config", Some("{{nomad_config_dir}}/"), PLACE),
    unneeded("nomad_certs_dir", Some("{{nomad_config_dir}}/certs"), PLACE),
    unneeded("nomad_certs", Some("{{nomad_certs_dir}}/"), PLACE),
    unneeded(
        "nomad_fetched_dir",
        Some("{{path}}{{consul_dc_name}}/nomad_fetched"),
        KEPT,
    ),
    unneeded("nomad_fetched", Some("{{nomad_fetched_dir}}/"), KEPT),
    unneeded(
        "nomad_ui_passwd",
        Some("1234"),
        "Atoll makes no such password: an operator's access is made for one person",
    ),
    unneeded("gpu_plugin_dir", Some("plugins"), PLACE),
    unneeded("nomad_username", Some("nomad"), ACCOUNT),
    unneeded(
        "nomad_client_meta",
        Some("{status:test}"),
        "Atoll writes a node's metadata itself; say `state:` in the site's file",
    ),
    unneeded("consul_data_dir", Some("/opt/consul"), PLACE),
    unneeded("consul", Some("{{path_bin}}consul"), PLACE),
    unneeded("consul_config_dir", Some("/etc/consul.d"), PLACE),
    unneeded("consul_config", Some("{{consul_config_dir}}/"), PLACE),
    unneeded(
        "consul_certs_dir",
        Some("{{consul_config_dir}}/certs"),
        PLACE,
    ),
    unneeded("consul_certs", Some("{{consul_certs_dir}}/"), PLACE),
    unneeded(
        "consul_fetched_dir",
        Some("{{path}}{{consul_dc_name}}/consul_fetched"),
        KEPT,
    ),
    unneeded("consul_fetched", Some("{{consul_fetched_dir}}/"), KEPT),
    unneeded(
        "consul_policies_dir",
        Some("{{consul_config}}policies"),
        PLACE,
    ),
    unneeded("consul_policies", Some("{{consul_policies_dir}}/"), PLACE),
    unneeded("consul_username", Some("consul"), ACCOUNT),
    unneeded(
        "ansible_ssh_private_key_file",
        None,
        "name the key with `--key` or ATOLL_SSH_KEY, or have it in ssh-agent",
    ),
];

/// Variables which hold a secret whatever their value: it is never shown.
pub(super) fn is_secret(name: &str) -> bool {
    [
        "password",
        "passwd",
        "_pass",
        "secret",
        "token",
        "_auth",
        "_AUTH",
        "private_key",
    ]
    .iter()
    .any(|part| name.contains(part) && !name.ends_with("_file"))
}

/// The VO and the parent domain of each namespace that PAPI's users have, where they are known.
pub(super) const NAMESPACES: &[(&str, Option<&str>, &str)] = &[
    ("ai4eosc", Some("vo.ai4eosc.eu"), AI4EOSC),
    ("ai4life", Some("vo.ai4life.eu"), AI4EOSC),
    (
        "imagine",
        Some("vo.imagine-ai.eu"),
        "deployments.cloud.imagine-ai.eu",
    ),
    ("kmd4eosc", None, AI4EOSC),
    ("tutorials", None, AI4EOSC),
];

/// The parent domain of all namespaces without one of their own.
pub(super) const AI4EOSC: &str = "deployments.cloud.ai4eosc.eu";

/// What federation.yaml says where Ansible says nothing.
pub(super) mod usual {
    pub(in super::super) const REGION: &str = "ai4os";
    pub(in super::super) const CONSUL: &str = "1.21.1";
    pub(in super::super) const NOMAD: &str = "1.10.2";
    pub(in super::super) const TRAEFIK: &str = "3.7.15";
    pub(in super::super) const CNI: &str = "1.9.1";
    pub(in super::super) const DOCKER: &str = "5:28.5.2-1~debian.12~bookworm";
    pub(in super::super) const PROBE: &str = "atoll/probe:1.35";
    pub(in super::super) const DRIVER: &str = "550.163.01-1";
    pub(in super::super) const TOOLKIT: &str = "1.17.8-1";
    pub(in super::super) const PLUGIN: &str = "1.1.0";
    /// The name of a data partition where our files say none.
    pub(in super::super) const LABEL: &str = "atoll-data";
    pub(in super::super) const USER: &str = "ubuntu";
    pub(in super::super) const RESERVED_MEMORY_MIB: u32 = 4096;
}
