//! `atoll`: turns an inventory into running Nomad, Consul, Docker and Traefik.

use std::process::ExitCode;

use clap::Parser as _;
use provisioner::cli::Cli;
use provisioner::command::{self, Ended};
use provisioner::progress;

fn main() -> ExitCode {
    match command::run(Cli::parse()) {
        Ok(Ended::AsWanted) => ExitCode::SUCCESS,
        Ok(Ended::NotAsWanted) => ExitCode::from(1),
        Err(error) => {
            progress::complain(&format!("atoll: {error}"));
            ExitCode::from(2)
        }
    }
}
