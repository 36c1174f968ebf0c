//! The scenario: what the file says, checked once when it is read.

use std::path::PathBuf;

use serde::Deserialize;

use crate::{
    process::Process,
    timeline::{self, Busy, FURTHEST_US},
};

/// So many samples a ring may have: a day's.
const LONGEST_RING: u64 = 600_000;
/// So many GPUs a machine may have.
const MOST_GPUS: usize = 64;
/// So many patterns and processes a GPU, and faults a scenario, may have.
const MOST_ENTRIES: usize = 1_000;

/// All that the library knows of its machine. Times are µs from `epoch_us`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    #[serde(default = "driver_version")]
    pub(crate) driver_version: String,
    /// 1000 · major + 10 · minor.
    #[serde(default = "cuda_version")]
    pub(crate) cuda_version: i32,
    /// Unix µs.
    pub(crate) epoch_us: i64,
    #[serde(default)]
    pub(crate) clock: Clock,
    /// How many samples the driver keeps of each GPU.
    #[serde(default = "ring_samples")]
    pub(crate) ring_samples: u64,
    pub(crate) gpus: Vec<Gpu>,
    #[serde(default)]
    pub(crate) faults: Vec<Fault>,
    /// Where each call leaves a line.
    pub(crate) trace: Option<PathBuf>,
}

/// Where the time comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Clock {
    /// The machine's clock, and so much more.
    Real {
        #[serde(default)]
        offset_us: i64,
    },
    /// The number in that file: Unix µs.
    Manual(PathBuf),
}

impl Default for Clock {
    fn default() -> Self {
        Self::Real { offset_us: 0 }
    }
}

/// One GPU.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gpu {
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) pci: Pci,
    pub(crate) memory_mib: u64,
    #[serde(default)]
    pub(crate) memory_reserved_mib: u64,
    #[serde(default)]
    pub(crate) memory_used_mib: u64,
    #[serde(default)]
    busy: Vec<Busy>,
    #[serde(default)]
    pub(crate) processes: Vec<Process>,
    /// All that keeps it busy: its own patterns and, as far as they live, its processes'.
    #[serde(skip)]
    pub(crate) work: Vec<Busy>,
    #[serde(default = "power_idle_mw")]
    pub(crate) power_idle_mw: u32,
    #[serde(default = "power_busy_mw")]
    pub(crate) power_busy_mw: u32,
    #[serde(default = "temperature_c")]
    pub(crate) temperature_c: u32,
    #[serde(default = "compute_capability")]
    pub(crate) compute_capability: (i32, i32),
}

/// The address of a GPU, from `domain:bus:device.0`, each in hexadecimal.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Pci {
    pub(crate) domain: u32,
    pub(crate) bus: u8,
    pub(crate) device: u8,
}

impl TryFrom<String> for Pci {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let mut parts = text.strip_suffix(".0")?.split(':');
            let pci = Self {
                domain: u32::from_str_radix(parts.next()?, 16).ok()?,
                bus: u8::from_str_radix(parts.next()?, 16).ok()?,
                device: u8::from_str_radix(parts.next()?, 16).ok()?,
            };
            parts.next().is_none().then_some(pci)
        };
        parse().ok_or_else(|| format!("`{text}` is no PCI address such as 00000000:3B:00.0"))
    }
}

/// What goes wrong, with which function, and when.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(default = "ever")]
    from_us: i64,
    #[serde(default = "never")]
    until_us: i64,
    /// An export's name, or the beginning of names and `*`.
    function: String,
    /// A UUID: only calls that concern that GPU.
    gpu: Option<String>,
    pub(crate) code: Option<u32>,
    pub(crate) delay_us: Option<u64>,
    #[serde(default)]
    pub(crate) hang: bool,
    /// The library itself breaks down, to show that no panic leaves it.
    #[serde(default)]
    pub(crate) panic: bool,
    /// So many entries of a list come between a call for their number and a call for them.
    #[serde(default)]
    pub(crate) grows_by: u32,
}

impl Fault {
    /// Whether it strikes that call at that time.
    fn strikes(&self, function: &str, gpu: Option<&str>, at_us: i64) -> bool {
        let named = match self.function.strip_suffix('*') {
            Some(beginning) => function.starts_with(beginning),
            None => function == self.function,
        };
        let meant = self.gpu.as_deref().is_none_or(|uuid| gpu == Some(uuid));
        named && meant && (self.from_us..self.until_us).contains(&at_us)
    }

    fn does_nothing(&self) -> bool {
        self.code.is_none()
            && self.delay_us.is_none()
            && !self.hang
            && !self.panic
            && self.grows_by == 0
    }
}

impl Scenario {
    /// Reads a scenario; all that is wrong with it, if anything is.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut scenario: Self =
            serde_json::from_str(text).map_err(|error| vec![error.to_string()])?;
        let problems = scenario.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        for gpu in &mut scenario.gpus {
            gpu.work = gpu.all_work();
        }
        Ok(scenario)
    }

    /// That Unix time, from the epoch.
    pub(crate) fn since_epoch_us(&self, now_us: i64) -> i64 {
        now_us
            .saturating_sub(self.epoch_us)
            .clamp(-FURTHEST_US, FURTHEST_US)
    }

    /// The faults that strike that call at that Unix time.
    pub(crate) fn striking<'a>(
        &'a self,
        function: &'a str,
        gpu: Option<&'a str>,
        now_us: i64,
    ) -> impl Iterator<Item = &'a Fault> {
        let at_us = self.since_epoch_us(now_us);
        self.faults
            .iter()
            .filter(move |fault| fault.strikes(function, gpu, at_us))
    }

    fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !(0..=FURTHEST_US).contains(&self.epoch_us) {
            found.push("epoch_us: must be µs since 1970".to_owned());
        }
        if !(1..=LONGEST_RING).contains(&self.ring_samples) {
            found.push(format!(
                "ring_samples: must lie between 1 and {LONGEST_RING}"
            ));
        }
        if self.gpus.len() > MOST_GPUS || self.faults.len() > MOST_ENTRIES {
            found.push(format!(
                "at most {MOST_GPUS} gpus and {MOST_ENTRIES} faults"
            ));
        }
        for (place, gpu) in self.gpus.iter().enumerate() {
            let others = &self.gpus[..place];
            found.extend(
                gpu.problems(others)
                    .into_iter()
                    .map(|what| format!("gpus[{place}].{what}")),
            );
        }
        for (place, fault) in self.faults.iter().enumerate() {
            if fault.does_nothing() {
                found.push(format!(
                    "faults[{place}]: needs code, delay_us, hang, panic or grows_by"
                ));
            }
            if fault
                .gpu
                .as_ref()
                .is_some_and(|uuid| !self.gpus.iter().any(|gpu| gpu.uuid == *uuid))
            {
                found.push(format!("faults[{place}].gpu: no such GPU"));
            }
        }
        found
    }
}

impl Gpu {
    fn problems(&self, others: &[Self]) -> Vec<String> {
        let mut found = Vec::new();
        if self.uuid.is_empty() || others.iter().any(|other| other.uuid == self.uuid) {
            found.push("uuid: must be there, and no other GPU's".to_owned());
        }
        let taken = self.memory_reserved_mib.checked_add(self.memory_used_mib);
        if self.memory_mib >= 1 << 40 || taken.is_none_or(|taken| taken > self.memory_mib) {
            found.push("memory_mib: must hold what is reserved and used".to_owned());
        }
        if self.busy.len() > MOST_ENTRIES {
            found.push(format!("busy: more than {MOST_ENTRIES} patterns"));
        } else {
            found.extend(timeline::problems(&self.busy));
        }
        found.extend(self.problems_of_processes());
        if found.is_empty() && !self.processes.is_empty() {
            found.extend(timeline::problem_together(&self.all_work()));
        }
        found
    }

    fn problems_of_processes(&self) -> Vec<String> {
        let processes = &self.processes;
        let patterns: usize = processes.iter().map(Process::patterns).sum();
        let many = processes.len().max(self.busy.len() + patterns) > MOST_ENTRIES;
        if many && !processes.is_empty() {
            return vec![format!(
                "processes: more than {MOST_ENTRIES}, or so many patterns with the GPU's own"
            )];
        }
        let problems = |place: usize| {
            processes[place]
                .problems(self.memory_mib, &processes[..place])
                .into_iter()
                .map(move |what| format!("processes[{place}].{what}"))
        };
        (0..processes.len()).flat_map(problems).collect()
    }

    fn all_work(&self) -> Vec<Busy> {
        let processes = self.processes.iter().flat_map(Process::work);
        self.busy.iter().cloned().chain(processes).collect()
    }
}

fn driver_version() -> String {
    "550.54.15".to_owned()
}

const fn cuda_version() -> i32 {
    12_040
}

const fn ring_samples() -> u64 {
    120
}

const fn power_idle_mw() -> u32 {
    50_000
}

const fn power_busy_mw() -> u32 {
    300_000
}

const fn temperature_c() -> u32 {
    40
}

const fn compute_capability() -> (i32, i32) {
    (8, 0)
}

const fn ever() -> i64 {
    i64::MIN
}

const fn never() -> i64 {
    i64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPU: &str =
        r#"{"uuid": "GPU-1", "name": "A", "pci": "00000000:3B:00.0", "memory_mib": 10}"#;

    fn problems(text: &str) -> Vec<String> {
        Scenario::parse(text).err().unwrap_or_default()
    }

    #[test]
    fn the_example_of_the_readme_is_a_scenario() {
        let readme = include_str!("../README.md");
        let (_, rest) = readme.split_once("```json\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        Scenario::parse(example).unwrap();
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let text = format!(
            r#"{{"epoch_us": -1, "ring_samples": 0, "gpus": [{GPU}, {GPU}],
                "faults": [{{"function": "nvml*"}}, {{"function": "x", "code": 15, "gpu": "GPU-9"}}]}}"#
        );
        assert_eq!(problems(&text).len(), 5, "{:?}", problems(&text));
    }

    #[test]
    fn an_unknown_key_and_a_bad_address_are_refused() {
        assert!(problems(r#"{"epoch_us": 0, "gpus": [], "fault": []}"#)[0].contains("`fault`"));
        let text = format!(
            r#"{{"epoch_us": 0, "gpus": [{}]}}"#,
            GPU.replace("3B:00.0", "3B")
        );
        assert!(problems(&text)[0].contains("PCI address"));
    }

    #[test]
    fn too_many_patterns_or_processes_are_refused() {
        let problems_of = |patterns: usize, processes: usize, each: &str| {
            let busy = vec![r#"{"from_us": 0, "until_us": 1}"#; patterns].join(",");
            let processes: Vec<_> = (1..=processes)
                .map(|pid| {
                    format!(r#"{{"pid": {pid}, "from_us": 0, "until_us": 1, "busy": [{each}]}}"#)
                })
                .collect();
            let processes = processes.join(",");
            let keys = format!(r#""memory_mib": 10, "busy": [{busy}], "processes": [{processes}]"#);
            let gpu = GPU.replace(r#""memory_mib": 10"#, &keys);
            problems(&format!(r#"{{"epoch_us": 0, "gpus": [{gpu}]}}"#)).join("; ")
        };
        let one = r#"{"from_us": 0, "until_us": 1}"#;
        assert_eq!(problems_of(MOST_ENTRIES - 1, 1, one), "");
        assert!(problems_of(MOST_ENTRIES, 1, one).starts_with("gpus[0].processes: more"));
        assert!(problems_of(0, MOST_ENTRIES + 1, "").starts_with("gpus[0].processes: more"));
        let own = problems_of(MOST_ENTRIES + 1, 0, "");
        assert_eq!(own, "gpus[0].busy: more than 1000 patterns");
    }

    #[test]
    fn what_is_wrong_with_a_process_is_said_with_its_place() {
        let with = |busy: &str, processes: &str| {
            let keys = format!(r#""memory_mib": 10, "busy": [{busy}], "processes": [{processes}]"#);
            let gpu = GPU.replace(r#""memory_mib": 10"#, &keys);
            problems(&format!(r#"{{"epoch_us": 0, "gpus": [{gpu}]}}"#))
        };
        let process = |pid: u32, busy: &str| {
            format!(
                r#"{{"pid": {pid}, "from_us": 0, "until_us": 4000000000000, "busy": [{busy}]}}"#
            )
        };
        let cycle = |period: i64| {
            format!(
                r#"{{"from_us": 0, "until_us": 4000000000000, "period_us": {period}, "busy_us": 1}}"#
            )
        };
        let (one, two) = (cycle(1_000_003), cycle(999_983));
        let good = process(7, &one);
        assert!(with("", &good).is_empty());
        let twice = with("", &format!("{good}, {good}"));
        assert!(
            twice[0].starts_with("gpus[0].processes[1].pid"),
            "{twice:?}"
        );
        // Each is right by itself; what cannot be counted is the GPU's union.
        for together in [
            with(&two, &good),
            with("", &format!("{good}, {}", process(8, &two))),
        ] {
            assert_eq!(together.len(), 1);
            assert!(
                together[0].starts_with("gpus[0].busy: from 0"),
                "{together:?}"
            );
        }
        let alone = with("", &process(7, &format!("{one}, {two}")));
        assert!(
            alone[0].starts_with("gpus[0].processes[0].busy"),
            "{alone:?}"
        );
    }

    #[test]
    fn a_fault_strikes_by_name_beginning_gpu_and_time() {
        let fault: Fault = serde_json::from_str(
            r#"{"function": "nvmlDeviceGet*", "from_us": 5, "until_us": 9, "gpu": "GPU-1", "code": 15}"#,
        )
        .unwrap();
        assert!(fault.strikes("nvmlDeviceGetName", Some("GPU-1"), 5));
        assert!(!fault.strikes("nvmlDeviceGetName", Some("GPU-1"), 9));
        assert!(!fault.strikes("nvmlDeviceGetName", Some("GPU-2"), 5));
        assert!(!fault.strikes("nvmlDeviceGetName", None, 5));
        assert!(!fault.strikes("nvmlShutdown", Some("GPU-1"), 5));
    }
}
