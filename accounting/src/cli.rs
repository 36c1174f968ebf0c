//! The flags of `atoll-accounting`, and nothing else.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::command::explain::ExplainArgs;
use crate::command::publish::PublishArgs;
use crate::command::report::ReportArgs;
use crate::settings::DEFAULT_PATH;

/// Collects usage records from the nodes and reports them to EGI accounting and to people.
///
/// Exit status: 0 done, or stopped when asked to; 1 a fault, or something is not
/// as it must be; 78 the settings are wrong.
#[derive(Debug, Parser)]
#[command(name = "atoll-accounting", version, max_term_width = 100)]
pub struct Cli {
    /// The settings file.
    #[arg(long, global = true, default_value = DEFAULT_PATH, value_name = "FILE")]
    pub settings: PathBuf,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `atoll-accounting` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive the nodes' deliveries, until asked to stop.
    Serve,
    /// Check settings, certificates and ledger. Writes nothing.
    Check {
        /// Only read the settings.
        #[arg(long)]
        offline: bool,
    },
    /// Put what is new or has changed into the queue for EGI accounting.
    Publish(PublishArgs),
    /// Show what was held and used, in sums.
    Report(ReportArgs),
    /// Show where each number of a published record is from.
    Explain(ExplainArgs),
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}
