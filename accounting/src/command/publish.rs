//! `publish`: puts what is new or has changed into the queue that ssmsend empties.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use jiff::Timestamp;

use super::{Ended, Error, show};
use crate::apel::{Counts, Kind, Message, Outgoing, Refused, check};
use crate::ledger::{Ledger, LedgerError, Published, PublishedNames, Usage};
use crate::print;
use crate::queue::Queue;
use crate::records::{Problem, Records, Row, Tables, Together};
use crate::settings::Settings;

/// How many different problems are told; the others are counted.
const MOST_PROBLEMS: usize = 200;

/// The flags of `publish`.
#[derive(Debug, Clone, clap::Args)]
pub struct PublishArgs {
    /// Print the messages, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Publish under the names that the settings say now what was published under others.
    ///
    /// EGI's service may keep what it has summed under the old names, and count both.
    #[arg(long)]
    pub rename: bool,
}

/// Why nothing, or not all, was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A whole message is wrong though each of its records is right.
    #[error(
        "a message with {records} records was not queued, as the service would refuse it: {what}; report this as a fault"
    )]
    Message {
        /// How many records.
        records: usize,
        /// What is wrong.
        what: String,
    },
}

/// Publishes all that has changed since it was published last.
///
/// # Errors
/// When ledger or queue cannot be used; what was queued until then is noted.
pub fn run(
    args: &PublishArgs,
    settings: &Settings,
    ledger: &mut Ledger,
    now: Timestamp,
) -> Result<Ended, Error> {
    let target = if args.dry_run {
        Target::Screen
    } else {
        // Any digit will do; it only keeps two programs' names apart.
        let digit = RandomState::new().build_hasher().finish().to_le_bytes()[0];
        Target::Queue(Queue::open(&settings.queue, digit)?)
    };
    let mut pass = Pass {
        tables: Tables::new(&settings.sites, &settings.vos),
        now,
        outgoing: Outgoing::new(now),
        target,
        queued: Vec::new(),
        renames: args.rename,
        to_name: BTreeMap::new(),
        named: BTreeMap::new(),
        told: Told::default(),
    };
    let passed = pass.all(ledger);
    // Noted after it is queued. A crash between the two only leads to the same rows being queued
    // again: the service replaces a row by the same row. Noting first would lose them.
    if !args.dry_run {
        ledger.note_published(&pass.queued, &pass.named)?;
    }
    passed?;
    let (counts, refused) = pass.outgoing.finish();
    let summary = summary(args.dry_run, counts, &refused, &pass.told);
    if args.dry_run {
        print::complain(summary.trim_end());
    } else {
        show(&summary)?;
    }
    Ok(if refused.is_empty() && !pass.told.faults {
        Ended::AsWanted
    } else {
        Ended::NotAsWanted
    })
}

enum Target {
    Screen,
    Queue(Queue),
}

/// One pass over the ledger.
struct Pass {
    tables: Tables,
    now: Timestamp,
    outgoing: Outgoing,
    target: Target,
    queued: Vec<Published>,
    /// Whether what was published keeps no name.
    renames: bool,
    /// The names, by allocation, of those that are not queued yet, and of those that are published under them.
    to_name: BTreeMap<String, PublishedNames>,
    named: BTreeMap<String, PublishedNames>,
    told: Told,
}

impl Pass {
    fn all(&mut self, ledger: &Ledger) -> Result<(), Error> {
        let mut together = Together::default();
        ledger.usage(&mut |usage| {
            let before = together.push(usage);
            self.allocation(ledger, before)
        })?;
        self.allocation(ledger, together.finish())?;
        for message in self.outgoing.flush() {
            self.send(message)?;
        }
        Ok(())
    }

    fn allocation(&mut self, ledger: &Ledger, mut usages: Vec<Usage>) -> Result<(), Error> {
        let Some(first) = usages.first() else {
            return Ok(());
        };
        let (id, was) = (first.facts.id.clone(), first.published_as.clone());
        if self.renames {
            for usage in &mut usages {
                usage.published_as = None;
            }
        }
        let records = Records::of(&usages, &self.tables, self.now);
        self.told.add(&records);
        let names = records.names().filter(|names| was.as_ref() != Some(names));
        let mut is_there = false;
        let mut published = |row: &Row| {
            let digest = ledger.published(row.kind, &row.key, &row.month.to_string())?;
            is_there |= digest.as_ref() == Some(&row.digest);
            Ok::<_, LedgerError>(digest)
        };
        let full = self.outgoing.add(&records, &mut published)?;
        if let Some(names) = names {
            if let Some(was) = was {
                self.told.renamed(&was, &names);
            }
            let known = if is_there {
                &mut self.named
            } else {
                &mut self.to_name
            };
            known.insert(id, names);
        }
        for message in full {
            self.send(message)?;
        }
        Ok(())
    }

    fn send(&mut self, message: Message) -> Result<(), Error> {
        let findings = check::message(message.kind, &message.text, self.now);
        if let Some(finding) = findings.into_iter().next() {
            return Err(PublishError::Message {
                records: message.rows.len(),
                what: finding.what,
            }
            .into());
        }
        let now_us = self.now.as_microsecond();
        match &mut self.target {
            Target::Screen => {
                let end = if message.kind == Kind::Cloud {
                    "%%\n"
                } else {
                    ""
                };
                show(&format!("{}{end}", message.text))?;
            }
            Target::Queue(queue) => {
                queue.add(&message.text, now_us)?;
            }
        }
        for row in message.rows.iter().filter(|row| row.kind == "cloud") {
            self.named.extend(self.to_name.remove_entry(&row.key));
        }
        self.queued
            .extend(message.rows.into_iter().map(|row| Published {
                kind: row.kind.to_owned(),
                key: row.key,
                month: row.month.to_string(),
                digest: row.digest,
                published_us: now_us,
            }));
        Ok(())
    }
}

/// What a person should know: each thing once, with how many allocations it concerns.
#[derive(Debug, Default)]
struct Told {
    problems: BTreeMap<Problem, usize>,
    left_out: usize,
    withheld: usize,
    /// Whether somebody should do something about one that was withheld.
    faults: bool,
}

impl Told {
    fn add(&mut self, records: &Records) {
        self.withheld += usize::from(records.withheld());
        self.faults |= records.problems.iter().any(Problem::is_fault);
        for problem in &records.problems {
            self.tell(problem.clone());
        }
    }

    fn renamed(&mut self, was: &PublishedNames, now: &PublishedNames) {
        for (field, was, published) in [
            ("SiteName", &was.site, &now.site),
            ("FQAN", &was.vo, &now.vo),
        ] {
            if was != published {
                self.tell(Problem::Renamed {
                    field,
                    was: was.clone(),
                    published: published.clone(),
                });
            }
        }
    }

    fn tell(&mut self, problem: Problem) {
        if let Some(count) = self.problems.get_mut(&problem) {
            *count += 1;
        } else if self.problems.len() < MOST_PROBLEMS {
            self.problems.insert(problem, 1);
        } else {
            self.left_out += 1;
        }
    }
}

fn summary(dry_run: bool, counts: Counts, refused: &[Refused], told: &Told) -> String {
    let done = if dry_run { "to publish" } else { "published" };
    let Counts {
        cloud,
        accelerators,
        unchanged,
        messages,
    } = counts;
    let mut text = format!(
        "{done}: {cloud} cloud records and {accelerators} accelerator records in {messages} messages\n\
         unchanged since published: {unchanged} records\n\
         not published: {} allocations, {} records\n",
        told.withheld,
        refused.len()
    );
    for (problem, count) in &told.problems {
        let times = if *count > 1 {
            format!(" ({count} allocations)")
        } else {
            String::new()
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "- {problem}{times}");
    }
    if told.left_out > 0 {
        let _ = writeln!(text, "- and {} more of this kind", told.left_out);
    }
    for Refused { row, reasons } in refused.iter().take(MOST_PROBLEMS) {
        let reasons = reasons.join("; ");
        let _ = writeln!(
            text,
            "- the {} record {} of {} is not published, as the service would refuse or miscount it: {reasons}",
            row.kind, row.key, row.month
        );
    }
    text
}
