//! What the repository as a whole holds itself to.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use provisioner::cli::Cli;

use super::repository;

fn text(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// The sources below some folders, without their tests.
fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut left: Vec<_> = folders
        .iter()
        .map(|folder| repository().join(folder))
        .collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            found.push((path, code.to_owned()));
        }
    }
    found
}

/// Every command of the guide is one that `atoll` knows.
#[test]
fn the_guide_s_commands_are_those_of_the_program() {
    let mut tried = 0;
    for line in text("docs/operations.md").lines() {
        let Some(command) = line.strip_prefix("atoll ") else {
            continue;
        };
        let command = command.split(" > ").next().unwrap_or_default();
        let command = command.split(" # ").next().unwrap_or_default();
        let words = command
            .split_whitespace()
            .map(|word| word.trim_matches('"'));
        let words = ["atoll"].into_iter().chain(words);
        // What the guide exports before.
        let given = ["plan", "apply", "verify"]
            .iter()
            .any(|verb| command.starts_with(verb));
        let identity = given.then_some("--identity=x");
        let artifacts = command.starts_with("artifacts").then_some("--artifacts=x");
        let answer = Cli::try_parse_from(words.chain(identity).chain(artifacts));
        assert!(answer.is_ok(), "{line}: {}", answer.unwrap_err());
        tried += 1;
    }
    assert!(tried > 6, "{tried} commands found");
}

#[test]
fn dependencies_are_locked_and_lints_are_errors() {
    assert!(repository().join("Cargo.lock").is_file());
    let run = text("tests/run");
    for check in [
        "cargo fmt --all --check",
        "cargo clippy --workspace --all-targets --locked -- --deny warnings",
        "cargo test --workspace --no-run --locked",
        "cargo deny check bans licenses sources",
    ] {
        assert!(run.contains(check), "{check}");
    }
}

/// The operator's side opens connections and files; it runs no program, so it needs no root.
#[test]
fn the_operator_s_side_runs_no_program() {
    for (path, code) in sources(&["provisioner/src"]) {
        let found = code.contains("process::Command");
        assert!(!found, "{}", path.display());
    }
}

/// Users' finished jobs are theirs: no run collects garbage in Nomad.
#[test]
fn nothing_collects_garbage_in_nomad() {
    for (path, code) in sources(&["provisioner/src", "federation/src"]) {
        for call in ["system/gc", "system gc", "reconcile/summaries"] {
            assert!(!code.contains(call), "{}: {call}", path.display());
        }
    }
}

/// An agent's key is offered from where it is, and never lent to a host.
#[test]
fn the_operator_s_ssh_agent_is_not_forwarded() {
    let session = sources(&["provisioner/src/host"]);
    assert!(!session.is_empty());
    for (path, code) in session {
        assert!(
            !code.contains("auth_agent_forwarding"),
            "{}",
            path.display()
        );
    }
}

/// What is tried in the lab is the example that is shipped.
#[test]
fn the_lab_runs_the_shipped_example() {
    let operator = text("tests/lab/operator.bash");
    assert!(
        operator.contains("inventories/example\" \"$SITE\""),
        "{operator}"
    );
    assert!(
        Path::new(&repository())
            .join("inventories/example/federation.yaml")
            .is_file()
    );
}
