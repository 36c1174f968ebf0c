//! Where a host's file comes from: the keys of the inventory, and what of the platform's former
//! tool it answers.

/// Where a file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Keys of the inventory that decide of it, without lists and names: `sites.hosts.volume`.
    pub settings: &'static [&'static str],
    /// Rows of the parity matrix that it answers.
    pub rows: &'static [u16],
}

/// Which file, which keys, which rows. Files that hang on no key and answer no row have no place
/// here, and a test refuses them.
type Row = (&'static str, &'static [&'static str], &'static [u16]);

/// The table, by path. A path that ends in `-` stands for all that begin so.
const ORIGINS: &[Row] = &[
    (
        "/etc/apt/preferences.d/10-atoll.pref",
        &["docker", "nvidia", "sites.hosts.gpus"],
        &[236, 245, 246, 492],
    ),
    (
        "/etc/atoll-accounting/accounting.toml",
        &[
            "federation",
            "vos",
            "sites.datacenter",
            "sites.site",
            "sites.hosts.address",
        ],
        &[],
    ),
    (
        "/etc/atoll-accounting/certs/atoll-ca.pem",
        &["federation"],
        &[],
    ),
    ("/etc/atoll-accounting/certs/server-key.pem", ADDRESSES, &[]),
    ("/etc/atoll-accounting/certs/server.pem", ADDRESSES, &[]),
    (
        "/etc/atoll-agent/agent.toml",
        &[
            "federation",
            "sites.datacenter",
            "sites.hosts.name",
            "sites.hosts.roles",
            "sites.hosts.volume",
        ],
        &[],
    ),
    ("/etc/atoll-agent/certs/agent.pem", NAMES, &[]),
    ("/etc/atoll-agent/certs/atoll-ca.pem", &["federation"], &[]),
    ("/etc/atoll-agent/certs/nomad-ca.pem", &["federation"], &[]),
    ("/etc/atoll-agent/certs/nomad.pem", NAMES, &[]),
    ("/etc/atoll-agent/credentials/agent-key.pem", NAMES, &[]),
    ("/etc/atoll-agent/credentials/consul-token", NAMES, &[]),
    ("/etc/atoll-agent/credentials/nomad-key.pem", NAMES, &[]),
    ("/etc/atoll-agent/credentials/nomad-token", NAMES, &[]),
    (
        "/etc/consul.d/acl.hcl",
        &["primary", "sites.datacenter", "sites.hosts.name"],
        &[181, 187, 189, 191, 195, 196, 197, 198, 199, 200, 448],
    ),
    (
        "/etc/consul.d/certs/consul-agent-ca.pem",
        &["federation"],
        &[148, 442],
    ),
    (
        "/etc/consul.d/certs/server-key.pem",
        ADDRESSES,
        &[143, 145, 169, 170, 173, 444],
    ),
    (
        "/etc/consul.d/certs/server.pem",
        ADDRESSES,
        &[143, 145, 169, 173, 444],
    ),
    (
        "/etc/consul.d/client.hcl",
        &["sites.hosts.roles"],
        &[157, 162, 163, 164, 446],
    ),
    (
        "/etc/consul.d/consul.hcl",
        &[
            "primary",
            "sites.datacenter",
            "sites.hosts.address",
            "sites.hosts.name",
        ],
        &[115, 152, 156, 157, 159, 161, 163, 165, 205, 445],
    ),
    (
        "/etc/consul.d/server.hcl",
        &[
            "external",
            "sites.hosts.public_address",
            "sites.hosts.roles",
        ],
        &[30, 31, 158, 160, 162, 163, 166, 167, 168, 205, 447],
    ),
    ("/etc/consul.d/zz-extra-", &["extra_hcl.consul"], &[]),
    (
        "/etc/docker/daemon.json",
        &[
            "docker",
            "extra_yaml.docker",
            "sites.docker.address_pools",
            "sites.docker.mirrors",
            "sites.hosts.gpus",
            "sites.hosts.volume",
        ],
        &[41, 42, 222, 235, 237, 312, 457],
    ),
    (
        "/etc/modules-load.d/nomad.conf",
        &["sites.hosts.roles"],
        &[244, 460],
    ),
    (
        "/etc/nomad.d/certs/agent-key.pem",
        ADDRESSES,
        &[263, 265, 274, 306, 466],
    ),
    (
        "/etc/nomad.d/certs/agent.pem",
        ADDRESSES,
        &[62, 263, 264, 265, 274, 306, 466],
    ),
    (
        "/etc/nomad.d/certs/nomad-ca.pem",
        &["federation"],
        &[272, 273, 466],
    ),
    (
        "/etc/nomad.d/client.hcl",
        &[
            "clients",
            "external",
            "nvidia",
            "versions.cni",
            "vos",
            "sites.domain",
            "sites.hosts.gpus",
            "sites.hosts.kind",
            "sites.hosts.roles",
            "sites.hosts.vos",
        ],
        &[
            55, 58, 59, 63, 240, 257, 258, 288, 294, 295, 296, 297, 298, 299, 300, 301, 302, 303,
            304, 305, 309, 310, 311, 459, 462, 467,
        ],
    ),
    (
        "/etc/nomad.d/nomad.hcl",
        &[
            "federation",
            "sites.datacenter",
            "sites.hosts.address",
            "sites.hosts.name",
            "sites.hosts.public_address",
            "sites.hosts.volume",
        ],
        &[
            48, 62, 275, 281, 287, 288, 290, 292, 293, 307, 308, 312, 467,
        ],
    ),
    (
        "/etc/nomad.d/server.hcl",
        &[
            "external",
            "introduction",
            "versions.nomad",
            "sites.hosts.roles",
        ],
        &[30, 31, 283, 284, 285, 289, 291, 292, 468],
    ),
    ("/etc/nomad.d/zz-extra-", &["extra_hcl.nomad"], &[]),
    (
        "/etc/sysctl.d/98-nomad.conf",
        &["sites.hosts.roles"],
        &[276, 277, 461],
    ),
    (
        "/etc/sysctl.d/99-nomad-cni.conf",
        &["sites.hosts.roles"],
        &[243, 460],
    ),
    (
        "/etc/systemd/journald.conf.d/10-atoll.conf",
        &["sites.hosts"],
        &[],
    ),
    (
        "/etc/systemd/system/atoll-accounting.service",
        &["sites.hosts.roles"],
        &[],
    ),
    (
        "/etc/systemd/system/atoll-agent.service",
        &["sites.hosts.roles", "sites.hosts.volume"],
        &[],
    ),
    (
        "/etc/systemd/system/atoll-image-pull.service",
        &[
            "tryme",
            "sites.tryme",
            "sites.hosts.kind",
            "sites.hosts.volume",
        ],
        &[357, 358, 359],
    ),
    (
        "/etc/systemd/system/atoll-image-pull.timer",
        &["tryme", "sites.tryme", "sites.hosts.kind"],
        &[357, 358, 472],
    ),
    (
        "/etc/systemd/system/consul.service",
        &["sites.hosts"],
        &[135, 137, 138, 436],
    ),
    (
        "/etc/systemd/system/docker.service.d/10-atoll.conf",
        &["sites.hosts.volume"],
        &[239],
    ),
    (
        "/etc/systemd/system/mnt-data.mount",
        &["sites.hosts.volume"],
        &[39, 230, 232, 233, 456],
    ),
    (
        "/etc/systemd/system/nomad.service",
        &["sites.hosts.roles", "sites.hosts.volume"],
        &[252, 254, 255, 256, 258, 437],
    ),
    (
        "/etc/systemd/timesyncd.conf.d/10-atoll.conf",
        &["sites.ntp"],
        &[],
    ),
    (
        "/usr/local/lib/atoll/pull-images",
        &[
            "tryme",
            "sites.tryme",
            "sites.hosts.kind",
            "sites.hosts.volume",
        ],
        &[357, 359, 360, 361, 472],
    ),
];

/// What certificates with addresses hang on.
const ADDRESSES: &[&str] = &[
    "sites.datacenter",
    "sites.hosts.address",
    "sites.hosts.name",
    "sites.hosts.public_address",
];

/// What a node's own tokens and identities hang on.
const NAMES: &[&str] = &["sites.datacenter", "sites.hosts.name"];

/// Where the file at a path of a host comes from.
pub fn origin(path: &str) -> Origin {
    let is_it = |known: &str| match known.strip_suffix('-') {
        Some(_) => path.starts_with(known),
        None => path == known,
    };
    let found = ORIGINS.iter().find(|(known, _, _)| is_it(known));
    let (_, settings, rows) = found.copied().unwrap_or_default();
    Origin { settings, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_says_something_that_can_be() {
        for (path, settings, rows) in ORIGINS {
            assert!(!(settings.is_empty() && rows.is_empty()), "{path}");
            assert!(
                rows.is_sorted() && rows.iter().all(|row| (1..=502).contains(row)),
                "{path}"
            );
        }
        assert!(ORIGINS.is_sorted_by_key(|(path, _, _)| path), "by path");
    }

    #[test]
    fn a_path_is_found_whole_or_by_its_beginning() {
        assert_eq!(
            origin("/etc/nomad.d/zz-extra-2-site.hcl").settings,
            ["extra_hcl.nomad"]
        );
        assert_eq!(origin("/etc/sysctl.d/98-nomad.conf").rows, [276, 277, 461]);
        assert!(origin("/etc/sysctl.d/98-nomad.conf.d").rows.is_empty());
    }
}
