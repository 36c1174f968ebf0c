//! Calls of the driver's library for which `nvml-wrapper` has no word, with nothing unsafe to be seen.

use nvml_wrapper::Device;
use nvml_wrapper::error::{NvmlError, nvml_sym, nvml_try};

/// The memory of a GPU in bytes, by the first form of the call, which every driver knows.
///
/// Both forms give the same total; they differ in what they count as used.
///
/// # Errors
/// The driver's own, or that it lacks even this call.
pub fn memory_total(gpu: &Device<'_>) -> Result<u64, NvmlError> {
    let call = nvml_sym(gpu.nvml().lib().nvmlDeviceGetMemoryInfo.as_ref())?;
    // SAFETY: the struct is of plain integers, for which zero is a value, and of the type that the
    // binding gives the call; the handle is of this library, which stays open as long as it is borrowed.
    let memory = unsafe {
        let mut memory = std::mem::zeroed();
        nvml_try(call(gpu.handle(), &raw mut memory))?;
        memory
    };
    Ok(memory.total)
}
