//! A machine for one test: a copy of the library in a folder of its own, with a scenario beside
//! it and a clock that stands until it is set. A copy is another file to the dynamic linker, so
//! that tests which run at once do not see each other.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use nvml_wrapper::{Nvml, error::NvmlError};
use tempfile::TempDir;

pub(crate) const EPOCH_US: i64 = 1_790_000_000_000_000;
pub(crate) const FIRST: &str = "GPU-8f2f3c1e-0000-4000-8000-000000000001";
pub(crate) const SECOND: &str = "GPU-8f2f3c1e-0000-4000-8000-000000000002";

/// Goes away with the test.
pub(crate) struct Machine {
    folder: TempDir,
}

impl Machine {
    /// A machine with that scenario, at the scenario's epoch.
    pub(crate) fn new(scenario: &serde_json::Value) -> Self {
        Self::of(&built("nvidia_ml"), scenario)
    }

    /// One whose driver lacks what came after the R470 branch.
    pub(crate) fn old(scenario: &serde_json::Value) -> Self {
        Self::of(&built("nvidia_ml_r470"), scenario)
    }

    fn of(library: &Path, scenario: &serde_json::Value) -> Self {
        let machine = Self {
            folder: TempDir::new().unwrap(),
        };
        fs::copy(library, machine.library()).unwrap();
        machine.at(0);
        machine.play(scenario);
        machine
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.folder.path().join("libnvidia-ml.so.1")
    }

    pub(crate) fn scenario(&self) -> PathBuf {
        self.folder.path().join("libnvidia-ml.scenario.json")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Another scenario from now on; its clock is the machine's.
    pub(crate) fn play(&self, scenario: &serde_json::Value) {
        let mut scenario = scenario.clone();
        scenario["clock"] = serde_json::json!({"manual": self.path("now_us")});
        replace(&self.scenario(), &scenario.to_string());
    }

    /// Sets the clock, in µs from the epoch.
    pub(crate) fn at(&self, since_epoch_us: i64) {
        replace(
            &self.path("now_us"),
            &(EPOCH_US + since_epoch_us).to_string(),
        );
    }

    pub(crate) fn nvml(&self) -> Nvml {
        self.try_nvml().unwrap()
    }

    pub(crate) fn try_nvml(&self) -> Result<Nvml, NvmlError> {
        Nvml::builder().lib_path(self.library().as_os_str()).init()
    }

    /// The program that knows the truth, about this machine's scenario.
    pub(crate) fn truth(&self, arguments: &[&str]) -> Output {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("truth");
        Command::new("python3")
            .arg(program)
            .arg(self.scenario())
            .args(arguments)
            .output()
            .unwrap()
    }
}

/// A library that Cargo built before it built this test.
pub(crate) fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().join(format!("lib{name}.so"))
}

/// Two GPUs, the second of which never does anything.
pub(crate) fn two_gpus(busy: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({
        "epoch_us": EPOCH_US,
        "gpus": [
            {"uuid": FIRST, "name": "NVIDIA A100-SXM4-40GB", "pci": "00000000:3B:00.0", "memory_mib": 40960,
             "memory_reserved_mib": 479, "memory_used_mib": 1024, "busy": busy},
            {"uuid": SECOND, "name": "NVIDIA T4", "pci": "00000001:AF:1C.0", "memory_mib": 15360}
        ]
    })
}

/// The same scenario, with faults.
pub(crate) fn with_faults(
    scenario: &serde_json::Value,
    faults: serde_json::Value,
) -> serde_json::Value {
    let mut scenario = scenario.clone();
    scenario["faults"] = faults;
    scenario
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}
