//! Sources that mean harm, or are no inventories: a located error, in bounded time and memory.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use provisioner::importers::{Answers, Imported, Owner, Severity, SourceFile, Sources, import};

use super::{files, fixture};

/// No source may take longer: these tests run on busy machines, without optimisation.
const PATIENCE: Duration = Duration::from_secs(30);

fn file(name: &str, bytes: impl Into<Vec<u8>>) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        bytes: bytes.into(),
    }
}

/// Imports one file as the inventory; it must be refused, and gives the first error.
fn refused(name: &str, bytes: impl Into<Vec<u8>>) -> String {
    let started = Instant::now();
    let sources = Sources {
        inventory: file(name, bytes),
        variables: Vec::new(),
        ssh_config: None,
        hidden: Vec::new(),
    };
    let Imported { files, findings } = import(&sources, &Answers::default(), None);
    assert!(files.is_empty());
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    assert!(findings.len() <= 1001, "{}", findings.len());
    let first = findings.iter().find(|it| it.severity == Severity::Error);
    first.unwrap().to_string()
}

#[test]
fn a_source_beyond_all_measure_is_refused() {
    let long = refused("hosts", vec![b'a'; 100 << 20]);
    assert_eq!(
        long,
        "hosts:1:1: error: longer than 4 MiB; no inventory is that long: is this the right file?"
    );
    let huge = refused("hosts", "[web]\nnode[1:999999999]");
    assert!(
        huge.starts_with("hosts:2:1: error: `node[1:999999999]` stands for too many hosts"),
        "{huge}"
    );
    let huge = refused("hosts.yml", "web: { hosts: { 'node[1:999999999]': } }");
    assert!(huge.starts_with("hosts.yml:1:17: error:"), "{huge}");
    let wide = refused("hosts", "[web]\nn[1:4000]m[1:4000]");
    assert!(wide.contains("too many hosts"), "{wide}");
    let deep = refused(
        "hosts.yml",
        "a:\n  children: ".to_owned() + &"{ a: { children: ".repeat(50_000),
    );
    assert!(deep.contains("nested deeper than 64 levels"), "{deep}");
    let deep = refused("hosts.json", "[".repeat(4 << 20));
    assert!(deep.starts_with("hosts.json:1:"), "{deep}");
    let name = refused("hosts", format!("[web]\n{}", "n".repeat(1 << 12)));
    assert!(
        name.contains("a name of more than 253 characters"),
        "{name}"
    );
    let bytes = refused("hosts", b"[web]\n\xff".to_vec());
    assert!(bytes.starts_with("hosts:2:1: error: not UTF-8"), "{bytes}");
}

#[test]
fn groups_within_themselves_are_reported() {
    let mut ring = String::new();
    for at in 0..400 {
        let _ = writeln!(ring, "[g{at}:children]\ng{}", (at + 1) % 400);
    }
    let cycle = refused("hosts", ring);
    assert!(cycle.contains("is within itself"), "{cycle}");
    let mut groups = String::new();
    for at in 0..100_000 {
        let _ = writeln!(groups, "[g{at}]\nn{at}");
    }
    assert!(refused("hosts", groups).contains("more than"));
}

#[test]
fn values_that_grow_without_end_are_refused() {
    let mut laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
    for at in 1..20 {
        let before = format!("*a{}, ", at - 1).repeat(8);
        let _ = writeln!(laughs, "a{at}: &a{at} [{before}]");
    }
    assert!(refused("hosts.yml", laughs).contains("more than 100000 keys and values"));
}

#[test]
fn what_every_host_reads_is_short() {
    let hosts: String = (0..4000).fold(String::new(), |text, at| text + &format!("n{at}\n"));
    let long = format!(
        "[consul_servers]\n{hosts}[all:vars]\nansible_user={}",
        "x".repeat(3 << 20)
    );
    assert!(refused("hosts", long).starts_with("hosts:4003:1: error: a line longer than 64 KiB"));
    let names: String = (0..4000).fold(String::new(), |text, at| text + &format!("n{at}: , "));
    let items = "a, ".repeat(90_000);
    let long = format!(
        "consul_servers: {{ vars: {{ nomad_namespaces: [{items}] }}, hosts: {{ {names} }} }}"
    );
    refused("hosts.yml", long);
}

#[test]
fn a_program_is_not_run() {
    let answer = refused("hosts", "#!/bin/sh\nexit 1");
    assert!(
        answer.contains("this is a program, which is not run"),
        "{answer}"
    );
}

/// Numbers that look random and are the same in each run (`SplitMix64`).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// How many cases a property gets: `ATOLL_IMPORT_CASES`, or a number that takes seconds.
pub(super) fn cases(usual: usize) -> usize {
    let chosen = std::env::var("ATOLL_IMPORT_CASES").ok();
    chosen.map_or(usual, |text| text.parse().unwrap())
}

/// The files of every fixture, as sources.
fn fixtures() -> Vec<Sources> {
    let names = fs::read_dir(fixture("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.iter().map(|name| sources(name)).collect()
}

fn sources(case: &str) -> Sources {
    let (mut inventory, mut ssh_config) = (None, None);
    let mut variables = Vec::new();
    for (path, text) in files(&fixture(case)) {
        let name = path.to_str().unwrap();
        let parts: Vec<_> = name.split('/').collect();
        let owner = |part: &str| part.split(".y").next().unwrap().to_owned();
        match parts.as_slice() {
            ["group_vars", group, ..] => {
                variables.push((Owner::Group(owner(group)), file(name, text)));
            }
            ["host_vars", host, ..] => variables.push((Owner::Host(owner(host)), file(name, text))),
            ["ssh_config"] => ssh_config = Some(file(name, text)),
            _ => inventory = Some(file(name, text)),
        }
    }
    Sources {
        inventory: inventory.unwrap(),
        variables,
        ssh_config,
        hidden: Vec::new(),
    }
}

/// Pieces which mean something to one of the readers.
const PIECES: [&str; 28] = [
    "[", "]", "{", "}", ":", "=", "\"", "'", "\\", "#", ";", "\n", "\t", " ", "...", "<x>", "{{",
    "}}", "{% x %}", "!vault", "!unsafe", "&a", "*a", "[1:9]", "[a:f]", "é", "\u{0}", "- ",
];

fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let to = (at + numbers.below(40)).min(bytes.len());
        match numbers.below(6) {
            0 => _ = bytes.splice(at..at, PIECES[numbers.below(PIECES.len())].bytes()),
            1 => _ = bytes.drain(at..to),
            2 => {
                let piece = bytes[at..to].to_vec();
                let place = numbers.below(bytes.len() + 1);
                bytes.splice(place..place, piece);
            }
            3 if at < bytes.len() => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
            4 => bytes.truncate(at),
            _ => _ = bytes.splice(at..to, PIECES[numbers.below(PIECES.len())].bytes()),
        }
    }
}

#[test]
fn no_damage_to_a_source_makes_the_importer_panic() {
    let fixtures = fixtures();
    for seed in 0..cases(2000) {
        let mut numbers = Numbers(seed as u64);
        let mut sources = fixtures[numbers.below(fixtures.len())].clone();
        let chosen = numbers.below(sources.variables.len() * 2 + 2);
        let target = match (sources.variables.get_mut(chosen), &mut sources.ssh_config) {
            (Some((_, file)), _) => file,
            (None, Some(file)) if chosen.is_multiple_of(2) => file,
            _ => &mut sources.inventory,
        };
        mutate(&mut target.bytes, &mut numbers);
        let caught = std::panic::catch_unwind(|| import(&sources, &Answers::default(), None));
        let Ok(Imported { files, findings }) = caught else {
            panic!("seed {seed}: {:#?}", sources.inventory.name);
        };
        let has_errors = findings.iter().any(|it| it.severity == Severity::Error);
        assert_eq!(files.is_empty(), has_errors, "seed {seed}");
        for finding in findings {
            assert!(
                finding.line > 0 && finding.column > 0 && !finding.hint.is_empty(),
                "seed {seed}: {finding}"
            );
        }
    }
}
