//! Exports about the processes on a GPU.

use std::ffi::{c_uint, c_ulonglong};

use crate::{
    abi::{Code, Handle, ProcessInfo, ProcessUtilization, put_list},
    call, gpu,
};

/// The instance of a GPU that is not parted.
const NO_INSTANCE: c_uint = c_uint::MAX;
/// The memory of a process of which the driver does not tell it: every bit is one.
const NOT_AVAILABLE: c_ulonglong = c_ulonglong::MAX;

#[cfg_attr(not(feature = "r470"), unsafe(no_mangle))]
#[cfg_attr(
    feature = "r470",
    expect(dead_code, non_snake_case, reason = "drivers before R510 lack it")
)]
unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    device: Handle,
    count: *mut c_uint,
    processes: *mut ProcessInfo,
) -> c_uint {
    let function = "nvmlDeviceGetComputeRunningProcesses_v3";
    // SAFETY: the caller's variables, as NVML's interface says.
    unsafe { running(function, device, count, processes) }
}

/// The same struct under the name that drivers before R510 have.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v2(
    device: Handle,
    count: *mut c_uint,
    processes: *mut ProcessInfo,
) -> c_uint {
    let function = "nvmlDeviceGetComputeRunningProcesses_v2";
    // SAFETY: the caller's variables, as NVML's interface says.
    unsafe { running(function, device, count, processes) }
}

/// # Safety
///
/// As for `put_list`.
unsafe fn running(
    function: &str,
    device: Handle,
    count: *mut c_uint,
    processes: *mut ProcessInfo,
) -> c_uint {
    call::device(function, device, |moment, gpu| {
        let found: Vec<_> = gpu::running(&moment.scenario, gpu, moment.now_us)
            .map(|process| ProcessInfo {
                pid: process.pid,
                used_gpu_memory: process.memory_mib.map_or(NOT_AVAILABLE, |mib| mib << 20),
                gpu_instance_id: NO_INSTANCE,
                compute_instance_id: NO_INSTANCE,
            })
            .collect();
        // SAFETY: the caller's variables, as NVML's interface says.
        unsafe { put_list(processes, count, found, moment.grown(function, gpu)) }
    })
}

/// One sample of each process that was busy, even if it is gone by now.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetProcessUtilization(
    device: Handle,
    samples: *mut ProcessUtilization,
    count: *mut c_uint,
    last_seen: c_ulonglong,
) -> c_uint {
    let function = "nvmlDeviceGetProcessUtilization";
    call::device(function, device, |moment, gpu| {
        let found: Vec<_> = gpu::process_percents(&moment.scenario, gpu, last_seen, moment.now_us)
            .into_iter()
            .map(|(pid, percent)| ProcessUtilization {
                pid,
                time_stamp: moment.now_us.unsigned_abs(),
                sm: percent,
                memory: 0,
                encoder: 0,
                decoder: 0,
            })
            .collect();
        let grown = moment.grown(function, gpu);
        // SAFETY: a variable or null, as NVML's interface says.
        let asked = unsafe { count.as_ref() }.is_some_and(|room| *room == 0);
        if found.is_empty() || (asked && found.len() <= grown as usize) {
            return Err(Code::NOT_FOUND);
        }
        // SAFETY: the caller's variables, as NVML's interface says.
        unsafe { put_list(samples, count, found, grown) }
    })
}
