//! `report`: what was held and used, in sums.

use super::{Ended, Error, show};
use crate::ledger::{Ledger, LedgerError, Usage};
use crate::records::{Life, Month, Tables, Together, believed};
use crate::report::{By, Report, json, table};
use crate::settings::Settings;

/// The flags of `report`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReportArgs {
    /// Only this month, in UTC.
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Option<Month>,
    /// What the rows are for, in this order: any of vo, user, model, month, site.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "vo,month",
        value_name = "WHAT"
    )]
    pub by: Vec<By>,
    /// How it is shown.
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub output: Output,
}

/// How a result is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people: hours.
    Table,
    /// One JSON object: whole seconds.
    Json,
}

/// Shows the report.
///
/// # Errors
/// When the ledger cannot be read.
pub fn run(args: &ReportArgs, settings: &Settings, ledger: &Ledger) -> Result<Ended, Error> {
    let tables = Tables::new(&settings.sites, &settings.vos);
    let mut report = Report::new(args.month, args.by.clone());
    let mut add = |usages: &[Usage]| {
        if let Some(usage) = believed(usages) {
            report.add(usage, &Life::of(usage).0, &tables);
        }
    };
    let mut together = Together::default();
    ledger.usage(&mut |usage| {
        add(&together.push(usage));
        Ok::<_, LedgerError>(())
    })?;
    add(&together.finish());
    show(&match args.output {
        Output::Table => table(&report),
        Output::Json => json(&report),
    })?;
    Ok(Ended::AsWanted)
}
