//! Exports about GPUs.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong};

use crate::{
    abi::{
        self, Code, GPU_UTILIZATION_SAMPLES, Handle, Memory, MemoryV2, PciInfo, Utilization,
        VALUE_UNSIGNED_INT, put, put_text,
    },
    call, gpu,
    world::Moment,
};

/// The version word of the second form of a GPU's memory.
const MEMORY_V2: usize = size_of::<MemoryV2>() | 2 << 24;
/// An A100, to whoever asks the PCI bus.
const PCI_DEVICE_ID: c_uint = 0x20B0_10DE;

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> c_uint {
    call::system("nvmlDeviceGetCount_v2", |moment| {
        let there = c_uint::try_from(moment.scenario.gpus.len()).map_err(|_| Code::UNKNOWN)?;
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe { put(count, there) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, device: *mut Handle) -> c_uint {
    let which = |moment: &Moment| {
        let gpu = moment
            .scenario
            .gpus
            .get(index as usize)
            .ok_or(Code::INVALID_ARGUMENT)?;
        Ok(gpu.uuid.clone())
    };
    // SAFETY: the caller's variable, as NVML's interface says.
    call::lookup("nvmlDeviceGetHandleByIndex_v2", which, |handle| unsafe {
        put(device, handle)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByUUID(uuid: *const c_char, device: *mut Handle) -> c_uint {
    let which = |moment: &Moment| {
        if uuid.is_null() {
            return Err(Code::INVALID_ARGUMENT);
        }
        // SAFETY: not null, and text with a NUL, as NVML's interface says.
        let wanted = unsafe { CStr::from_ptr(uuid) }.to_bytes();
        let gpu = moment
            .scenario
            .gpus
            .iter()
            .find(|gpu| gpu.uuid.as_bytes() == wanted);
        Ok(gpu.ok_or(Code::NOT_FOUND)?.uuid.clone())
    };
    // SAFETY: the caller's variable, as NVML's interface says.
    call::lookup("nvmlDeviceGetHandleByUUID", which, |handle| unsafe {
        put(device, handle)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetIndex(device: Handle, index: *mut c_uint) -> c_uint {
    call::device("nvmlDeviceGetIndex", device, |moment, gpu| {
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe { put(index, place(moment, &gpu.uuid)) }
    })
}

/// The number in `/dev/nvidia<number>`: the same as the index.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetMinorNumber(device: Handle, minor: *mut c_uint) -> c_uint {
    call::device("nvmlDeviceGetMinorNumber", device, |moment, gpu| {
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe { put(minor, place(moment, &gpu.uuid)) }
    })
}

fn place(moment: &Moment, uuid: &str) -> c_uint {
    let mut indices = 0..;
    let found = moment
        .scenario
        .gpus
        .iter()
        .zip(&mut indices)
        .find(|(gpu, _)| gpu.uuid == uuid);
    found.map_or(c_uint::MAX, |(_, index)| index)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetName(
    device: Handle,
    name: *mut c_char,
    length: c_uint,
) -> c_uint {
    call::device("nvmlDeviceGetName", device, |_, gpu| {
        // SAFETY: the caller's buffer, as NVML's interface says.
        unsafe { put_text(name, length, &gpu.name) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetUUID(
    device: Handle,
    uuid: *mut c_char,
    length: c_uint,
) -> c_uint {
    call::device("nvmlDeviceGetUUID", device, |_, gpu| {
        // SAFETY: the caller's buffer, as NVML's interface says.
        unsafe { put_text(uuid, length, &gpu.uuid) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetPciInfo_v3(device: Handle, info: *mut PciInfo) -> c_uint {
    call::device("nvmlDeviceGetPciInfo_v3", device, |_, gpu| {
        let pci = gpu.pci;
        let found = PciInfo {
            bus_id_legacy: abi::field(&format!(
                "{:04X}:{:02X}:{:02X}.0",
                pci.domain & 0xffff,
                pci.bus,
                pci.device
            )),
            domain: pci.domain,
            bus: pci.bus.into(),
            device: pci.device.into(),
            pci_device_id: PCI_DEVICE_ID,
            pci_subsystem_id: 0,
            bus_id: abi::field(&format!(
                "{:08X}:{:02X}:{:02X}.0",
                pci.domain, pci.bus, pci.device
            )),
        };
        // SAFETY: the caller's struct, as NVML's interface says.
        unsafe { put(info, found) }
    })
}

/// The first form: what is reserved counts as used.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetMemoryInfo(device: Handle, memory: *mut Memory) -> c_uint {
    call::device("nvmlDeviceGetMemoryInfo", device, |_, gpu| {
        let (total, used) = (
            gpu.memory_mib,
            gpu.memory_reserved_mib + gpu.memory_used_mib,
        );
        let found = Memory {
            total: total << 20,
            free: (total - used) << 20,
            used: used << 20,
        };
        // SAFETY: the caller's struct, as NVML's interface says.
        unsafe { put(memory, found) }
    })
}

/// The second form: what is reserved stands beside what is used.
#[cfg_attr(not(feature = "r470"), unsafe(no_mangle))]
#[cfg_attr(
    feature = "r470",
    expect(dead_code, non_snake_case, reason = "drivers before R510 lack it")
)]
unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(device: Handle, memory: *mut MemoryV2) -> c_uint {
    call::device("nvmlDeviceGetMemoryInfo_v2", device, |_, gpu| {
        if memory.is_null() {
            return Err(Code::INVALID_ARGUMENT);
        }
        // SAFETY: not null, and the caller's struct with its version set.
        let version = unsafe { (&raw const (*memory).version).read() };
        if version as usize != MEMORY_V2 {
            return Err(Code::ARGUMENT_VERSION_MISMATCH);
        }
        let (reserved, used) = (gpu.memory_reserved_mib, gpu.memory_used_mib);
        let found = MemoryV2 {
            version,
            total: gpu.memory_mib << 20,
            reserved: reserved << 20,
            free: (gpu.memory_mib - reserved - used) << 20,
            used: used << 20,
        };
        // SAFETY: the caller's struct, as NVML's interface says.
        unsafe { put(memory, found) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetUtilizationRates(
    device: Handle,
    rates: *mut Utilization,
) -> c_uint {
    call::device("nvmlDeviceGetUtilizationRates", device, |moment, gpu| {
        let percent = gpu::utilisation_percent(&moment.scenario, gpu, moment.now_us);
        // SAFETY: the caller's struct, as NVML's interface says.
        unsafe {
            put(
                rates,
                Utilization {
                    gpu: percent,
                    memory: 0,
                },
            )
        }
    })
}

/// Without a buffer: how many there are. With one: the oldest that fit, so that none is lost
/// between a call for their number and a call for them.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetSamples(
    device: Handle,
    kind: c_uint,
    last_seen: c_ulonglong,
    value_type: *mut c_uint,
    count: *mut c_uint,
    samples: *mut abi::Sample,
) -> c_uint {
    call::device("nvmlDeviceGetSamples", device, |moment, gpu| {
        if kind != GPU_UTILIZATION_SAMPLES {
            return Err(Code::NOT_SUPPORTED);
        }
        if count.is_null() {
            return Err(Code::INVALID_ARGUMENT);
        }
        let found = gpu::samples(&moment.scenario, gpu, last_seen, moment.now_us);
        let asked = samples.is_null().then_some(moment);
        let grown = asked.map_or(0, |moment| moment.grown("nvmlDeviceGetSamples", gpu));
        if found.len() <= grown as usize {
            return Err(Code::NOT_FOUND);
        }
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe { put(value_type, VALUE_UNSIGNED_INT) }?;
        let given = if samples.is_null() {
            found.len() - grown as usize
        } else {
            // SAFETY: not null, and the caller's variable.
            let room = unsafe { count.read() };
            if room == 0 {
                return Err(Code::INSUFFICIENT_SIZE);
            }
            for (place, sample) in found.iter().take(room as usize).enumerate() {
                let sample = abi::Sample {
                    time_stamp: sample.at_us,
                    value: sample.percent,
                    rest: 0,
                };
                // SAFETY: within the room that the caller says there is.
                unsafe { samples.add(place).write(sample) };
            }
            found.len().min(room as usize)
        };
        let given = c_uint::try_from(given).map_err(|_| Code::UNKNOWN)?;
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe { put(count, given) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetPowerUsage(device: Handle, power_mw: *mut c_uint) -> c_uint {
    call::device("nvmlDeviceGetPowerUsage", device, |moment, gpu| {
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe {
            put(
                power_mw,
                gpu::power_mw(&moment.scenario, gpu, moment.now_us),
            )
        }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetTotalEnergyConsumption(
    device: Handle,
    energy_mj: *mut c_ulonglong,
) -> c_uint {
    call::device(
        "nvmlDeviceGetTotalEnergyConsumption",
        device,
        |moment, gpu| {
            // SAFETY: the caller's variable, as NVML's interface says.
            unsafe {
                put(
                    energy_mj,
                    gpu::energy_mj(&moment.scenario, gpu, moment.now_us),
                )
            }
        },
    )
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetTemperature(
    device: Handle,
    sensor: c_uint,
    degrees_c: *mut c_uint,
) -> c_uint {
    call::device("nvmlDeviceGetTemperature", device, |_, gpu| {
        if sensor != 0 {
            return Err(Code::INVALID_ARGUMENT);
        }
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe { put(degrees_c, gpu.temperature_c) }
    })
}

/// No GPU of a scenario can be parted.
#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetMigMode(
    device: Handle,
    _current: *mut c_uint,
    _pending: *mut c_uint,
) -> c_uint {
    call::device("nvmlDeviceGetMigMode", device, |_, _| {
        Err(Code::NOT_SUPPORTED)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetPersistenceMode(device: Handle, mode: *mut c_uint) -> c_uint {
    call::device("nvmlDeviceGetPersistenceMode", device, |_, _| {
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe { put(mode, 1) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetCudaComputeCapability(
    device: Handle,
    major: *mut c_int,
    minor: *mut c_int,
) -> c_uint {
    call::device("nvmlDeviceGetCudaComputeCapability", device, |_, gpu| {
        // SAFETY: the caller's variables, as NVML's interface says.
        unsafe {
            put(major, gpu.compute_capability.0)?;
            put(minor, gpu.compute_capability.1)
        }
    })
}
