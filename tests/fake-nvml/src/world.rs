//! What the library remembers between calls: how often it was initialised, which handles it
//! gave away, and the scenario as it was last read.
//!
//! One lock guards it, and it is held for no longer than a look at the file takes: a call that
//! hangs or waits does so without it.

use std::{
    collections::BTreeSet,
    ffi::{CStr, CString},
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    abi::{Code, Handle},
    place,
    scenario::{Clock, Gpu, Scenario},
};

static WORLD: Mutex<World> = Mutex::new(World::new());

/// All of it; taken and let go within one function.
struct World {
    initialised: u64,
    /// Counts the times that the library came to life: handles of an earlier life are void.
    generation: usize,
    /// The UUIDs which handles of this life stand for.
    named: Vec<String>,
    event_sets: BTreeSet<usize>,
    last_event_set: usize,
    file: Option<File>,
    complaint: &'static CStr,
}

/// The scenario's file as it was last seen.
struct File {
    stamp: Stamp,
    /// The last content that was a scenario.
    scenario: Option<Arc<Scenario>>,
}

/// What changes when a file is written anew: modification time in s and ns, length, inode.
type Stamp = (i64, i64, u64, u64);

/// One call's view: the scenario and the time, both fixed.
pub(crate) struct Moment {
    pub(crate) scenario: Arc<Scenario>,
    /// Unix µs.
    pub(crate) now_us: i64,
}

impl Moment {
    /// The GPU with that UUID; one that the scenario does not have any more is lost.
    pub(crate) fn gpu(&self, uuid: &str) -> Result<&Gpu, Code> {
        self.scenario
            .gpus
            .iter()
            .find(|gpu| gpu.uuid == uuid)
            .ok_or(Code::GPU_IS_LOST)
    }

    /// How many entries of a list come between a call for their number and a call for them.
    pub(crate) fn grown(&self, function: &str, gpu: &Gpu) -> u32 {
        let faults = self
            .scenario
            .striking(function, Some(&gpu.uuid), self.now_us);
        faults.map(|fault| fault.grows_by).max().unwrap_or(0)
    }
}

impl World {
    const fn new() -> Self {
        Self {
            initialised: 0,
            generation: 0,
            named: Vec::new(),
            event_sets: BTreeSet::new(),
            last_event_set: 0,
            file: None,
            complaint: c"Unknown Error",
        }
    }

    /// The scenario of now: read again if the file changed, none if it is gone.
    fn scenario(&mut self) -> Result<Arc<Scenario>, Code> {
        let path = place::scenario();
        let Some(stamp) = stamp(path) else {
            self.file = None;
            return Err(Code::DRIVER_NOT_LOADED);
        };
        if self.file.as_ref().is_none_or(|file| file.stamp != stamp) {
            let scenario = match read(path) {
                Ok(scenario) => Some(Arc::new(scenario)),
                Err(problem) => {
                    self.complain(&problem);
                    // What is there may be half of a file: what was goes on.
                    self.file.take().and_then(|file| file.scenario)
                }
            };
            self.file = Some(File { stamp, scenario });
        }
        self.file
            .as_ref()
            .and_then(|file| file.scenario.clone())
            .ok_or(Code::UNKNOWN)
    }

    /// Kept for whoever asks what 999 means; given away for good, as callers keep the pointer.
    fn complain(&mut self, problem: &str) {
        if let Ok(text) = CString::new(format!("Unknown Error: {problem}")) {
            self.complaint = Box::leak(text.into_boxed_c_str());
        }
    }
}

fn world() -> MutexGuard<'static, World> {
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One more user of the library; the first brings it to life.
pub(crate) fn open() -> Result<(), Code> {
    let mut world = world();
    world.scenario()?;
    if world.initialised == 0 {
        world.generation += 1;
        world.named.clear();
        world.event_sets.clear();
    }
    world.initialised += 1;
    Ok(())
}

/// One user less.
pub(crate) fn close() -> Result<(), Code> {
    let mut world = world();
    world.initialised = world
        .initialised
        .checked_sub(1)
        .ok_or(Code::UNINITIALIZED)?;
    Ok(())
}

/// Whether somebody uses the library.
pub(crate) fn is_open() -> Result<(), Code> {
    if world().initialised == 0 {
        Err(Code::UNINITIALIZED)
    } else {
        Ok(())
    }
}

/// The scenario and the time, as they are now.
pub(crate) fn moment() -> Result<Moment, Code> {
    let scenario = world().scenario()?;
    let now_us = now_us(&scenario.clock)?;
    Ok(Moment { scenario, now_us })
}

/// What 999 means at present.
pub(crate) fn complaint() -> &'static CStr {
    world().complaint
}

const GENERATION_BITS: u32 = 24;
const SLOT_BITS: u32 = 12;

/// The handle of a GPU in this life of the library. No pointer to anything: a number.
pub(crate) fn handle(uuid: &str) -> Handle {
    let mut world = world();
    let slot = world
        .named
        .iter()
        .position(|named| named == uuid)
        .unwrap_or_else(|| {
            world.named.push(uuid.to_owned());
            world.named.len() - 1
        });
    let generation = world.generation % (1 << GENERATION_BITS);
    ptr::without_provenance_mut((generation << SLOT_BITS | slot) << 4 | 0x8)
}

/// Whose handle that is, if it was given away in this life.
pub(crate) fn uuid(handle: Handle) -> Result<String, Code> {
    let world = world();
    let number = handle.addr();
    let slot = number >> 4 & ((1 << SLOT_BITS) - 1);
    let alive = number & 0xf == 0x8
        && number >> 4 >> SLOT_BITS == world.generation % (1 << GENERATION_BITS);
    let uuid = if alive {
        world.named.get(slot).cloned()
    } else {
        None
    };
    uuid.ok_or(Code::INVALID_ARGUMENT)
}

/// A new, empty set of events.
pub(crate) fn new_event_set() -> Handle {
    let mut world = world();
    world.last_event_set += 1;
    let number = world.last_event_set << 4 | 0x4;
    world.event_sets.insert(number);
    ptr::without_provenance_mut(number)
}

/// Whether a set of events is there.
pub(crate) fn event_set(set: Handle) -> Result<(), Code> {
    if world().event_sets.contains(&set.addr()) {
        Ok(())
    } else {
        Err(Code::INVALID_ARGUMENT)
    }
}

/// Forgets a set of events.
pub(crate) fn free_event_set(set: Handle) -> Result<(), Code> {
    if world().event_sets.remove(&set.addr()) {
        Ok(())
    } else {
        Err(Code::INVALID_ARGUMENT)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.len(),
        metadata.ino(),
    ))
}

fn read(path: &Path) -> Result<Scenario, String> {
    let problems = match fs::read_to_string(path) {
        Ok(text) => match Scenario::parse(&text) {
            Ok(scenario) => return Ok(scenario),
            Err(problems) => problems.join("; "),
        },
        Err(error) => error.to_string(),
    };
    Err(format!("the scenario {}: {problems}", path.display()))
}

fn now_us(clock: &Clock) -> Result<i64, Code> {
    match clock {
        Clock::Real { offset_us } => {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_err(|_| Code::UNKNOWN)?;
            let now = i64::try_from(since.as_micros()).map_err(|_| Code::UNKNOWN)?;
            Ok(now.saturating_add(*offset_us))
        }
        Clock::Manual(path) => {
            let text = fs::read_to_string(path).map_err(|_| Code::UNKNOWN)?;
            text.trim().parse().map_err(|_| Code::UNKNOWN)
        }
    }
}
