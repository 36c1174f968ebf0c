//! The driver's own library, through `nvml-wrapper`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use nvml_wrapper::enum_wrappers::device::Sampling;
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use crate::gpu::worker::{Fault, Opens, Speaks};
use crate::gpu::{Found, Inventory};

// Codes that the wrapper does not know by name.
/// `NVML_ERROR_ARGUMENT_VERSION_MISMATCH`.
const ARGUMENT_VERSION_MISMATCH: u32 = 25;
/// `NVML_ERROR_GPU_NOT_FOUND`.
const GPU_NOT_FOUND: u32 = 28;

/// Where the library is.
pub(super) struct Library {
    path: Option<PathBuf>,
}

impl Library {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }
}

impl Opens for Library {
    fn open(&mut self) -> Result<Box<dyn Speaks>, String> {
        let mut builder = Nvml::builder();
        if let Some(path) = &self.path {
            builder.lib_path(path.as_os_str());
        }
        let nvml = builder.init().map_err(|error| match error {
            NvmlError::LibloadingError(error) => {
                format!("the NVIDIA library cannot be loaded: {error}")
            }
            error => format!("the NVIDIA driver cannot be used: {error}"),
        })?;
        if nvml.lib().nvmlShutdown.is_err() {
            // Closing it would end the thread.
            std::mem::forget(nvml);
            return Err("the NVIDIA library is none: it has no nvmlShutdown".to_owned());
        }
        Ok(Box::new(Opened {
            nvml,
            places: RefCell::default(),
        }))
    }
}

/// The library, opened; dropping it closes it.
struct Opened {
    nvml: Nvml,
    /// Where each GPU that was asked for was found.
    places: RefCell<BTreeMap<String, u32>>,
}

impl Opened {
    /// A search by UUID would wake other GPUs, so they are asked for theirs one by one: first
    /// the one that it was the last time.
    fn device(&self, id: &str) -> Result<Device<'_>, Fault> {
        let place = self.places.borrow().get(id).copied();
        if let Some(Ok(device)) = place.map(|place| self.nvml.device_by_index(place))
            && device.uuid().is_ok_and(|uuid| uuid == id)
        {
            return Ok(device);
        }
        let mut fault = None;
        for index in 0..self.nvml.device_count().map_err(fault_of)? {
            let device = self.nvml.device_by_index(index);
            let asked = device.and_then(|device| Ok((device.uuid()?, device)));
            match asked {
                Ok((uuid, device)) if uuid == id => {
                    self.places.borrow_mut().insert(uuid, index);
                    return Ok(device);
                }
                Ok(_) => {}
                Err(error) => fault = Some(fault_of(error)),
            }
        }
        // One that does not even tell its UUID may be the one.
        Err(fault.unwrap_or_else(|| Fault::Lifecycle(format!("there is no GPU {id}"))))
    }
}

impl Speaks for Opened {
    fn inventory(&self) -> Result<Inventory, Fault> {
        let mut inventory = Inventory {
            driver: self.nvml.sys_driver_version().ok(),
            ..Inventory::default()
        };
        let mut problems = Vec::new();
        for index in 0..self.nvml.device_count().map_err(fault_of)? {
            match self.nvml.device_by_index(index).and_then(|gpu| found(&gpu)) {
                Ok(found) => inventory.gpus.push(found),
                Err(error) => problems.push(format!("GPU {index} does not answer: {error}")),
            }
        }
        if !problems.is_empty() {
            inventory.problem = Some(problems.join("; "));
        }
        Ok(inventory)
    }

    fn samples(&self, id: &str, since: u64) -> Result<Vec<(u64, u64)>, Fault> {
        let samples = match self.device(id)?.samples(Sampling::GpuUtilization, since) {
            Ok(samples) => samples,
            // Nothing newer.
            Err(NvmlError::NotFound | NvmlError::NoData) => return Ok(Vec::new()),
            Err(error) => return Err(fault_of(error)),
        };
        let percent = |value| match value {
            SampleValue::U32(value) => Some(u64::from(value)),
            SampleValue::U64(value) => Some(value),
            SampleValue::I64(value) => u64::try_from(value).ok(),
            SampleValue::F64(_) => None,
        };
        let samples = samples.into_iter();
        Ok(samples
            .filter_map(|sample| Some((sample.timestamp, percent(sample.value)?)))
            .collect())
    }

    fn rate(&self, id: &str) -> Result<u64, Fault> {
        let rates = self.device(id)?.utilization_rates().map_err(fault_of)?;
        Ok(u64::from(rates.gpu))
    }
}

fn found(gpu: &Device<'_>) -> Result<Found, NvmlError> {
    Ok(Found {
        id: gpu.uuid()?,
        model: gpu.name()?,
        memory_mib: memory_total(gpu).map_or(0, |bytes| bytes >> 20),
        pci: gpu.pci_info()?.bus_id.to_lowercase(),
    })
}

/// In bytes; drivers before R510 lack the call that the wrapper makes.
fn memory_total(gpu: &Device<'_>) -> Result<u64, NvmlError> {
    match gpu.memory_info() {
        Err(
            NvmlError::FailedToLoadSymbol(_)
            | NvmlError::FunctionNotFound
            | NvmlError::UnexpectedVariant(ARGUMENT_VERSION_MISMATCH),
        ) => nvml_raw::memory_total(gpu),
        memory => Ok(memory?.total),
    }
}

fn fault_of(error: NvmlError) -> Fault {
    match error {
        NvmlError::Uninitialized
        | NvmlError::DriverNotLoaded
        | NvmlError::GpuLost
        | NvmlError::LibRmVersionMismatch
        | NvmlError::UnexpectedVariant(GPU_NOT_FOUND) => Fault::Lifecycle(error.to_string()),
        NvmlError::NotSupported
        | NvmlError::FunctionNotFound
        | NvmlError::FailedToLoadSymbol(_) => Fault::NotSupported,
        error => Fault::Other(error.to_string()),
    }
}
