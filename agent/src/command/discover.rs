//! `atoll-agent discover`: what the node has.

use std::fmt::Write as _;
use std::path::Path;

use crate::command::Output;
use crate::discover::{Capacity, Known, Machine};
use crate::gpu::{self, Gpus as _};
use crate::nomad::Nomad;
use crate::settings::Settings;

/// Looks at the node and tells what it has; Nomad's part is left out, with a problem, when Nomad does not answer.
pub fn look(settings: &Settings) -> Capacity {
    let machine = Machine::read(Path::new("/"));
    let gpus = gpu::start(settings.gpu_library.clone()).inventory();
    let node = Nomad::new(&settings.nomad, 0).and_then(|nomad| nomad.node());
    let why = node.as_ref().err().map(ToString::to_string);
    let mut known = Known::default();
    known.take(0, node);
    let seen = known.seen(settings.datacenter.as_str(), &machine, &gpus);
    Capacity {
        problems: seen.problems.into_iter().chain(why).collect(),
        ..seen
    }
}

/// The capacity as text.
pub fn text(capacity: &Capacity, output: Output) -> String {
    match output {
        Output::Human => table(capacity),
        Output::Json => json(capacity),
    }
}

fn json(capacity: &Capacity) -> String {
    // A struct of texts and numbers always has a JSON form.
    serde_json::to_string_pretty(capacity).unwrap_or_default()
}

fn table(capacity: &Capacity) -> String {
    let unknown = || "unknown".to_owned();
    let mhz = match capacity.mhz {
        0 => String::new(),
        mhz => format!(", {mhz} MHz in all"),
    };
    let rows = [
        ("node", capacity.node_id.clone().unwrap_or_else(unknown)),
        ("datacenter", capacity.datacenter.clone()),
        ("type", capacity.kind.clone().unwrap_or_else(unknown)),
        ("cores", format!("{}{mhz}", capacity.cores)),
        ("memory", format!("{} MiB", capacity.memory_mib)),
        ("disk", format!("{} MiB", capacity.disk_mib)),
        ("kernel", format!("{} {}", capacity.kernel, capacity.arch)),
        ("cgroup", format!("version {}", capacity.cgroup)),
        (
            "GPU driver",
            capacity
                .gpu_driver
                .clone()
                .unwrap_or_else(|| "none".to_owned()),
        ),
        ("GPUs", capacity.gpus.len().to_string()),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<11} {value}");
    }
    for gpu in &capacity.gpus {
        let health = if gpu.healthy { "healthy" } else { "unhealthy" };
        let _ = writeln!(
            text,
            "  {}  {}, {} MiB, {health}",
            gpu.id, gpu.model, gpu.memory_mib
        );
    }
    for problem in capacity.not_ready.iter().chain(&capacity.problems) {
        let _ = writeln!(text, "problem     {problem}");
    }
    text
}
