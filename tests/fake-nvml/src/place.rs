//! Where the scenario lies: the first of these that is set or there.
//!
//! 1. the environment variable `FAKE_NVML_SCENARIO`, as it was when the library was first used;
//! 2. `libnvidia-ml.scenario.json` in the folder of the library itself: each copy of the library
//!    then has a scenario of its own, and a test needs no environment and no child process;
//! 3. `/etc/fake-nvml/scenario.json`, so that no unit of systemd needs to know of a lab.

use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr,
    sync::OnceLock,
};

const VARIABLE: &str = "FAKE_NVML_SCENARIO";
const BESIDE: &str = "libnvidia-ml.scenario.json";
const DEFAULT: &str = "/etc/fake-nvml/scenario.json";

/// The scenario's path. Whether a file lies beside the library is asked each time.
pub(crate) fn scenario() -> &'static Path {
    static NAMED: OnceLock<Option<PathBuf>> = OnceLock::new();
    static NEIGHBOUR: OnceLock<Option<PathBuf>> = OnceLock::new();
    let named = NAMED.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    if let Some(path) = named {
        return path;
    }
    let neighbour = NEIGHBOUR.get_or_init(|| Some(library()?.parent()?.join(BESIDE)));
    match neighbour {
        Some(path) if path.exists() => path,
        _ => Path::new(DEFAULT),
    }
}

/// What the dynamic linker says of an address.
#[repr(C)]
struct Found {
    file: *const c_char,
    base: *mut c_void,
    symbol: *const c_char,
    address: *mut c_void,
}

unsafe extern "C" {
    fn dladdr(address: *const c_void, found: *mut Found) -> c_int;
}

/// A byte of this library: its address is asked for, never its value.
static HERE: u8 = 0;

/// The path under which this library was opened.
fn library() -> Option<PathBuf> {
    let mut found = Found {
        file: ptr::null(),
        base: ptr::null_mut(),
        symbol: ptr::null(),
        address: ptr::null_mut(),
    };
    let here = &raw const HERE;
    // SAFETY: any address may be asked for, and `found` is there to be written.
    let known = unsafe { dladdr(here.cast(), &raw mut found) };
    if known == 0 || found.file.is_null() {
        return None;
    }
    // SAFETY: the linker's own text, which lives as long as the library is open.
    let file = unsafe { CStr::from_ptr(found.file) };
    Some(PathBuf::from(OsStr::from_bytes(file.to_bytes())))
}
