//! `atoll`: turns an inventory into running Nomad, Consul, Docker and Traefik.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;
use provisioner::cli::Cli;
use provisioner::command::{self, Ended};
use provisioner::progress;

fn main() -> ExitCode {
    match command::run(Cli::parse()) {
        Ok(_) if !progress::all_was_shown() => ExitCode::from(2),
        Ok(Ended::AsWanted) => ExitCode::SUCCESS,
        Ok(Ended::NotAsWanted) => ExitCode::from(1),
        Err(error) => {
            progress::complain(&format!("atoll: {}", whole(&*error)));
            ExitCode::from(2)
        }
    }
}

/// An error with all that led to it; what an outer one has said already is not said again.
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}
