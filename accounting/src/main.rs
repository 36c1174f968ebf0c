//! `atoll-accounting`: collects the nodes' usage records and reports them.

use clap::Parser;

/// Collects usage records from the nodes and reports them to EGI accounting and to people.
#[derive(Debug, Parser)]
#[command(name = "atoll-accounting", version)]
struct Arguments {}

fn main() {
    let Arguments {} = Arguments::parse();
}
