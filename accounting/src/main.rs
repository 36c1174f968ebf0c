//! `atoll-accounting`: keeps the nodes' usage records, and reports them to EGI accounting and to people.

use std::io::Write as _;
use std::process::ExitCode;

use accounting::cli::Cli;
use accounting::command::{self, Ended, Error};
use clap::Parser as _;

/// `EX_CONFIG` of sysexits.h, which systemd is told not to restart after.
const BAD_SETTINGS: u8 = 78;

fn main() -> ExitCode {
    match command::run(&Cli::parse()) {
        Ok(Ended::AsWanted) => ExitCode::SUCCESS,
        Ok(Ended::NotAsWanted) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            match error {
                Error::Settings(_) => ExitCode::from(BAD_SETTINGS),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// An error with all that led to it, in one line each.
fn complain(error: &dyn std::error::Error) {
    let mut err = std::io::stderr().lock();
    // Where stderr is closed nobody can be told.
    let _ = writeln!(err, "atoll-accounting: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = writeln!(err, "  because: {cause}");
        source = cause.source();
    }
}
