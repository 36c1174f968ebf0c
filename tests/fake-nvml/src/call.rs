//! What every call goes through: it is refused, delayed or held as the scenario's faults say,
//! and no panic leaves it.

use std::{
    ffi::c_uint,
    fs::OpenOptions,
    io::Write as _,
    panic::{self, AssertUnwindSafe},
    sync::Once,
    thread,
    time::Duration,
};

use crate::{
    abi::{Code, Handle, SUCCESS},
    scenario::Gpu,
    world::{self, Moment},
};

/// How often a call that hangs looks whether it still has to.
const LOOK: Duration = Duration::from_millis(5);

/// A call that needs no library that is alive, and no GPU.
pub(crate) fn bare(function: &str, body: impl FnOnce() -> Result<(), Code>) -> c_uint {
    guarded(function, |_| {
        suffer(function, None)?;
        body()
    })
}

/// A call about the machine.
pub(crate) fn system(function: &str, body: impl FnOnce(&Moment) -> Result<(), Code>) -> c_uint {
    guarded(function, |_| {
        world::is_open()?;
        suffer(function, None)?;
        body(&world::moment()?)
    })
}

/// A call about a GPU, by its handle.
pub(crate) fn device(
    function: &str,
    handle: Handle,
    body: impl FnOnce(&Moment, &Gpu) -> Result<(), Code>,
) -> c_uint {
    guarded(function, |about| {
        world::is_open()?;
        let uuid = about.insert(world::uuid(handle)?);
        suffer(function, Some(uuid))?;
        let moment = world::moment()?;
        body(&moment, moment.gpu(uuid)?)
    })
}

/// A call for a GPU's handle; `which` finds it in the scenario.
pub(crate) fn lookup(
    function: &str,
    which: impl FnOnce(&Moment) -> Result<String, Code>,
    give: impl FnOnce(Handle) -> Result<(), Code>,
) -> c_uint {
    guarded(function, |about| {
        world::is_open()?;
        let uuid = about.insert(which(&world::moment()?)?);
        suffer(function, Some(uuid))?;
        give(world::handle(uuid))
    })
}

/// Bears the faults that strike a call. Nothing is locked while it waits.
fn suffer(function: &str, gpu: Option<&str>) -> Result<(), Code> {
    let (mut code, delay_us) = loop {
        // Without a scenario nothing is injected; the call itself says that there is none.
        let Ok(moment) = world::moment() else {
            return Ok(());
        };
        let scenario = &moment.scenario;
        let faults: Vec<_> = scenario.striking(function, gpu, moment.now_us).collect();
        assert!(
            !faults.iter().any(|fault| fault.panic),
            "the scenario says so"
        );
        if !faults.iter().any(|fault| fault.hang) {
            break (
                faults.iter().find_map(|fault| fault.code),
                faults.iter().filter_map(|fault| fault.delay_us).max(),
            );
        }
        thread::sleep(LOOK);
    };
    if let Some(delay_us) = delay_us {
        thread::sleep(Duration::from_micros(delay_us));
    }
    // NVML's own word for success is no fault.
    code = code.filter(|code| *code != SUCCESS);
    code.map_or(Ok(()), |code| Err(Code(code)))
}

/// C must never see a panic, nor anybody its message. The body may say which GPU it is about.
fn guarded(function: &str, body: impl FnOnce(&mut Option<String>) -> Result<(), Code>) -> c_uint {
    static QUIET: Once = Once::new();
    // This library has a standard library of its own: nobody else's hook is replaced.
    QUIET.call_once(|| panic::set_hook(Box::new(|_| ())));
    let mut about = None;
    let result = match panic::catch_unwind(AssertUnwindSafe(|| body(&mut about))) {
        Ok(Ok(())) => SUCCESS,
        Ok(Err(code)) => code.0,
        Err(_) => Code::UNKNOWN.0,
    };
    // Who traces wants to know of calls that came back; one that hangs has not yet.
    let _ = panic::catch_unwind(AssertUnwindSafe(|| {
        trace(function, about.as_deref(), result);
    }));
    result
}

/// Leaves a line where the scenario says: the time, the function, the GPU or `-`, the result.
fn trace(function: &str, gpu: Option<&str>, result: c_uint) {
    let Ok(moment) = world::moment() else {
        return;
    };
    let Some(path) = &moment.scenario.trace else {
        return;
    };
    let line = format!(
        "{} {function} {} {result}\n",
        moment.now_us,
        gpu.unwrap_or("-")
    );
    let file = OpenOptions::new().append(true).create(true).open(path);
    // One write a line, so that lines of several threads do not mix.
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
}
