//! What Ansible can say survives: imported, exported and imported again, it is the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use federation::names::{DatacenterName, VoName};
use provisioner::importers::{Answers, Owner, SourceFile, Sources, export, import};
use provisioner::inventory::{Certificates, Inventory, Vo, judge, load};

use super::bounds::{Numbers, cases};
use super::repository;
use crate::golden::name;

/// A site as somebody might have it in ai4-ansible.
struct Site {
    servers: Vec<String>,
    /// CPU nodes with the gateway among them, GPU nodes, try-me nodes.
    clients: [Vec<String>; 3],
    gateway: Option<String>,
}

fn site(numbers: &mut Numbers) -> Site {
    let names = ["alpha", "beta", "gamma", "delta", "eta", "zeta", "theta"];
    let servers = (0..=numbers.below(3)).map(|at| format!("srv-{}", names[at]));
    let servers = servers.collect();
    let mut clients = [0, 10, 20].map(|base| {
        let count = numbers.below(4);
        let name = |at| format!("{}-{}", names[numbers.below(names.len())], base + at);
        (0..count).map(name).collect::<Vec<_>>()
    });
    let gateway = numbers.chance(80).then(|| "gw".to_owned());
    if let Some(name) = &gateway {
        let at = numbers.below(clients[0].len() + 1);
        clients[0].insert(at, name.clone());
    }
    Site {
        servers,
        clients,
        gateway,
    }
}

/// How hosts are reached, a line each.
fn connections<'a>(
    hosts: impl Iterator<Item = &'a String>,
    first: usize,
    numbers: &mut Numbers,
) -> String {
    let mut text = String::new();
    for (name, at) in hosts.zip(first..) {
        let _ = write!(text, "{name} ansible_host=192.0.2.{at}");
        for (percent, more) in [
            (20, format!(" my_public_ip=198.51.100.{at}")),
            (10, format!(" my_ip=203.0.113.{at}")),
            (10, " ansible_user=debian".to_owned()),
            (10, " ansible_port=2222".to_owned()),
        ] {
            if numbers.chance(percent) {
                text += &more;
            }
        }
        text += "\n";
    }
    text
}

fn generated(numbers: &mut Numbers) -> Sources {
    let joins = numbers.chance(50);
    let new = if joins { "new_" } else { "" };
    let site = site(numbers);
    let servers = connections(site.servers.iter(), 10, numbers);
    let mut text = format!("[consul_{new}servers]\n{servers}");
    let clients = connections(site.clients.iter().flatten(), 20, numbers);
    let _ = writeln!(text, "[consul_{new}clients]\n{clients}");
    let servers = site.servers.join("\n");
    let _ = writeln!(text, "[nomad_{new}servers]\n{servers}");
    let tryme = if joins { "new_nomad" } else { "nomad" };
    let groups = [
        format!("nomad_{new}cpu_clients"),
        format!("nomad_{new}gpu_clients"),
        format!("{tryme}_tryme_clients"),
    ];
    for (group, hosts) in groups.iter().zip(&site.clients) {
        let _ = writeln!(text, "[{group}]");
        for name in hosts {
            let _ = writeln!(text, "{name} {}", client(numbers));
        }
    }
    let gateway = site.gateway.unwrap_or_default();
    let _ = writeln!(text, "[traefik_{new}master]\n{gateway}");
    let _ = writeln!(text, "[nomad_{new}volume]");
    for name in site.clients.iter().flatten().filter(|name| *name != "gw") {
        let label = ["", " partition_name=part1"][numbers.below(2)];
        if numbers.chance(50) {
            let _ = writeln!(text, "{name} vol_name=vdb{label}");
        }
    }
    if numbers.chance(20) {
        text += "[all:vars]\nansible_ssh_common_args='-o ProxyJump=ubuntu@bastion.example.org:2222,inner'\n";
    }
    sources(text, variables(joins, numbers))
}

fn client(numbers: &mut Numbers) -> String {
    let namespaces = [
        "ai4eosc",
        "imagine",
        "ai4eosc,imagine",
        "imagine,robots-2",
        "tutorials",
    ];
    let batch = ["true", "false", "True", "False"];
    let mut text = "domain=site".to_owned();
    if numbers.chance(80) {
        let _ = write!(text, " nomad_namespaces={}", namespaces[numbers.below(5)]);
    }
    if numbers.chance(60) {
        let _ = write!(text, " batch={}", batch[numbers.below(4)]);
    }
    text
}

fn variables(joins: bool, numbers: &mut Numbers) -> String {
    let primary = if joins {
        "main-example"
    } else {
        "site-example"
    };
    let mut text = format!(
        "consul_dc_name: site-example\nprimary_datacenter: {primary}\nconsul_version: 1.21.1\nnomad_version: 1.10.{}\n",
        numbers.below(5)
    );
    text +=
        "my_ip: \"{{ ansible_host }}\"\nusername: ubuntu\nnomad_namespaces: [ai4eosc, imagine]\n";
    if joins || numbers.chance(50) {
        text += "consul_servers_ip: !unsafe [\"203.0.113.250\", \"203.0.113.251\"]\n";
    }
    for (percent, line) in [
        (50, "traefik_certs: site-deployments.cloud.ai4eosc.eu\n"),
        (30, "docker_registry: https://mirror.example.org:5000\n"),
        (30, "nomad_reserved_memory_mb: 2048\n"),
        (50, "docker_nvidia_driver_version: 550\n"),
        (30, "nomad_cni_version: 1.6.2\n"),
        (30, "nomad_region: somewhere\n"),
    ] {
        if numbers.chance(percent) {
            text += line;
        }
    }
    if !text.contains("traefik_certs") && numbers.chance(50) {
        text += "traefik_certs: site-deployments.example.org\n";
    }
    text
}

fn sources(hosts: String, variables: String) -> Sources {
    let file = |name: &str, text: String| SourceFile {
        name: name.to_owned(),
        bytes: text.into_bytes(),
    };
    Sources {
        inventory: file("hosts", hosts),
        variables: vec![(
            Owner::Group("all".to_owned()),
            file("group_vars/all.yml", variables),
        )],
        ssh_config: None,
        hidden: Vec::new(),
    }
}

/// The files of an import that are the inventory.
fn inventory_files(sources: &Sources, seed: usize) -> BTreeMap<PathBuf, String> {
    let imported = import(sources, &Answers::default(), None);
    let text = String::from_utf8_lossy(&sources.inventory.bytes);
    assert!(
        !imported.files.is_empty(),
        "seed {seed}: {:#?}\n{text}",
        imported.findings
    );
    let mut files = imported.files;
    files.remove(Path::new("IMPORT-REPORT.md"));
    files
}

/// One site of an exported inventory, as sources.
fn exported(inventory: &Inventory, datacenter: &str) -> Sources {
    let mut files = export(inventory).files;
    let mut take = |name: &str| files.remove(&Path::new(datacenter).join(name)).unwrap();
    sources(take("hosts"), take("group_vars/all.yml"))
}

#[test]
fn an_import_of_an_export_of_an_import_is_the_same() {
    for seed in 0..cases(400) {
        let source = generated(&mut Numbers(seed as u64));
        let first = inventory_files(&source, seed);
        let inventory = judge(&first).unwrap().inventory;
        let again = exported(&inventory, "site-example");
        let second = inventory_files(&again, seed);
        let source = String::from_utf8_lossy(&source.inventory.bytes).into_owned();
        let again = String::from_utf8_lossy(&again.inventory.bytes).into_owned();
        for (name, text) in &first {
            assert_eq!(
                text,
                &second[name],
                "seed {seed}: {}\n{source}\n{again}",
                name.display()
            );
        }
    }
}

#[test]
fn the_sites_of_a_federation_keep_their_hosts() {
    let inventory = load(&repository().join("inventories/ai4os"))
        .unwrap()
        .inventory;
    for (datacenter, site) in &inventory.sites {
        let files = inventory_files(&exported(&inventory, datacenter.as_str()), 0);
        let again = judge(&files).unwrap().inventory;
        assert_eq!(again.sites[datacenter].hosts, site.hosts, "{datacenter}");
        assert_eq!(again.federation.vos, inventory.federation.vos);
    }
    let lost = export(&inventory).lost;
    assert_eq!(lost, Vec::<String>::new());
}

/// Ansible has room for one parent domain a site.
#[test]
fn the_domain_of_a_certificate_is_one_that_its_site_serves() {
    let mut inventory = load(&repository().join("inventories/ai4os"))
        .unwrap()
        .inventory;
    let vo: VoName = name("vo.example.org");
    let own = Vo {
        namespace: name("example"),
        domain: name("deployments.example.org"),
    };
    inventory.federation.vos.insert(vo.clone(), own);
    let walton: DatacenterName = name("walton-imagine");
    let site = inventory.sites.get_mut(&walton).unwrap();
    site.certificates = Certificates::Files;
    let exported = export(&inventory);
    let variables = &exported.files[Path::new("walton-imagine/group_vars/all.yml")];
    let said = "traefik_certs: walton-deployments.cloud.imagine-ai.eu\n";
    assert!(variables.contains(said), "{variables}");
    let lost = "walton-imagine: Ansible has no place for the domain of vo.example.org";
    assert!(exported.lost.iter().any(|it| it == lost), "{exported:?}");

    inventory.sites.get_mut(&walton).unwrap().vos.insert(vo);
    let exported = export(&inventory);
    let variables = &exported.files[Path::new("walton-imagine/group_vars/all.yml")];
    let said = "traefik_certs: walton-deployments.example.org\n";
    assert!(variables.contains(said), "{variables}");
    assert!(exported.lost.iter().all(|it| it != lost), "{exported:?}");
}
