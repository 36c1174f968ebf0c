//! The built library, loaded as programs load the driver's.

mod drivers;
mod library;
mod machine;
mod metering;
mod processes;
