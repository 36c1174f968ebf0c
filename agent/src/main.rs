//! `atoll-agent`: runs on each node, finds its capacity and meters its allocations.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use agent::cli::Cli;
use agent::command::{self, CommandError, Ended};
use clap::Parser as _;
use tracing_subscriber::EnvFilter;

/// Of `sysexits.h`: systemd shows it as "CONFIG".
const BAD_SETTINGS: u8 = 78;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log();
    match command::run(&cli) {
        Ok(Ended::AsWanted) => ExitCode::SUCCESS,
        Ok(Ended::NotAsWanted) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            match error {
                CommandError::Settings(_) => ExitCode::from(BAD_SETTINGS),
                CommandError::Run(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Logs to standard error; the journal has its own time.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let plain = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        plain.without_time().init();
    } else {
        plain.init();
    }
}

/// Says an error with everything that it came from.
fn complain(error: &dyn Error) {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "atoll-agent: {text}");
}
