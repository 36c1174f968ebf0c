//! Real programs accept what is rendered, and refuse what is not right.
//!
//! A program is looked for by a variable of its own (`ATOLL_CONSUL`, `ATOLL_NOMAD`,
//! `ATOLL_TRAEFIK`), on the path, and where the lab builds its binaries. Without it a test says
//! that it was skipped; with `CI=true` it fails.

mod traefik;
mod zones;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use provisioner::inventory::Inventory;
use provisioner::plan::{Plan, plan};
use provisioner::render::{Body, Overrides, Rendered, fill, render, throwaway};

use super::varied;
use crate::golden::{fixture, samples};
use crate::kinds::kinds;

/// Finds a program, or says that a test is skipped for the lack of it.
pub(crate) fn program(test: &str, name: &str) -> Option<PathBuf> {
    let chosen = env::var_os(format!("ATOLL_{}", name.to_uppercase())).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let lab = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/atoll-lab/bin"));
    let folders = env::split_paths(&path)
        .collect::<Vec<_>>()
        .into_iter()
        .chain(lab);
    let found = chosen
        .into_iter()
        .chain(folders.map(|folder| folder.join(name)))
        .find(|p| p.is_file());
    if found.is_none() {
        assert!(
            env::var_os("CI") != Some(OsString::from("true")),
            "{test}: no {name} binary"
        );
        // Not through the captured streams: a skipped test passes, and must be seen all the same.
        let told = format!("skipped: {test}: no {name} binary\n");
        std::io::stderr().write_all(told.as_bytes()).unwrap();
    }
    found
}

/// A text as a validator wants it: each secret replaced by a value of its form.
fn filled(plan: &Plan, text: &str) -> String {
    let kinds: BTreeMap<_, _> = plan
        .secrets()
        .into_iter()
        .map(|secret| (secret.to_string(), secret.kind()))
        .collect();
    fill(text, |name| kinds.get(name).map(|kind| throwaway(*kind))).unwrap()
}

/// A plan with all its texts.
fn planned(inventory: &Inventory) -> (Plan, Rendered) {
    let plan = plan(inventory);
    let rendered = render(&plan, &Overrides::default()).unwrap();
    (plan, rendered)
}

/// Puts the texts of a host that lie under a folder of it into a folder of ours.
fn copy_to(folder: &Path, (plan, rendered): &(Plan, Rendered), node: &str, under: &str) {
    for file in &rendered.hosts[&node.parse().unwrap()] {
        if let (Some(name), Body::Text(text)) = (file.path.strip_prefix(under), &file.body) {
            fs::write(folder.join(name), filled(plan, text)).unwrap();
        }
    }
}

/// Runs a program with nothing of ours in its environment: whether it succeeded, and all it said.
pub(crate) fn run(program: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("NOMAD_ADDR", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Has a validator look at the files of every host, and at a damaged copy of each.
fn every_host_is_accepted(validator: &[&str], under: &str) {
    let wrong = [("no_such_key = true".to_owned(), false)];
    for inventory in [samples(), varied(), kinds()] {
        hosts_are_accepted(validator, &inventory, under, &wrong);
    }
}

/// Has a validator look at the files of every host of an inventory, and at copies of each with
/// one more text, which it should accept or not.
pub(crate) fn hosts_are_accepted(
    validator: &[&str],
    inventory: &Inventory,
    under: &str,
    with: &[(String, bool)],
) {
    let planned = planned(inventory);
    for (node, host) in &planned.0.hosts {
        if !host.files.iter().any(|file| file.path.starts_with(under)) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        copy_to(folder.path(), &planned, node.as_str(), under);
        for (text, expected) in [(String::new(), true)].iter().chain(with) {
            fs::write(folder.path().join("zzz.hcl"), format!("{text}\n")).unwrap();
            let arguments = validator[1..].iter().copied();
            let arguments: Vec<_> = arguments.chain(folder.path().to_str()).collect();
            let (accepted, said) = run(Path::new(validator[0]), &arguments);
            assert_eq!(accepted, *expected, "{node} with `{text}`: {said}");
        }
    }
}

#[test]
fn consul_accepts_the_files_of_every_host() {
    if let Some(consul) = program("consul_accepts_the_files_of_every_host", "consul") {
        every_host_is_accepted(&[consul.to_str().unwrap(), "validate"], "/etc/consul.d/");
    }
}

#[test]
fn nomad_accepts_the_files_of_every_host() {
    if let Some(nomad) = program("nomad_accepts_the_files_of_every_host", "nomad") {
        let nomad = nomad.to_str().unwrap();
        every_host_is_accepted(&[nomad, "config", "validate"], "/etc/nomad.d/");
    }
}

#[test]
fn nomad_accepts_every_job() {
    let Some(nomad) = program("nomad_accepts_every_job", "nomad") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let job = folder.path().join("job.nomad.hcl");
    let path = job.to_str().unwrap();
    for inventory in [samples(), varied(), fixture("two-sites")] {
        let services = planned(&inventory).1.services;
        for (id, text) in services.jobs {
            fs::write(&job, text).unwrap();
            let (accepted, said) = run(&nomad, &["job", "validate", path]);
            assert!(accepted, "{id}: {said}");
        }
        for gateway in services.gateways {
            fs::write(&job, &gateway.job).unwrap();
            let (accepted, said) = run(&nomad, &["job", "validate", path]);
            assert!(accepted, "{}: {said}", gateway.job_id);
            let (_, json) = run(&nomad, &["job", "run", "-output", path]);
            for text in [gateway.static_configuration, gateway.dynamic_configuration] {
                let quoted = serde_json::to_string(&text)
                    .unwrap()
                    .replace('<', "\\u003c");
                let quoted = quoted.replace('>', "\\u003e").replace('&', "\\u0026");
                assert!(
                    json.contains(&quoted),
                    "the job does not embed\n{text}\nbut is\n{json}"
                );
            }
            fs::write(&job, gateway.job.replace("count = 1", "number = 1")).unwrap();
            assert!(
                !run(&nomad, &["job", "validate", path]).0,
                "an unknown key is accepted"
            );
        }
    }
}

/// Whether a validator accepts a folder with some files, and all it said.
fn accepts(validator: &Path, arguments: &[&str], files: &[(&str, &str)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let arguments: Vec<_> = arguments.iter().copied().chain([path]).collect();
    run(validator, &arguments)
}

/// Of two files that say the same key, the one whose value is judged is the one that wins.
fn the_operators_own_words_win(validator: &Path, arguments: &[&str], good: &str, bad: &str) {
    let base = "data_dir = \"/nonexistent\"\n";
    let levels = [
        "zz-extra-1-federation.hcl",
        "zz-extra-2-site.hcl",
        "zz-extra-3-host.hcl",
    ];
    // The last of all names that are rendered otherwise, and the levels before.
    let names: Vec<_> = std::iter::once("server.hcl").chain(levels).collect();
    for last in levels {
        let before = names.iter().take_while(|name| **name != last);
        for name in before {
            let files = |first: &str, last_words: &str| {
                accepts(
                    validator,
                    arguments,
                    &[("base.hcl", base), (name, first), (last, last_words)],
                )
            };
            let (accepted, said) = files(bad, good);
            assert!(accepted, "{name} wins over {last}: {said}");
            let (accepted, said) = files(good, bad);
            assert!(!accepted, "{name} wins over {last}: {said}");
        }
    }
}

#[test]
fn the_operators_own_words_win_in_consul() {
    if let Some(consul) = program("the_operators_own_words_win_in_consul", "consul") {
        let (good, bad) = ("datacenter = \"one\"\n", "datacenter = \"no such!\"\n");
        the_operators_own_words_win(&consul, &["validate"], good, bad);
    }
}

#[test]
fn the_operators_own_words_win_in_nomad() {
    if let Some(nomad) = program("the_operators_own_words_win_in_nomad", "nomad") {
        let client =
            |port| format!("client {{\n  enabled = true\n  min_dynamic_port = {port}\n}}\n");
        let (good, bad) = (client(20000), client(99_999_999));
        the_operators_own_words_win(&nomad, &["config", "validate"], &good, &bad);
    }
}

#[test]
fn systemd_accepts_every_unit() {
    let Some(analyze) = program("systemd_accepts_every_unit", "systemd-analyze") else {
        return;
    };
    let hosts = [varied(), kinds()].map(|inventory| planned(&inventory).1.hosts);
    let units: BTreeMap<_, _> = hosts
        .into_iter()
        .flat_map(BTreeMap::into_values)
        .flatten()
        .filter_map(|file| match file.body {
            Body::Text(text) if file.path.starts_with("/etc/systemd/system/") => {
                Some((text, file.path))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        units.len(),
        12,
        "Consul's, Nomad's of a server and of clients with and without a volume, the agent's of \
         these two, the accounting service's, two volumes, Docker's drop-in, the timer that \
         pulls images and its service"
    );
    for (text, path) in units {
        let folder = tempfile::tempdir().unwrap();
        let unit = unit_file(folder.path(), &path);
        // It looks for the program too, which is no part of a rendering.
        let text = text
            .replace("/usr/local/bin/consul", "/bin/sh")
            .replace("/usr/local/bin/nomad", "/bin/sh")
            .replace("/usr/local/lib/atoll/pull-images", "/bin/sh");
        let complaints = |text: &str| {
            fs::write(&unit, text).unwrap();
            // Of a drop-in the unit is verified that it is for.
            let whole = unit.parent().unwrap();
            let verified = if whole == folder.path() {
                unit.clone()
            } else {
                whole.with_extension("")
            };
            let (_, said) = run(&analyze, &["verify", verified.to_str().unwrap()]);
            let of_ours = said
                .lines()
                .filter(|line| line.contains(folder.path().to_str().unwrap()));
            of_ours.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(complaints(&text), Vec::<String>::new(), "{path}");
        let key = text.lines().rfind(|line| line.contains('=')).unwrap();
        let damaged = text.replace(key, &format!("No{key}"));
        assert_eq!(complaints(&damaged).len(), 1, "{path}");
    }
}

/// Where a unit lies in a folder, so that systemd finds what it is: a drop-in needs its unit.
fn unit_file(folder: &Path, path: &str) -> PathBuf {
    let below = path.strip_prefix("/etc/systemd/system/").unwrap();
    let unit = folder.join(below.split('/').next().unwrap());
    if unit.extension() == Some("d".as_ref()) {
        fs::create_dir(&unit).unwrap();
        let service = "[Service]\nExecStart=/bin/sh\n";
        fs::write(unit.with_extension(""), service).unwrap();
    }
    folder.join(below)
}
