//! One subcommand each: strings stages together, and decides nothing else.

mod apply;
mod artifacts;
mod certs;
mod check;
mod export;
mod import;
mod init;
mod interrupt;
mod place;
mod plan;
mod prepared;
mod render;
mod schema;
mod secrets;
mod shell;
mod verify;

use clap::CommandFactory as _;

use crate::cli::{Cli, Command};
use crate::progress::{listener, show};

/// How a command ended, when it could start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All is as wanted.
    AsWanted,
    /// Something is not.
    NotAsWanted,
}

/// Why a command could not start; shown once, by `main`.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs what the flags ask for.
///
/// # Errors
/// When it could not start.
pub fn run(cli: Cli) -> Result<Ended, Error> {
    let listener = listener(cli.output, cli.quiet);
    match cli.command {
        Command::Init(init) => init::run(&init, cli.output),
        Command::Schema { document } => Ok(schema::run(document)),
        Command::Check { inventory } => check::run(&inventory, cli.output),
        Command::Render {
            inventory,
            out,
            on,
            with_secrets,
            identity,
        } => {
            let identity = identity.filter(|_| with_secrets);
            render::run(
                &inventory,
                &out,
                on.hosts.as_ref(),
                identity.as_deref(),
                cli.output,
            )
        }
        Command::Plan { target, script } => plan::run(&target, script, listener.as_ref()),
        Command::Apply {
            target,
            artifacts,
            yes,
        } => apply::run(&target, artifacts.as_deref(), yes, listener.as_ref()),
        Command::Verify { target, keep } => verify::run(&target, keep, listener.as_ref()),
        Command::Artifacts(what) => artifacts::run(&what, cli.output),
        Command::Certs(what) => certs::run(&what),
        Command::Secrets(what) => secrets::run(&what, cli.output),
        Command::Import(what) => import::run(what, cli.output),
        Command::Export(what) => export::run(&what, cli.output),
        Command::Completion { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "atoll", &mut text);
            show(&String::from_utf8_lossy(&text));
            Ok(Ended::AsWanted)
        }
    }
}
