//! `atoll-agent check`: whether everything that the agent needs is there.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::cgroup::{Roots, Version};
use crate::command::Output;
use crate::consul::Consul;
use crate::deliver::Https;
use crate::discover::Machine;
use crate::gpu::{self, Answer, Gpus as _, Inventory};
use crate::nomad::Nomad;
use crate::settings::{Accounting, Settings, SettingsError};

/// How long the accounting service may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It is needed, and does not work.
    Failed,
    /// There is none, and that may be so.
    NotThere,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// In a sentence.
    pub why: String,
}

/// Looks at everything, in the order in which it is needed. Without settings there is only that to tell.
pub fn look(settings: Result<&Settings, &SettingsError>) -> Vec<Finding> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return vec![finding("settings", Err(error.to_string()))],
    };
    vec![
        finding("settings", Ok("all keys are understood".to_owned())),
        cgroup(&Roots::default()),
        gpus(
            &Machine::read(Path::new("/")),
            &gpu::start(settings.gpu_library.clone()).inventory(),
        ),
        finding("nomad", nomad(settings)),
        finding("consul", consul(settings)),
        finding("ledger", ledger(&settings.ledger)),
        accounting(settings.accounting.as_ref()),
    ]
}

/// Whether nothing has failed.
pub fn passed(findings: &[Finding]) -> bool {
    findings
        .iter()
        .all(|finding| finding.verdict != Verdict::Failed)
}

/// The findings as text.
pub fn text(findings: &[Finding], output: Output) -> String {
    if output == Output::Json {
        // A list of texts always has a JSON form.
        return serde_json::to_string_pretty(findings).unwrap_or_default();
    }
    let mut text = String::new();
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Failed => "failed",
            Verdict::NotThere => "not there",
        };
        let _ = writeln!(text, "{verdict:<10} {:<11} {}", finding.what, finding.why);
    }
    text
}

fn finding(what: &'static str, result: Result<String, String>) -> Finding {
    let verdict = if result.is_ok() {
        Verdict::Ok
    } else {
        Verdict::Failed
    };
    Finding {
        what,
        verdict,
        why: result.unwrap_or_else(|why| why),
    }
}

fn not_there(what: &'static str, why: String) -> Finding {
    Finding {
        what,
        verdict: Verdict::NotThere,
        why,
    }
}

/// A parent is there once its first task has run, so that a fresh node has none.
pub fn cgroup(roots: &Roots) -> Finding {
    let what = "cgroup";
    let version = match roots.version() {
        Version::V1 if !roots.cgroup.join("cpuacct").is_dir() => {
            let path = roots.cgroup.display();
            return finding(
                what,
                Err(format!("there is no cpuacct in {path}, and no version 2")),
            );
        }
        Version::V1 => 1,
        Version::V2 => 2,
    };
    let parents = roots.parents();
    let there: Vec<String> = parents
        .iter()
        .filter(|(_, there)| *there)
        .map(|(path, _)| path.display().to_string())
        .collect();
    if there.is_empty() {
        return not_there(
            what,
            format!("version {version}; no task has run on this node yet"),
        );
    }
    finding(what, Ok(format!("version {version}; {}", there.join(", "))))
}

/// The driver against the PCI bus.
pub fn gpus(machine: &Machine, inventory: &Answer<Inventory>) -> Finding {
    let what = "gpu";
    let bus = machine.nvidia.len();
    match inventory {
        Answer::Late => finding(what, Err("the driver does not answer".to_owned())),
        Answer::Unavailable(why) if bus == 0 => {
            not_there(what, format!("none on the PCI bus; {why}"))
        }
        Answer::Unavailable(why) => finding(what, Err(format!("{bus} on the PCI bus, but {why}"))),
        Answer::Ok(inventory) => {
            let shown = inventory.gpus.len();
            if let Some(problem) = &inventory.problem {
                return finding(what, Err(problem.clone()));
            }
            if shown < bus {
                return finding(
                    what,
                    Err(format!("{bus} on the PCI bus, {shown} shown by the driver")),
                );
            }
            finding(
                what,
                Ok(format!("{shown} shown by the driver, {bus} on the PCI bus")),
            )
        }
    }
}

fn nomad(settings: &Settings) -> Result<String, String> {
    let nomad = Nomad::new(&settings.nomad, 0).map_err(|error| error.to_string())?;
    let node = nomad.node().map_err(|error| error.to_string())?;
    if node.name != settings.node.as_str() {
        return Err(format!(
            "`node` is {}, but Nomad's agent calls itself {}",
            settings.node, node.name
        ));
    }
    let (_, all) = nomad
        .allocations(&node.id, 0, Duration::ZERO)
        .map_err(|error| error.to_string())?;
    Ok(format!("node {}, {} allocations", node.id, all.len()))
}

fn consul(settings: &Settings) -> Result<String, String> {
    let consul = Consul::new(&settings.consul).map_err(|error| error.to_string())?;
    consul.token_is_known().map_err(|error| error.to_string())?;
    Ok(format!("{} knows the token", settings.consul.address))
}

/// Whether a file can be made beside the ledger.
pub fn ledger(path: &Path) -> Result<String, String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let probe = folder.join(format!(".check-{}", std::process::id()));
    let made = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    match made {
        Ok(()) => Ok(format!("{} can be written to", folder.display())),
        Err(error) => Err(format!("cannot write to {}: {error}", folder.display())),
    }
}

fn accounting(settings: Option<&Accounting>) -> Finding {
    let what = "accounting";
    let Some(settings) = settings else {
        return not_there(
            what,
            "no `accounting` in the settings: nothing is delivered".to_owned(),
        );
    };
    let known = Https::new(settings.clone()).greet(CONNECT);
    let known = known.map(|()| format!("{} knows this node", settings.address));
    finding(what, known)
}
