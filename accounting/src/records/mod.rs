//! From intervals to records: pure, and every number with where it is from.
//!
//! A cloud record grows from the allocation's start and an accelerator record from the month's
//! first moment. All sums are of whole microseconds; seconds are made of them once, downwards,
//! in the record. `docs/records.md` says what each field is.

mod accelerator;
mod cloud;
mod life;
mod month;
mod problem;
mod text;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Display;

use federation::names::DatacenterName;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub use accelerator::{AcceleratorRecord, model_name};
pub use cloud::CloudRecord;
pub use life::{GpuUsed, Known, Life, Sum, Used};
pub use month::{Month, NoMonth};
pub use problem::Problem;
pub use text::{ENCRYPTED, LONGEST, clean, is_null};

use crate::ledger::{PublishedNames, Usage};

/// Names that EGI knows and Nomad does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tables {
    sites: BTreeMap<String, String>,
    vos: BTreeMap<String, String>,
}

/// The names of one allocation.
struct Names<'a> {
    site: &'a str,
    vo: &'a str,
}

impl Tables {
    /// The site of each datacenter, as GOCDB names it, and the VO of each namespace.
    pub fn new<D: Display, S: Display, N: Display, V: Display>(
        sites: &BTreeMap<D, S>,
        vos: &BTreeMap<N, V>,
    ) -> Self {
        Self {
            sites: texts(sites),
            vos: texts(vos),
        }
    }

    /// The site of a datacenter.
    pub fn site(&self, datacenter: &DatacenterName) -> Option<&str> {
        self.sites.get(datacenter.as_str()).map(String::as_str)
    }

    /// The VO of a namespace.
    pub fn vo(&self, namespace: &str) -> Option<&str> {
        self.vos.get(namespace).map(String::as_str)
    }

    /// The names of an allocation's site and VO; every reason why it has none is told.
    ///
    /// Once it is published they stay as they were: the service sums by names, and would count both.
    fn of<'a>(&'a self, usage: &'a Usage, problems: &mut Vec<Problem>) -> Option<Names<'a>> {
        let said = |text: &&str| !text::is_null(&text::clean(text));
        let site = self.site(&usage.datacenter).filter(said);
        let vo = self.vo(&usage.facts.namespace).filter(said);
        if site.is_none() {
            problems.push(Problem::NoSite(usage.datacenter.clone()));
        }
        if vo.is_none() {
            let namespace = usage.facts.namespace.clone();
            problems.push(if usage.facts.is_unnamed() {
                Problem::Unnamed {
                    allocation: usage.facts.id.clone(),
                    node: usage.node.to_string(),
                }
            } else if namespace == OWN {
                Problem::Own(namespace)
            } else {
                Problem::NoVo(namespace)
            });
        }
        let id = &usage.facts.id;
        if text::clean(id) != *id || text::is_null(id) {
            problems.push(Problem::NoKey(id.clone()));
            return None;
        }
        let (site, vo) = (site?, vo?);
        let Some(was) = &usage.published_as else {
            return Some(Names { site, vo });
        };
        for (field, was, now) in [("SiteName", &was.site, site), ("FQAN", &was.vo, vo)] {
            if text::clean(now) != *was {
                problems.push(Problem::NameKept {
                    field,
                    published: was.clone(),
                    wanted: now.to_owned(),
                });
            }
        }
        Some(Names {
            site: &was.site,
            vo: &was.vo,
        })
    }
}

fn texts<K: Display, V: Display>(table: &BTreeMap<K, V>) -> BTreeMap<String, String> {
    let text = |(key, value): (&K, &V)| (key.to_string(), value.to_string());
    table.iter().map(text).collect()
}

/// What a record is known by at the service, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// `cloud` or `accelerator`.
    pub kind: &'static str,
    /// Allocation ID, and for an accelerator `/` and the model.
    pub key: String,
    /// Its month.
    pub month: Month,
    /// SHA-256 of what is sent, in hex.
    pub digest: String,
}

impl Row {
    fn new(kind: &'static str, key: String, month: Month, text: &str) -> Self {
        let digest = format!("{:x}", Sha256::digest(text.as_bytes()));
        Self {
            kind,
            key,
            month,
            digest,
        }
    }
}

/// All that is known of an allocation, as records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// The ledger that the records are from.
    pub ledger: String,
    /// What was summed.
    pub life: Life,
    /// By month; none where a problem withholds the allocation.
    pub cloud: Vec<CloudRecord>,
    /// By month and model; none where a problem withholds the allocation.
    pub accelerators: Vec<AcceleratorRecord>,
    /// What a person should know.
    pub problems: Vec<Problem>,
}

/// Nomad's first namespace, where the site's own jobs are: its gateways.
const OWN: &str = "default";

impl Records {
    /// The names under which it is published.
    pub fn names(&self) -> Option<PublishedNames> {
        let first = self.cloud.first()?;
        Some(PublishedNames {
            site: first.site_name.clone(),
            vo: first.fqan.clone(),
        })
    }

    /// Whether the allocation is not published.
    pub fn withheld(&self) -> bool {
        self.problems.iter().any(Problem::withholds)
    }

    /// The records of one allocation, given what each ledger knows of it, at a moment.
    ///
    /// Nothing where no ledger is given.
    pub fn of(usages: &[Usage], tables: &Tables, now: Timestamp) -> Self {
        let Some((usage, life, mut problems)) = chosen(usages) else {
            return Self::default();
        };
        // A day, as clocks differ: but no months without end from a clock that is wrong.
        let latest_us = now.as_microsecond().saturating_add(86_400_000_000);
        let end_us = usage.end.as_ref().map(|end| end.ended_us);
        let odd = |us: &i64| Month::of_us(*us).is_none() || *us > latest_us;
        let starts = usage.intervals.iter();
        let mut late = starts.filter(|stored| stored.interval.start.wall_us > latest_us);
        if let Some(stored) = late.next_back() {
            problems.push(Problem::no_such_time(usage, stored.seq));
        } else if [Some(usage.facts.started_us), end_us]
            .iter()
            .flatten()
            .any(odd)
        {
            let last = usage.intervals.last().map_or(0, |stored| stored.seq);
            problems.push(Problem::no_such_time(usage, last));
        }
        let mut records = Self {
            ledger: usage.ledger.clone(),
            ..Self::default()
        };
        if !problems.iter().any(Problem::withholds) {
            records.cloud = cloud::records(usage, &life, tables, now, &mut problems);
            records.accelerators = accelerator::records(usage, &life, tables, now, &mut problems);
        }
        problems.sort();
        problems.dedup();
        records.life = life;
        records.problems = problems;
        records
    }
}

/// The ledger that is believed, with what it says: the one that knows the longest, and of those the
/// one that is surest. An agent whose database is made anew begins with the allocation's start again,
/// so that each ledger is whole; but of what had ended before, the new one knows little more than that.
fn chosen(usages: &[Usage]) -> Option<(&Usage, Life, Vec<Problem>)> {
    let lives = usages.iter().map(|usage| {
        let (life, problems) = Life::of(usage);
        (usage, life, problems)
    });
    let key = |(usage, life, _): &(&Usage, Life, Vec<Problem>)| {
        let ended = usage.end.is_some();
        // To the nearest second: the two place the same moments, and may differ by a microsecond.
        let held_s = (life.held_us() + 500_000) / 1_000_000;
        let ledger = usage.ledger.clone();
        (
            held_s,
            ended,
            Reverse(unsure_us(usage)),
            life.cpu_us(),
            ledger,
        )
    };
    let mut best = lives.max_by_key(key)?;
    if usages.len() > 1 {
        best.2.push(Problem::ManyLedgers {
            allocation: best.0.facts.id.clone(),
            ledgers: usages.len(),
            chosen: best.0.ledger.clone(),
        });
    }
    Some(best)
}

/// How much of what an allocation used may be otherwise, in µs.
fn unsure_us(usage: &Usage) -> u64 {
    let intervals = usage.intervals.iter().map(|stored| &stored.interval);
    let bounds = intervals.flat_map(|interval| {
        let gpus = interval.gpus.iter().map(|gpu| gpu.busy_bound_us);
        gpus.chain([interval.cpu.bound_us])
    });
    bounds.fold(0, u64::saturating_add)
}

/// The ledger that [`Records::of`] believes.
pub fn believed(usages: &[Usage]) -> Option<&Usage> {
    chosen(usages).map(|(usage, _, _)| usage)
}

/// Puts what ledgers know of the same allocation together, where they come one after the other.
#[derive(Debug, Default)]
pub struct Together {
    waiting: Vec<Usage>,
}

impl Together {
    /// Takes the next one, and gives those of the allocation before when it is of another.
    pub fn push(&mut self, usage: Usage) -> Vec<Usage> {
        let same = self
            .waiting
            .first()
            .is_none_or(|first| first.facts.id == usage.facts.id);
        let before = if same {
            Vec::new()
        } else {
            std::mem::take(&mut self.waiting)
        };
        self.waiting.push(usage);
        before
    }

    /// Gives the last ones.
    pub fn finish(self) -> Vec<Usage> {
        self.waiting
    }
}

/// Thousandths as a decimal number without needless digits: `3.5`, `4`.
fn milli(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
