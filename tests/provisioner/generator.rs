//! Inventories that nobody wrote: of any shape for properties, of any size for benchmarks.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{bool, collection, option};

/// The files of an inventory, as texts.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// `federation.yaml`.
    pub(crate) federation: String,
    /// The sites' files by name, each as its head and its hosts.
    pub(crate) sites: Vec<(String, String, Vec<String>)>,
}

impl Files {
    /// Writes them to a folder that is there.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join("federation.yaml"), &self.federation)?;
        fs::create_dir_all(folder.join("sites"))?;
        for (name, head, hosts) in &self.sites {
            let text = format!("{head}hosts:\n{}", hosts.concat());
            fs::write(folder.join("sites").join(name), text)?;
        }
        Ok(())
    }

    /// The same, in another order: of the files' names, and of the hosts in each.
    pub(crate) fn turned(&self) -> Self {
        let mut turned = self.clone();
        let count = turned.sites.len();
        for (index, (name, _, hosts)) in turned.sites.iter_mut().enumerate() {
            *name = format!("{:03}.yaml", count - index);
            hosts.reverse();
        }
        turned
    }
}

/// An inventory of so many hosts: twenty a site, or more where there would be over 500 sites.
#[allow(dead_code, reason = "only benchmarks ask for a size")]
pub(crate) fn of_size(hosts: usize) -> Files {
    let sites = hosts.div_ceil(20).clamp(1, 500);
    let vos = 3;
    let site = |index: usize| {
        let share = hosts / sites + usize::from(index < hosts % sites);
        let servers = if index == 0 { 3 } else { 1 };
        let workers = share.saturating_sub(servers + 1);
        let worker = |number: usize| Worker {
            kind: number % 3,
            gpus: (number.is_multiple_of(4)).then_some(2),
            has_volume: true,
            has_one_vo: false,
        };
        Site {
            servers,
            gateways: 1,
            workers: (0..workers).map(worker).collect(),
            certificates: index % 3,
            has_accounting: index == 0,
            location: 2,
            differs: index.is_multiple_of(5),
        }
    };
    let sites: Vec<_> = (0..sites).map(site).collect();
    let says = [false, true, true, true, false];
    files(&Federation { vos, says }, &sites)
}

/// Any inventory of one to five sites that is right.
pub(crate) fn inventories() -> impl Strategy<Value = Files> {
    let worker = (
        0..3_usize,
        option::of(1..9_u32),
        bool::ANY,
        bool::weighted(0.2),
    )
        .prop_map(|(kind, gpus, has_volume, has_one_vo)| Worker {
            kind,
            gpus,
            has_volume,
            has_one_vo,
        });
    let site = (
        prop_oneof![Just(1), Just(3)],
        0..3_usize,
        collection::vec(worker, 0..4),
        (0..3_usize, 0..3_usize),
        any::<(bool, bool)>(),
    )
        .prop_map(
            |(servers, gateways, workers, (certificates, location), (has_accounting, differs))| {
                Site {
                    servers,
                    gateways,
                    workers,
                    certificates,
                    has_accounting,
                    location,
                    differs,
                }
            },
        );
    let federation =
        (1..4_usize, any::<[bool; 5]>()).prop_map(|(vos, says)| Federation { vos, says });
    (federation, collection::vec(site, 1..6))
        .prop_map(|(federation, sites)| files(&federation, &sites))
}

/// What `federation.yaml` says.
#[derive(Debug)]
struct Federation {
    vos: usize,
    /// Which of [`PARTS`].
    says: [bool; 5],
}

/// What a site's file says.
#[derive(Debug)]
struct Site {
    servers: usize,
    gateways: usize,
    workers: Vec<Worker>,
    /// Own, of files, by ACME.
    certificates: usize,
    has_accounting: bool,
    /// None, without PUE, with it.
    location: usize,
    /// Whether it has what other sites have not.
    differs: bool,
}

/// What a client's entry says.
#[derive(Debug)]
struct Worker {
    kind: usize,
    gpus: Option<u32>,
    has_volume: bool,
    has_one_vo: bool,
}

fn files(federation: &Federation, sites: &[Site]) -> Files {
    let sites = sites.iter().enumerate();
    Files {
        federation: federation_file(federation),
        sites: sites
            .map(|(index, site)| {
                let (head, hosts) = site_file(index, site, federation.vos);
                (format!("site-{index}.yaml"), head, hosts)
            })
            .collect(),
    }
}

/// What `federation.yaml` may say and need not.
const PARTS: [&str; 5] = [
    "external: { consul_servers: [203.0.113.5], nomad_servers: [203.0.113.6] }\n",
    "access: { ssh: [192.0.2.0/28], api: [192.0.2.16/28], monitoring: [192.0.2.32/28] }\n",
    "image_cleanup: { image: \"registry.example.org/docuum:0.25.0\", threshold: \"60%\" }\n",
    "tryme: { images: [\"registry.example.org/plants:2\"], keep_free_percent: 10 }\n",
    "extra_hcl: { consul: \"log_level = \\\"DEBUG\\\"\" }\n\
     extra_yaml: { docker: { max-concurrent-downloads: 6 } }\n",
];

fn federation_file(federation: &Federation) -> String {
    let mut text = "federation: generated
primary: dc-0
versions: { consul: 1.22.3, nomad: 1.11.3, traefik: 3.7.15, cni: 1.9.1 }
docker: { source: vendor, version: \"5:28.5.2-1~debian.12~bookworm\" }
nvidia: { driver: 550.163.01-1, toolkit: 1.17.8-1, plugin: 1.1.0 }
verify: { image: \"atoll/probe:1.35\" }
"
    .to_owned();
    let parts = PARTS.iter().zip(federation.says);
    text.extend(parts.filter(|(_, is_said)| *is_said).map(|(part, _)| *part));
    text.push_str("vos:\n");
    for vo in 0..federation.vos {
        // Two of them have a parent domain in common.
        let domain = vo / 2;
        let _ = writeln!(
            text,
            "  vo{vo}.example.org: {{ namespace: people-{vo}, domain: deployments.d{domain}.example.org }}"
        );
    }
    text
}

fn site_file(index: usize, site: &Site, vos: usize) -> (String, Vec<String>) {
    let vos: Vec<_> = (0..vos).map(|vo| format!("vo{vo}.example.org")).collect();
    let mut head = format!(
        "datacenter: dc-{index}\ndomain: site{index}\nssh: {{ user: debian }}\nvos: [{}]\n",
        vos.join(", ")
    );
    head.push_str(match site.certificates {
        0 => "",
        1 => "certificates: { source: files }\n",
        _ => "certificates: { source: acme, email: ops@site.example.org, dns_provider: rfc2136 }\n",
    });
    head.push_str(match site.location {
        0 => "",
        1 => "location: { country: IE, latitude: 52.25, longitude: -7.11 }\n",
        _ => {
            "location: { country: ES, latitude: 43.47, longitude: -3.80, \
              pue: { value: 1.31, source: report, date: 2026-03-01 } }\n"
        }
    });
    if site.differs {
        let _ = writeln!(
            head,
            "networks: [\"2001:db8:{index:x}::/48\"]\nversions: {{ traefik: 3.7.14 }}\n\
             ntp: [ntp.example.org]\nstate: ready\n\
             docker: {{ mirrors: [\"https://mirror.example.org:5000\"] }}"
        );
    }
    (head, hosts(index, site))
}

fn hosts(index: usize, site: &Site) -> Vec<String> {
    let mut hosts = Vec::new();
    for number in 0..site.servers {
        // Nomad's servers are at the primary site.
        let role = if index == 0 {
            "server"
        } else {
            "consul-server"
        };
        let accounting = if site.has_accounting && number == 0 {
            ", accounting"
        } else {
            ""
        };
        let address = address(index, 1, number);
        hosts.push(format!(
            "  server-{number}: {{ roles: [{role}{accounting}], address: {address} }}\n"
        ));
    }
    for number in 0..site.gateways {
        let address = address(index, 2, number);
        hosts.push(format!(
            "  gateway-{number}: {{ roles: [gateway], address: {address} }}\n"
        ));
    }
    for (number, worker) in site.workers.iter().enumerate() {
        hosts.push(client(index, number, worker));
    }
    hosts
}

fn client(index: usize, number: usize, worker: &Worker) -> String {
    let kind = ["compute", "batch", "tryme"][worker.kind];
    let address = address(index, 3, number);
    let mut text = format!("  wn-{number}: {{ roles: [client], address: {address}, kind: {kind}");
    if let Some(count) = worker.gpus {
        let _ = write!(text, ", gpus: {{ model: NVIDIA H100, count: {count} }}");
    }
    if worker.has_volume {
        text.push_str(", volume: /dev/vdb");
    }
    if worker.has_one_vo {
        text.push_str(", vos: [vo0.example.org]");
    }
    text + " }\n"
}

/// An address of a site: documentation's IPv6 has enough of them.
fn address(site: usize, role: usize, number: usize) -> String {
    format!("\"2001:db8:{site:x}:{role}::{:x}\"", number + 1)
}
