//! Nomad's own words, as plain data.

use std::collections::BTreeMap;

use federation::nomad as api;
use federation::usage;

use super::{Allocation, Devices, Node, TaskTimes};

/// A node from Nomad's own words.
pub fn node_of(node: &api::Equipped) -> Node {
    let attribute = |key: &str| -> Option<u64> {
        let attributes = node.attributes.as_ref()?;
        attributes.get(key)?.parse().ok()
    };
    let resources = node.node_resources.as_ref();
    let cpu = resources.and_then(|resources| resources.cpu.as_ref());
    let cores = attribute("cpu.numcores").and_then(|cores| u32::try_from(cores).ok());
    let memory = resources.and_then(|resources| resources.memory.as_ref());
    let disk = resources.and_then(|resources| resources.disk.as_ref());
    let devices = resources.and_then(|resources| resources.devices.as_ref());
    Node {
        id: node.id.clone(),
        name: node.name.clone(),
        datacenter: node.datacenter.clone(),
        status: node.status.clone(),
        kind: node
            .meta
            .as_ref()
            .and_then(|meta| meta.get("type"))
            .cloned(),
        cores: cores.or(cpu.map(|cpu| cpu.total_cpu_cores)).unwrap_or(0),
        mhz: attribute("cpu.totalcompute")
            .or(cpu.map(|cpu| cpu.cpu_shares))
            .unwrap_or(0),
        memory_mib: memory.map_or(0, |memory| memory.memory_mib),
        disk_mib: disk.map_or(0, |disk| disk.disk_mib),
        devices: devices.into_iter().flatten().map(devices_of).collect(),
    }
}

fn devices_of(device: &api::ResourcesDevice) -> Devices {
    let instances = device.instances.iter().flatten();
    Devices {
        vendor: device.vendor.clone(),
        kind: device.kind.clone(),
        model: device.name.clone(),
        ids: instances
            .map(|instance| (instance.id.clone(), instance.healthy))
            .collect(),
    }
}

/// An allocation from Nomad's own words, on a node of so many cores and MHz, its times moved by `shift_us`.
pub fn allocation_of(placed: &api::Placed, cores: u32, mhz: u64, shift_us: i64) -> Allocation {
    let states = placed.task_states.iter().flatten();
    let task_times: BTreeMap<String, TaskTimes> = states
        .map(|(task, state)| (task.clone(), times(state, shift_us)))
        .collect();
    let starts = task_times.values().filter_map(|times| times.started_us);
    let started_us = starts.min();
    let resources = placed.allocated_resources.as_ref();
    let shared = resources.and_then(|resources| resources.shared.as_ref());
    let meta = placed.job.as_ref().and_then(|job| job.meta.as_ref());
    Allocation {
        facts: usage::Allocation {
            id: placed.id.clone(),
            namespace: placed.namespace.clone(),
            job: placed.job_id.clone(),
            group: placed.task_group.clone(),
            name: placed.name.clone(),
            owner: meta.and_then(|meta| meta.get("owner")).cloned(),
            started_us: started_us.unwrap_or(0),
            tasks: tasks(placed),
            disk_mib: shared.map_or(0, |shared| shared.disk_mib),
            node_cores: cores,
            node_mhz: mhz,
        },
        started: started_us.is_some(),
        ended: end(placed, &task_times, shift_us),
        task_times,
        modify_index: placed.modify_index,
        ran_us: runs(placed).then(|| modified_us(placed, shift_us)),
        listed: true,
        is_told: true,
    }
}

/// `Started` events first: the other time is that of the last start. Nomad keeps ten events only.
fn times(state: &api::PlacedState, shift_us: i64) -> TaskTimes {
    let events = state.events.iter().flatten();
    let started = events.filter(|event| event.kind == "Started" && event.time > 0);
    let first = started.map(|event| event.time / 1_000).min();
    let last = state.started_at.as_deref().and_then(micros);
    let started_us = first.into_iter().chain(last).min();
    let dead = state.state == "dead";
    let finished_us = state.finished_at.as_deref().and_then(micros);
    TaskTimes {
        started_us: started_us.map(|us| us.saturating_add(shift_us)),
        finished_us: finished_us
            .filter(|_| dead)
            .map(|us| us.saturating_add(shift_us)),
        running: state.state == "running",
    }
}

/// A time in RFC 3339, in µs since 1970 UTC; none for the year 1, with which Nomad says "never".
fn micros(text: &str) -> Option<i64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_microsecond()).filter(|&us| us > 0)
}

/// Whether the servers call an allocation over.
pub(super) fn is_over(placed: &api::Placed) -> bool {
    matches!(
        placed.client_status.as_str(),
        "complete" | "failed" | "lost"
    )
}

/// The end of an allocation, if it is over and everything in it has ended.
pub(super) fn ended(placed: &api::Placed, shift_us: i64) -> Option<usage::End> {
    let states = placed.task_states.iter().flatten();
    let task_times = states.map(|(task, state)| (task.clone(), times(state, shift_us)));
    end(placed, &task_times.collect(), shift_us)
}

/// Whether a task of it is still to start: a client calls an allocation failed as soon as one of its
/// tasks is, and then runs those that are to come after all others (`poststop`).
fn waits(placed: &api::Placed) -> bool {
    let mut states = placed.task_states.iter().flatten();
    placed.client_status == "failed" && states.any(|(_, state)| state.state == "pending")
}

/// Whether a task of it runs, by the servers' word. When they have lost its node they leave its
/// tasks as they were, and say so of the allocation alone.
pub(super) fn runs(placed: &api::Placed) -> bool {
    let mut states = placed.task_states.iter().flatten();
    placed.client_status == "running" && states.any(|(_, state)| state.state == "running")
}

fn modified_us(placed: &api::Placed, shift_us: i64) -> i64 {
    (placed.modify_time / 1_000).saturating_add(shift_us)
}

/// A lost allocation may still have tasks that run: it ends when they have ended.
fn end(
    placed: &api::Placed,
    task_times: &BTreeMap<String, TaskTimes>,
    shift_us: i64,
) -> Option<usage::End> {
    if !is_over(placed) || waits(placed) {
        return None;
    }
    let started = task_times
        .values()
        .filter(|times| times.started_us.is_some());
    let ends: Option<Vec<i64>> = started.map(|times| times.finished_us).collect();
    let never_started = modified_us(placed, shift_us);
    Some(usage::End {
        allocation: placed.id.clone(),
        ended_us: ends?.into_iter().max().unwrap_or(never_started),
        status: placed.client_status.clone(),
    })
}

fn tasks(placed: &api::Placed) -> Vec<usage::Task> {
    let groups = placed.job.iter().filter_map(|job| job.task_groups.as_ref());
    let mut groups = groups.flatten();
    let group = groups.find(|group| group.name == placed.task_group);
    let described = |name: &str| {
        let mut tasks = group?.tasks.as_ref()?.iter();
        tasks.find(|task| task.name == name)
    };
    let resources = placed.allocated_resources.as_ref();
    let tasks = resources.and_then(|resources| resources.tasks.as_ref());
    let tasks = tasks.into_iter().flatten();
    tasks
        .map(|(name, reserved)| task(name, reserved, described(name)))
        .collect()
}

fn task(name: &str, reserved: &api::AllocatedTask, job: Option<&api::PlacedTask>) -> usage::Task {
    let config = job.and_then(|job| job.config.as_ref());
    let image = config.and_then(|config| config.get("image")?.as_str());
    let cores = reserved.cpu.reserved_cores.as_ref().map_or(0, Vec::len);
    let devices = reserved.devices.iter().flatten();
    let devices = devices.flat_map(|device| {
        device.ids.iter().map(|id| usage::Device {
            id: id.clone(),
            vendor: device.vendor.clone(),
            kind: device.kind.clone(),
            model: device.name.clone(),
        })
    });
    usage::Task {
        name: name.to_owned(),
        driver: job.map_or_else(String::new, |job| job.driver.clone()),
        image: image.map(str::to_owned),
        cpu_mhz: reserved.cpu.cpu_shares,
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory_mib: reserved.memory.memory_mib,
        devices: devices.collect(),
    }
}
