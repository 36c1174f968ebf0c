//! `explain`: where each number of a record is from.

use jiff::Timestamp;

use super::report::Output;
use super::{Ended, Error, show};
use crate::explain::{self, Which};
use crate::ledger::Ledger;
use crate::print;
use crate::records::{Records, Tables, believed};
use crate::settings::Settings;

/// The flags of `explain`.
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainArgs {
    /// An allocation's ID; with a month, and a GPU model, only that record.
    #[arg(value_name = "ALLOCATION[/YYYY-MM[/MODEL]]")]
    pub which: Which,
    /// How it is shown.
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub output: Output,
}

/// Shows each field of the records as they are published now, with where it is from.
///
/// # Errors
/// When the ledger cannot be read.
pub fn run(
    args: &ExplainArgs,
    settings: &Settings,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<Ended, Error> {
    let usages = ledger.allocation(&args.which.allocation)?;
    let Some(usage) = believed(&usages) else {
        print::complain(&format!(
            "allocation `{}` is not in the ledger: give the whole ID, as Nomad says it",
            args.which.allocation
        ));
        return Ok(Ended::NotAsWanted);
    };
    let tables = Tables::new(&settings.sites, &settings.vos);
    let records = Records::of(&usages, &tables, now);
    let explained = explain::of(usage, &records, &args.which);
    show(&match args.output {
        Output::Table => explain::text(&explained),
        Output::Json => explain::json(&explained),
    })?;
    Ok(if explained.records.is_empty() {
        Ended::NotAsWanted
    } else {
        Ended::AsWanted
    })
}
