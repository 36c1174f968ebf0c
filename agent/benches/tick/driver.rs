//! A driver of GPUs: one that answers at once, or a library of `tests/fake-nvml` whose clock is the meter's.

use std::fs;
use std::path::{Path, PathBuf};

use agent::gpu::{Answer, Busy, Gpus, Inventory};
use federation::usage::Moment;
use tempfile::TempDir;

use crate::BEGIN;

/// The UUID of a GPU.
pub(crate) fn uuid(number: usize) -> String {
    format!(
        "GPU-{}-0000-4000-8000-00000000000{number}",
        number.to_string().repeat(8)
    )
}

/// GPUs that work four tenths of their time, and answer at once.
pub(crate) struct Steady;

impl Gpus for Steady {
    fn inventory(&self) -> Answer<Inventory> {
        Answer::Ok(Inventory::default())
    }

    fn busy(&self, _: &str, since_us: u64) -> Answer<Busy> {
        Answer::Ok(Busy {
            busy_us: 400_000,
            seen_us: 1_000_000,
            hole_us: 0,
            end_us: 333_334,
            guessed_us: 0,
            last_seen_us: since_us + 1_000_000,
            from_us: Some(since_us),
        })
    }
}

/// A library of its own, so that it finds its scenario beside it.
pub(crate) struct Fake {
    folder: TempDir,
}

impl Fake {
    pub(crate) fn new(library: &Path, gpus: usize) -> Self {
        let fake = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::copy(library, fake.library()).unwrap();
        let gpu = |number: usize| {
            serde_json::json!({
                "uuid": uuid(number), "name": "NVIDIA A100-PCIE-40GB", "memory_mib": 40_960,
                "pci": format!("00000000:{number:02x}:00.0"),
                "busy": [{"from_us": 0, "period_us": 3_000_000, "busy_us": 1_200_000}],
            })
        };
        let scenario = serde_json::json!({
            "epoch_us": BEGIN.wall_us - 3_600_000_000, "clock": {"manual": fake.clock()},
            "gpus": (0..gpus).map(gpu).collect::<Vec<_>>(),
        });
        fake.at(BEGIN);
        let path = fake.folder.path().join("libnvidia-ml.scenario.json");
        fs::write(path, scenario.to_string()).unwrap();
        fake
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.folder.path().join("libnvidia-ml.so.1")
    }

    fn clock(&self) -> PathBuf {
        self.folder.path().join("now_us")
    }

    pub(crate) fn at(&self, now: Moment) {
        let next = self.folder.path().join("next_us");
        fs::write(&next, now.wall_us.to_string()).unwrap();
        fs::rename(next, self.clock()).unwrap();
    }
}
