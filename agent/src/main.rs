//! `atoll-agent`: runs on each node, finds its capacity and meters its allocations.

use clap::Parser;

/// Finds the GPUs and the rest of a node, registers its capacity and meters every allocation.
#[derive(Debug, Parser)]
#[command(name = "atoll-agent", version)]
struct Arguments {}

fn main() {
    let Arguments {} = Arguments::parse();
}
