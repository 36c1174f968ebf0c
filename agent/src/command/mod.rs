//! What a person or systemd asks the agent for: one file a subcommand.

pub mod check;
pub mod discover;

use clap::{CommandFactory as _, ValueEnum};

use crate::cli::{Cli, Command};
use crate::print;
use crate::run::{self, RunError};
use crate::settings::{Settings, SettingsError};

/// How a command shows what it has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON value.
    Json,
}

/// How a command has ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All is as it should be.
    AsWanted,
    /// Something is not, and has been told.
    NotAsWanted,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The settings are missing or wrong: starting again will not help.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The daemon could not go on.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Does what was asked for.
///
/// # Errors
/// When the settings are wrong, or something failed.
pub fn run(cli: &Cli) -> Result<Ended, CommandError> {
    match cli.command.as_ref().unwrap_or(&Command::Run) {
        Command::Run => run::run(&Settings::load(&cli.settings)?)?,
        Command::Discover { output } => {
            let capacity = discover::look(&Settings::load(&cli.settings)?);
            print::show(&discover::text(&capacity, *output));
        }
        Command::Check { output, offline } => {
            let settings = Settings::load(&cli.settings);
            if *offline {
                settings?;
                return Ok(Ended::AsWanted);
            }
            let findings = check::look(settings.as_ref());
            print::show(&check::text(&findings, *output));
            return match settings {
                Err(error) => Err(error.into()),
                Ok(_) if check::passed(&findings) => Ok(Ended::AsWanted),
                Ok(_) => Ok(Ended::NotAsWanted),
            };
        }
        Command::Completion { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "atoll-agent", &mut text);
            print::show(&String::from_utf8_lossy(&text));
        }
    }
    Ok(Ended::AsWanted)
}
