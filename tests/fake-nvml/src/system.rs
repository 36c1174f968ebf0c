//! Exports about the library and the machine.

use std::ffi::{CStr, c_char, c_int, c_uint};

use crate::{
    abi::{put, put_text},
    call, world,
};

/// The version of NVML, which the driver's begins with on real machines too.
const NVML_BRANCH: &str = "12";

#[unsafe(no_mangle)]
extern "C" fn nvmlInit_v2() -> c_uint {
    call::bare("nvmlInit_v2", world::open)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> c_uint {
    call::bare("nvmlInitWithFlags", world::open)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlShutdown() -> c_uint {
    call::bare("nvmlShutdown", world::close)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlErrorString(result: c_uint) -> *const c_char {
    text(result).as_ptr()
}

fn text(result: c_uint) -> &'static CStr {
    match result {
        0 => c"Success",
        1 => c"Uninitialized",
        2 => c"Invalid Argument",
        3 => c"Not Supported",
        4 => c"Insufficient Permissions",
        6 => c"Not Found",
        7 => c"Insufficient Size",
        9 => c"Driver Not Loaded",
        10 => c"Timeout",
        12 => c"NVML Shared Library Not Found",
        13 => c"Function Not Found",
        15 => c"GPU is lost",
        16 => c"GPU requires reset",
        17 => c"Operating System Error",
        18 => c"Driver/library version mismatch",
        21 => c"No Data",
        25 => c"Argument Version Mismatch",
        28 => c"GPU Not Found",
        999 => world::complaint(),
        _ => c"A code that this library has no words for",
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetDriverVersion(version: *mut c_char, length: c_uint) -> c_uint {
    call::system("nvmlSystemGetDriverVersion", |moment| {
        // SAFETY: the caller's buffer, as NVML's interface says.
        unsafe { put_text(version, length, &moment.scenario.driver_version) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetNVMLVersion(version: *mut c_char, length: c_uint) -> c_uint {
    call::system("nvmlSystemGetNVMLVersion", |moment| {
        let text = format!("{NVML_BRANCH}.{}", moment.scenario.driver_version);
        // SAFETY: the caller's buffer, as NVML's interface says.
        unsafe { put_text(version, length, &text) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) -> c_uint {
    call::system("nvmlSystemGetCudaDriverVersion_v2", |moment| {
        // SAFETY: the caller's variable, as NVML's interface says.
        unsafe { put(version, moment.scenario.cuda_version) }
    })
}
