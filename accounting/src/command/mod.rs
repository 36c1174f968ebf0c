//! One subcommand each: strings the rooms together, and decides nothing else.

mod check;
pub mod explain;
pub mod publish;
pub mod report;
mod serve;

use clap::CommandFactory as _;

use crate::cli::{Cli, Command};
use crate::ledger::Ledger;
use crate::ledger::LedgerError;
use crate::print;
use crate::queue::QueueError;
use crate::settings::{Settings, SettingsError};
use crate::tls::TlsError;

/// How a command ended, when it could start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All is as wanted.
    AsWanted,
    /// Something is not.
    NotAsWanted,
}

/// Why a command could not do its work; shown once, by `main`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are wrong: starting again will not help.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Not all could be published.
    #[error(transparent)]
    Publish(#[from] publish::PublishError),
    /// The queue cannot be used.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The system refused something.
    #[error("cannot {doing}")]
    System {
        /// What was being done.
        doing: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Runs what the flags ask for.
///
/// # Errors
/// When it could not start, or not go on.
pub fn run(cli: &Cli) -> Result<Ended, Error> {
    let settings = || Settings::load(&cli.settings);
    let now = jiff::Timestamp::now();
    match &cli.command {
        Command::Serve => serve::run(settings()?),
        Command::Check { offline: true } => settings().map(|_| Ended::AsWanted).map_err(Into::into),
        Command::Check { offline: false } => check::run(&settings()?),
        Command::Publish(args) => {
            let settings = settings()?;
            let mut ledger = Ledger::open(&settings.ledger)?;
            Ok(publish::run(args, &settings, &mut ledger, now)?)
        }
        Command::Report(args) => {
            let settings = settings()?;
            let ledger = Ledger::open_read_only(&settings.ledger)?;
            Ok(report::run(args, &settings, &ledger)?)
        }
        Command::Explain(args) => {
            let settings = settings()?;
            let ledger = Ledger::open_read_only(&settings.ledger)?;
            Ok(explain::run(args, &settings, &ledger, now)?)
        }
        Command::Completion { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "atoll-accounting", &mut text);
            show(&String::from_utf8_lossy(&text))?;
            Ok(Ended::AsWanted)
        }
    }
}

/// Names what was being done when the system refused.
fn while_doing(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::System {
        doing: doing.into(),
        source,
    }
}

/// Prints a result.
fn show(text: &str) -> Result<(), Error> {
    print::show(text).map_err(while_doing("print the result"))
}
