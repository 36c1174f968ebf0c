//! What is rendered says what the configuration said that once ran, or a table here says why not.

mod facts;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use provisioner::inventory::{self, Inventory};
use provisioner::plan::plan;
use provisioner::render::{Overrides, fill, render, tree};

pub(crate) use facts::{Facts, evaluated, facts, without_quoted_keys};

/// The inventory whose rendering should say what `tests/fixtures/samples` says.
pub(crate) fn samples() -> Inventory {
    fixture("samples")
}

/// An inventory of `tests/fixtures/inventories`.
pub(crate) fn fixture(name: &str) -> Inventory {
    let folder = fixtures().join("inventories").join(name);
    inventory::load(&folder).unwrap().inventory
}

/// A name which is known to be one.
pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// The folder of recorded and handwritten files that tests compare with.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

const OUR_OWN: &str = "the sites of the samples had no daemons of ours";
const SYSTEM: &str = "the samples' hosts were containers with the kernel and the logs of another";
const BY_CONTENT: &str = "by content, out of the variable: no file on the host, no restart";
const SECRETS: &str = "private keys belong under secrets/, which no other task and no disk sees";
const ALL_NAMESPACES: &str = "the platform's API starts jobs of every VO";
const PROBES: &str = "verify starts its probes where users' jobs run, and reads their logs";
const HANDOUTS: &str = "for people outside, to whom the samples gave nothing";
const ALONE: &str = "the job embeds it; here it stands by itself";

/// Where the rendering says something else than the samples: the end of the file's path, the end
/// of the fact's path, what is said now, and why. Without a fact the whole file is meant; without
/// words now, nothing is said any more.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    (
        "demo-ai4eosc-server-0/etc/atoll-agent/agent.toml",
        "",
        "",
        OUR_OWN,
    ),
    (
        "demo-ai4eosc-server-0/etc/atoll-agent/credentials/consul-token",
        "",
        "",
        OUR_OWN,
    ),
    (
        "demo-ai4eosc-server-0/etc/systemd/system/atoll-agent.service",
        "",
        "",
        OUR_OWN,
    ),
    (
        "demo-ai4eosc-traefik/etc/atoll-agent/agent.toml",
        "",
        "",
        OUR_OWN,
    ),
    (
        "demo-ai4eosc-traefik/etc/atoll-agent/credentials/consul-token",
        "",
        "",
        OUR_OWN,
    ),
    (
        "demo-ai4eosc-traefik/etc/systemd/system/atoll-agent.service",
        "",
        "",
        OUR_OWN,
    ),
    (
        "ifca-ai4eosc-server-0/etc/atoll-accounting/accounting.toml",
        "",
        "",
        OUR_OWN,
    ),
    (
        "ifca-ai4eosc-server-0/etc/systemd/system/atoll-accounting.service",
        "",
        "",
        OUR_OWN,
    ),
    ("consul-policies/atoll-agent.hcl", "", "", OUR_OWN),
    ("nomad-policies/atoll-agent.hcl", "", "", OUR_OWN),
    (
        "demo-ai4eosc-server-0/etc/docker/daemon.json",
        "",
        "",
        "the samples' Docker was set up by hand",
    ),
    (
        "demo-ai4eosc-traefik/etc/docker/daemon.json",
        "",
        "",
        "the samples' Docker was set up by hand",
    ),
    ("etc/modules-load.d/nomad.conf", "", "", SYSTEM),
    ("etc/sysctl.d/98-nomad.conf", "", "", SYSTEM),
    ("etc/sysctl.d/99-nomad-cni.conf", "", "", SYSTEM),
    ("etc/apt/preferences.d/10-atoll.pref", "", "", SYSTEM),
    ("etc/systemd/journald.conf.d/10-atoll.conf", "", "", SYSTEM),
    (
        "consul-policies/atoll.hcl",
        "provisioner/.policy",
        "",
        "the prefix is the program's name",
    ),
    (
        "consul-policies/atoll.hcl",
        "atoll/.policy",
        "write",
        "the prefix is the program's name",
    ),
    (
        "nomad-policies/anonymous.hcl",
        "",
        "",
        "callers have tokens; only an adoption needs it",
    ),
    (
        "nomad-policies/papi.hcl",
        "imagine.capabilities",
        PAPI,
        ALL_NAMESPACES,
    ),
    (
        "nomad-policies/papi.hcl",
        "tutorials.capabilities",
        PAPI,
        ALL_NAMESPACES,
    ),
    (
        "nomad-policies/verify.hcl",
        "default.capabilities",
        VERIFY,
        PROBES,
    ),
    (
        "nomad-policies/verify.hcl",
        "ai4eosc.capabilities",
        VERIFY,
        PROBES,
    ),
    (
        "nomad-policies/verify.hcl",
        "imagine.capabilities",
        VERIFY,
        PROBES,
    ),
    (
        "nomad-policies/verify.hcl",
        "tutorials.capabilities",
        VERIFY,
        PROBES,
    ),
    (
        "federation/namespaces.json",
        "",
        "",
        "the samples' namespaces were made by hand",
    ),
    (
        "federation/scheduler.json",
        "",
        "",
        "the samples had Nomad's own scheduler",
    ),
    ("federation/firewall/matrix.json", "", "", HANDOUTS),
    ("federation/firewall/matrix.txt", "", "", HANDOUTS),
    ("sites/demo-ai4eosc.txt", "", "", HANDOUTS),
    ("sites/ifca-ai4eosc.txt", "", "", HANDOUTS),
    ("dns/cloud.ai4eosc.eu.zone", "", "", HANDOUTS),
    ("dns/cloud.imagine-ai.eu.zone", "", "", HANDOUTS),
    ("papi/unlisted.json", "", "", HANDOUTS),
    (
        "jobs/papi-module.nomad.hcl",
        "",
        "",
        "a user's job: the platform writes it",
    ),
    ("traefik-demo-ai4eosc/traefik.toml", "", "", ALONE),
    ("traefik-demo-ai4eosc/dynamic.toml", "", "", ALONE),
    ("traefik.nomad.hcl", "config.volumes", "", BY_CONTENT),
    (
        "traefik.nomad.hcl",
        "template.0.data.providers.file.directory",
        "/secrets/dynamic",
        SECRETS,
    ),
    (
        "traefik.nomad.hcl",
        "template.0.data.providers.consulCatalog.stale",
        "false",
        "with several Consul servers a watch followed by a stale read loses routes",
    ),
    (
        "traefik.nomad.hcl",
        "template.1.destination",
        "secrets/dynamic/dynamic.toml",
        SECRETS,
    ),
    ("traefik.nomad.hcl", "template.1.perms", "0400", SECRETS),
    (
        "traefik.nomad.hcl",
        "defaultCertificate.certFile",
        "<cert_ai4eosc>",
        BY_CONTENT,
    ),
    (
        "traefik.nomad.hcl",
        "defaultCertificate.keyFile",
        "<key_ai4eosc>",
        BY_CONTENT,
    ),
    (
        "traefik.nomad.hcl",
        "certificates.0.certFile",
        "<cert_ai4eosc>",
        BY_CONTENT,
    ),
    (
        "traefik.nomad.hcl",
        "certificates.0.keyFile",
        "<key_ai4eosc>",
        BY_CONTENT,
    ),
    (
        "traefik.nomad.hcl",
        "certificates.1.certFile",
        "<cert_imagine>",
        BY_CONTENT,
    ),
    (
        "traefik.nomad.hcl",
        "certificates.1.keyFile",
        "<key_imagine>",
        BY_CONTENT,
    ),
];

const PAPI: &str =
    r#"["list-jobs","read-job","submit-job","dispatch-job","alloc-exec","read-logs","read-fs"]"#;
const VERIFY: &str = r#"["list-jobs","read-job","submit-job","read-logs"]"#;

/// One fact that differs: the file, the fact, what the samples say and what the rendering says.
struct Difference {
    file: String,
    fact: String,
    theirs: String,
    ours: String,
}

impl Difference {
    fn is_row(&self, (file, fact, now, _): &(&str, &str, &str, &str)) -> bool {
        let whole_file = fact.is_empty() && self.fact.is_empty();
        let this_fact = !fact.is_empty() && self.fact.ends_with(fact) && self.ours == *now;
        self.file.ends_with(file) && (whole_file || this_fact)
    }
}

#[test]
fn what_is_rendered_says_what_once_ran() {
    let differences = differences(&rendered_files(), &sample_files());
    let unexplained: Vec<_> = differences
        .iter()
        .filter(|difference| !DIFFERENCES.iter().any(|row| difference.is_row(row)))
        .map(
            |Difference {
                 file,
                 fact,
                 theirs,
                 ours,
             }| format!("{file}: {fact}: {theirs:?} is now {ours:?}"),
        )
        .collect();
    assert!(unexplained.is_empty(), "nothing explains {unexplained:#?}");
    let unused: Vec<_> = DIFFERENCES
        .iter()
        .filter(|row| !differences.iter().any(|difference| difference.is_row(row)))
        .collect();
    assert!(unused.is_empty(), "nothing needs {unused:#?}");
}

fn differences(
    ours: &BTreeMap<String, String>,
    theirs: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for file in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        let difference = |fact: &str, ours: &str, theirs: &str| Difference {
            file: file.clone(),
            fact: fact.to_owned(),
            theirs: theirs.to_owned(),
            ours: ours.to_owned(),
        };
        let (Some(ours), Some(theirs)) = (ours.get(file), theirs.get(file)) else {
            differences.push(difference("", "", ""));
            continue;
        };
        let (ours, theirs) = (facts(file, ours), facts(file, theirs));
        for fact in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            let said = |facts: &Facts| facts.get(fact).cloned().unwrap_or_default();
            if ours.get(fact) != theirs.get(fact) {
                differences.push(difference(fact, &said(&ours), &said(&theirs)));
            }
        }
    }
    differences
}

/// Our files by path, with their secrets called as the samples call them.
fn rendered_files() -> BTreeMap<String, String> {
    let plan = plan(&samples());
    let rendered = render(&plan, &Overrides::default()).unwrap();
    tree(plan, rendered)
        .into_iter()
        .map(|(path, text)| {
            (
                path.to_str().unwrap().to_owned(),
                with_names_of_samples(&text),
            )
        })
        .filter(|(path, _)| !path.ends_with("manifest.json"))
        .collect()
}

/// The samples by the paths at which ours stand.
fn sample_files() -> BTreeMap<String, String> {
    let folder = fixtures().join("samples");
    let mut found = BTreeMap::new();
    for path in files(&folder) {
        let relative = path.strip_prefix(&folder).unwrap().to_str().unwrap();
        let ours = match relative.split_once('/') {
            None => continue,
            Some(("federation", _)) => relative.replace("provisioner.hcl", "atoll.hcl"),
            Some((_, job)) if job.starts_with("jobs/traefik-") => {
                "federation/gateways/traefik-demo-ai4eosc/traefik.nomad.hcl".to_owned()
            }
            Some((_, host)) => host.to_owned(),
        };
        found.insert(ours, fs::read_to_string(&path).unwrap());
    }
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// A rendered text with its secrets called as the samples call them.
fn with_names_of_samples(text: &str) -> String {
    let names = [
        ("consul/gossip-key", "@CONSUL_GOSSIP_KEY@"),
        ("nomad/gossip-key", "@NOMAD_GOSSIP_KEY@"),
        ("/consul/agent-token", "@CONSUL_AGENT_TOKEN@"),
        ("/consul/nomad-token", "@CONSUL_NOMAD_TOKEN@"),
        ("/consul/dns-token", "@CONSUL_DNS_TOKEN@"),
        ("/consul/replication-token", "@CONSUL_REPLICATION_TOKEN@"),
        ("/consul/capacity-token", "@CONSUL_CAPACITY_TOKEN@"),
    ];
    let lookup = |secret: &str| {
        let (_, name) = names.iter().find(|(end, _)| secret.ends_with(end))?;
        Some((*name).to_owned())
    };
    fill(text, lookup).unwrap()
}
