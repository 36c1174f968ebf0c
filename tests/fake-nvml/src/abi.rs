//! The types of NVML's C interface which the exports need, and how results are handed over.

use std::ffi::{c_char, c_uint, c_ulonglong, c_void};

/// NVML's result of a call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) c_uint);

pub(crate) const SUCCESS: c_uint = 0;

impl Code {
    pub(crate) const UNINITIALIZED: Self = Self(1);
    pub(crate) const INVALID_ARGUMENT: Self = Self(2);
    pub(crate) const NOT_SUPPORTED: Self = Self(3);
    pub(crate) const NOT_FOUND: Self = Self(6);
    pub(crate) const INSUFFICIENT_SIZE: Self = Self(7);
    pub(crate) const DRIVER_NOT_LOADED: Self = Self(9);
    pub(crate) const TIMEOUT: Self = Self(10);
    pub(crate) const GPU_IS_LOST: Self = Self(15);
    pub(crate) const ARGUMENT_VERSION_MISMATCH: Self = Self(25);
    pub(crate) const UNKNOWN: Self = Self(999);
}

/// Says which GPU, or which set of events; never followed.
pub(crate) type Handle = *mut c_void;

#[repr(C)]
pub(crate) struct PciInfo {
    pub(crate) bus_id_legacy: [c_char; 16],
    pub(crate) domain: c_uint,
    pub(crate) bus: c_uint,
    pub(crate) device: c_uint,
    pub(crate) pci_device_id: c_uint,
    pub(crate) pci_subsystem_id: c_uint,
    pub(crate) bus_id: [c_char; 32],
}

#[repr(C)]
pub(crate) struct Utilization {
    pub(crate) gpu: c_uint,
    pub(crate) memory: c_uint,
}

#[repr(C)]
pub(crate) struct Memory {
    pub(crate) total: c_ulonglong,
    pub(crate) free: c_ulonglong,
    pub(crate) used: c_ulonglong,
}

#[repr(C)]
pub(crate) struct MemoryV2 {
    pub(crate) version: c_uint,
    pub(crate) total: c_ulonglong,
    pub(crate) reserved: c_ulonglong,
    pub(crate) free: c_ulonglong,
    pub(crate) used: c_ulonglong,
}

/// A sample whose value is an unsigned integer: the first half of C's union, the rest zero.
#[repr(C)]
pub(crate) struct Sample {
    pub(crate) time_stamp: c_ulonglong,
    pub(crate) value: c_uint,
    pub(crate) rest: c_uint,
}

/// The type of a sample's value: an unsigned integer.
pub(crate) const VALUE_UNSIGNED_INT: c_uint = 1;
/// The samples of how busy a GPU was.
pub(crate) const GPU_UTILIZATION_SAMPLES: c_uint = 1;

/// A process on a GPU: what both `_v2` and `_v3` give.
#[repr(C)]
pub(crate) struct ProcessInfo {
    pub(crate) pid: c_uint,
    pub(crate) used_gpu_memory: c_ulonglong,
    pub(crate) gpu_instance_id: c_uint,
    pub(crate) compute_instance_id: c_uint,
}

#[repr(C)]
pub(crate) struct ProcessUtilization {
    pub(crate) pid: c_uint,
    pub(crate) time_stamp: c_ulonglong,
    pub(crate) sm: c_uint,
    pub(crate) memory: c_uint,
    pub(crate) encoder: c_uint,
    pub(crate) decoder: c_uint,
}

#[repr(C)]
pub(crate) struct EventData {
    device: Handle,
    event_type: c_ulonglong,
    event_data: c_ulonglong,
    gpu_instance_id: c_uint,
    compute_instance_id: c_uint,
}

const _: () = assert!(size_of::<PciInfo>() == 68);
const _: () = assert!(size_of::<MemoryV2>() == 40);
const _: () = assert!(size_of::<Sample>() == 16);
const _: () = assert!(size_of::<ProcessInfo>() == 24);
const _: () = assert!(size_of::<ProcessUtilization>() == 32);
const _: () = assert!(size_of::<EventData>() == 32);

/// Writes a result where the caller wants it.
///
/// # Safety
///
/// `target` is null, or valid for one write of `T`.
pub(crate) unsafe fn put<T>(target: *mut T, value: T) -> Result<(), Code> {
    if target.is_null() {
        return Err(Code::INVALID_ARGUMENT);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { target.write(value) };
    Ok(())
}

/// Writes a list and its length. Where the caller's room is too small only the length is written,
/// so that a call without room asks for it; `grown` of the entries come only after that call.
///
/// # Safety
///
/// `count` is null or a variable, and `target` null or valid for so many writes of `T`.
pub(crate) unsafe fn put_list<T>(
    target: *mut T,
    count: *mut c_uint,
    list: Vec<T>,
    grown: c_uint,
) -> Result<(), Code> {
    let length = c_uint::try_from(list.len()).map_err(|_| Code::UNKNOWN)?;
    if count.is_null() {
        return Err(Code::INVALID_ARGUMENT);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    let room = unsafe { count.replace(length) };
    if room == 0 && grown > 0 {
        let earlier = length.saturating_sub(grown);
        // SAFETY: not null, as above.
        unsafe { count.write(earlier) };
        return if earlier == 0 {
            Ok(())
        } else {
            Err(Code::INSUFFICIENT_SIZE)
        };
    }
    if room < length {
        return Err(Code::INSUFFICIENT_SIZE);
    }
    if target.is_null() && length > 0 {
        return Err(Code::INVALID_ARGUMENT);
    }
    for (place, item) in list.into_iter().enumerate() {
        // SAFETY: within the room that the caller says there is.
        unsafe { target.add(place).write(item) };
    }
    Ok(())
}

/// Writes a text and its NUL, or nothing if the caller's buffer is too short.
///
/// # Safety
///
/// `target` is null, or valid for writes of `length` bytes.
pub(crate) unsafe fn put_text(target: *mut c_char, length: c_uint, text: &str) -> Result<(), Code> {
    if target.is_null() {
        return Err(Code::INVALID_ARGUMENT);
    }
    if text.len() >= length as usize {
        return Err(Code::INSUFFICIENT_SIZE);
    }
    // SAFETY: text and NUL fit into what the caller vouches for.
    unsafe {
        target.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
        target.add(text.len()).write(0);
    }
    Ok(())
}

/// A text in a field of a struct, cut where it does not fit.
pub(crate) fn field<const N: usize>(text: &str) -> [c_char; N] {
    let mut field = [0; N];
    for (place, byte) in field.iter_mut().take(N - 1).zip(text.bytes()) {
        *place = c_char::from_ne_bytes([byte]);
    }
    field
}
