//! What `check` and `render` cost a host: time and memory, for ten hosts to ten thousand.
//!
//! Each measurement is a process of its own, because memory that was once used does not come back:
//! this program calls itself, with a folder and what is to be done there.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark is for its output, and cannot go on without its parts"
)]

#[path = "../../tests/provisioner/generator.rs"]
#[expect(
    dead_code,
    reason = "what makes inventories of any shape is for properties"
)]
mod generator;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use provisioner::inventory;
use provisioner::plan::plan;
use provisioner::render::{Overrides, render, tree};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const RUNS: usize = 5;

/// What is measured: reading and checking alone, or all texts as well, in memory.
const VERBS: [&str; 2] = ["check", "render"];

/// What a run took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    microseconds: u64,
    peak_kib: u64,
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    match arguments.as_slice() {
        [_, verb, folder] if VERBS.contains(&verb.as_str()) => child(verb, Path::new(folder)),
        _ => table(),
    }
}

fn table() {
    println!(
        "| hosts | sites | verb | median, ms | least – most | µs a host | peak, MiB | KiB a host |"
    );
    println!("|---:|---:|---|---:|---:|---:|---:|---:|");
    for size in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let files = generator::of_size(size);
        files.write(folder.path()).unwrap();
        for verb in VERBS {
            let runs: Vec<_> = (0..RUNS).map(|_| measured(verb, folder.path())).collect();
            row(size, files.sites.len(), verb, &runs);
        }
    }
}

fn row(hosts: usize, sites: usize, verb: &str, runs: &[Cost]) {
    let mut times: Vec<_> = runs.iter().map(|cost| cost.microseconds).collect();
    times.sort_unstable();
    let mut peaks: Vec<_> = runs.iter().map(|cost| cost.peak_kib).collect();
    peaks.sort_unstable();
    let (time, peak) = (times[times.len() / 2], peaks[peaks.len() / 2]);
    let milliseconds = |time: u64| format!("{}.{}", time / 1000, time % 1000 / 100);
    println!(
        "| {hosts} | {sites} | {verb} | {} | {} – {} | {} | {} | {} |",
        milliseconds(time),
        milliseconds(times[0]),
        milliseconds(times[times.len() - 1]),
        time / hosts as u64,
        peak / 1024,
        peak / hosts as u64,
    );
}

/// Runs this program anew, for one measurement.
fn measured(verb: &str, folder: &Path) -> Cost {
    let program = env::current_exe().unwrap();
    let output = Command::new(program)
        .arg(verb)
        .arg(folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{verb} failed: {said}");
    let numbers: Vec<u64> = said
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    Cost {
        microseconds: numbers[0],
        peak_kib: numbers[1],
    }
}

fn child(verb: &str, folder: &Path) {
    let started = Instant::now();
    let loaded = inventory::load(folder).unwrap();
    let mut texts = 0;
    if verb == "render" {
        let plan = plan(&loaded.inventory);
        let rendered = render(&plan, &Overrides::default()).unwrap();
        texts = tree(plan, rendered).len();
    }
    let elapsed = started.elapsed().as_micros();
    assert!(verb == "check" || texts > 0, "nothing was rendered");
    println!("{elapsed} {}", peak_kib());
}

/// The most memory that this process has had, as Linux counts it.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}
