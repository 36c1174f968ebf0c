//! The flags of `atoll-agent`, and nothing else.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::command::Output;
use crate::settings::PATH;

/// Finds the GPUs and the rest of a node, registers its capacity and meters every allocation.
///
/// Exit status: 0 done, or stopped when asked to; 1 a fault, or something is not as it must be;
/// 78 the settings are wrong.
#[derive(Debug, Parser)]
#[command(name = "atoll-agent", version, max_term_width = 100)]
pub struct Cli {
    /// The settings file.
    #[arg(long, global = true, value_name = "FILE", default_value = PATH)]
    pub settings: PathBuf,

    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What `atoll-agent` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Meter, register and deliver, until SIGTERM. This is what the unit does.
    Run,
    /// Show what the node has: cores, memory, GPUs, and where Nomad, the driver and the PCI bus disagree.
    Discover {
        /// How it is shown.
        #[arg(long, value_enum, default_value = "human", value_name = "FORMAT")]
        output: Output,
    },
    /// Check everything that the agent needs, each in a line.
    ///
    /// As root, while the service runs: its tokens and keys are given to it by systemd.
    Check {
        /// How it is shown.
        #[arg(long, value_enum, default_value = "human", value_name = "FORMAT")]
        output: Output,
        /// Only read the settings.
        #[arg(long)]
        offline: bool,
    },
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}
