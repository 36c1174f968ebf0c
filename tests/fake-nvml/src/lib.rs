//! A `libnvidia-ml.so.1` that plays a scenario, for tests of programs that read GPUs.
//!
//! Built as a cdylib and loaded by NVIDIA's bindings in place of the driver's library. What it
//! answers follows from a file of JSON and a clock alone: see `README.md` beside this crate.
//! The rooms: `scenario` and `process` (the file), `timeline` (busy time and its integrals),
//! `gpu` (what a GPU would say at a moment), `world` (file, clock, handles, count of
//! initialisations), `call` (what each call goes through), `abi` (C's types), `system`, `device`,
//! `running` and `event` (exports).

mod abi;
mod call;
mod device;
mod event;
mod gpu;
mod place;
mod process;
mod running;
mod scenario;
mod system;
mod timeline;
mod world;
