//! Exports about events, of which none ever comes.

use std::{
    ffi::{c_uint, c_ulonglong},
    thread,
    time::Duration,
};

use crate::{
    abi::{Code, EventData, Handle, put},
    call, world,
};

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlEventSetCreate(set: *mut Handle) -> c_uint {
    call::system("nvmlEventSetCreate", |_| {
        if set.is_null() {
            return Err(Code::INVALID_ARGUMENT);
        }
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe { put(set, world::new_event_set()) }
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlEventSetFree(set: Handle) -> c_uint {
    call::system("nvmlEventSetFree", |_| world::free_event_set(set))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlEventSetWait_v2(set: Handle, data: *mut EventData, timeout_ms: c_uint) -> c_uint {
    call::system("nvmlEventSetWait_v2", |_| {
        world::event_set(set)?;
        if data.is_null() {
            return Err(Code::INVALID_ARGUMENT);
        }
        thread::sleep(Duration::from_millis(timeout_ms.into()));
        Err(Code::TIMEOUT)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceRegisterEvents(device: Handle, _types: c_ulonglong, set: Handle) -> c_uint {
    call::device("nvmlDeviceRegisterEvents", device, |_, _| {
        world::event_set(set)
    })
}

/// No sample is ever given away, so that any is another library's.
#[unsafe(no_mangle)]
extern "C" fn nvmlGpmSampleFree(_sample: Handle) -> c_uint {
    call::bare("nvmlGpmSampleFree", || Err(Code::INVALID_ARGUMENT))
}
