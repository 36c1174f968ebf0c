//! What is published of a ledger when the settings change between two times.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use accounting::command::publish::{self, PublishArgs};
use accounting::ledger::Ledger;
use accounting::records::{Problem, Records, Tables};
use accounting::settings::Settings;
use federation::usage::Entry;
use jiff::Timestamp;

use crate::delivery::batch;
use crate::records::{lived, month, ran};
use crate::schedule::{DAY, HOUR, Lived};

/// A ledger and a queue, and what of the queue was read.
struct Site {
    folder: tempfile::TempDir,
    ledger: Ledger,
    delivered: Vec<Entry>,
    read: BTreeSet<PathBuf>,
    now_us: i64,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        Self {
            folder,
            ledger,
            delivered: Vec::new(),
            read: BTreeSet::new(),
            now_us: month("2026-02").end_us(),
        }
    }

    /// The node tells what it has of an allocation.
    fn deliver(&mut self, bodies: impl IntoIterator<Item = federation::usage::Body>) {
        let first = self.delivered.len();
        for body in bodies {
            let seq = self.delivered.len() as u64 + 1;
            self.delivered.push(Entry { seq, body });
        }
        let told = batch(&self.delivered[first..]);
        self.ledger.append(&told).unwrap();
    }

    fn settings(&self, names: [&str; 2]) -> Settings {
        let [site, vo] = names;
        let folder = self.folder.path().display();
        let text = format!(
            "federation = \"global\"\nlisten = \"127.0.0.1:1\"\n\
             ledger = \"{folder}/ledger.db\"\nqueue = \"{folder}/outgoing\"\n\
             [tls]\ncertificate = \"/c\"\nkey = \"/k\"\nauthority = \"/a\"\n\
             [sites]\nexample-one = \"{site}\"\n[vos]\nexample = \"{vo}\"\n"
        );
        Settings::parse(&text).unwrap()
    }

    /// Publishes with these names of site and VO in the settings; gives the names in each new message.
    fn publish(&mut self, names: [&str; 2], rename: bool) -> BTreeSet<(String, String)> {
        let args = PublishArgs {
            dry_run: false,
            rename,
        };
        let settings = self.settings(names);
        let now = Timestamp::from_microsecond(self.now_us).unwrap();
        publish::run(&args, &settings, &mut self.ledger, now).unwrap();
        let mut found = BTreeSet::new();
        for path in files(&settings.queue) {
            if self.read.insert(path.clone()) {
                found.extend(names_in(&std::fs::read_to_string(&path).unwrap()));
            }
        }
        found
    }

    /// What a person is told of the allocation, with these names in the settings.
    fn problems(&self, id: &str, [site, vo]: [&str; 2]) -> Vec<Problem> {
        let sites = BTreeMap::from([("example-one", site)]);
        let tables = Tables::new(&sites, &BTreeMap::from([("example", vo)]));
        let now = Timestamp::from_microsecond(self.now_us).unwrap();
        let usages = self.ledger.allocation(id).unwrap();
        Records::of(&usages, &tables, now).problems
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Site and VO of each record.
fn names_in(message: &str) -> Vec<(String, String)> {
    if let Ok(message) = serde_json::from_str::<serde_json::Value>(message) {
        let records = message["UsageRecords"].as_array().unwrap().iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        return records
            .map(|record| (text(&record["SiteName"]), text(&record["FQAN"])))
            .collect();
    }
    let value = |record: &str, key: &str| {
        let line = record.lines().find_map(|line| line.strip_prefix(key));
        line.map(|value| value.trim_start_matches(": ").to_owned())
    };
    let records = message.split("%%");
    records
        .filter_map(|record| value(record, "SiteName").zip(value(record, "FQAN")))
        .collect()
}

fn over_two_months(id: &str) -> Lived {
    let end = month("2026-01").end_us();
    Lived {
        id: id.to_owned(),
        ..lived(vec![ran(end - HOUR, end + 2 * HOUR, &[("GPU-1", "A")])])
    }
}

const FIRST: &str = "00000000-0000-0000-0000-000000000001";
const SECOND: &str = "00000000-0000-0000-0000-000000000002";
const OLD: [&str; 2] = ["EXAMPLE-ONE", "vo.example.org"];
const NEW: [&str; 2] = ["EXAMPLE-TWO", "vo.example.com"];

fn only([site, vo]: [&str; 2]) -> BTreeSet<(String, String)> {
    BTreeSet::from([(site.to_owned(), vo.to_owned())])
}

/// The service sums by names, and never takes back what it has summed under others.
#[test]
fn what_was_published_keeps_its_names_whatever_the_settings_say() {
    let mut site = Site::new();
    let mut told: Vec<_> = over_two_months(FIRST)
        .said()
        .into_iter()
        .map(|(_, body)| body)
        .collect();
    let later = told.split_off(told.len() / 2);
    site.deliver(told);
    assert_eq!(site.publish(OLD, false), only(OLD));
    assert_eq!(site.publish(NEW, false), BTreeSet::new());
    let [
        Problem::NameKept { published, .. },
        Problem::NameKept {
            field: "SiteName", ..
        },
    ] = &site.problems(FIRST, NEW)[..]
    else {
        panic!("{:?}", site.problems(FIRST, NEW))
    };
    assert_eq!(published, "vo.example.org");
    // It goes on under them; what begins now has the new ones.
    site.deliver(later);
    assert_eq!(site.publish(NEW, false), only(OLD));
    let second = over_two_months(SECOND).said();
    site.deliver(second.into_iter().map(|(_, body)| body));
    assert_eq!(site.publish(NEW, false), only(NEW));
    assert_eq!(site.problems(SECOND, NEW), []);
    // Whoever wants it otherwise says so, and it is so from then on.
    assert_eq!(site.publish(NEW, true), only(NEW));
    assert_eq!(site.problems(FIRST, NEW), []);
    site.now_us += DAY;
    assert_eq!(site.publish(NEW, false), BTreeSet::new());
}

/// A ledger of before knows what was published, and not under which names.
#[test]
fn what_is_unchanged_has_the_names_that_it_was_published_under() {
    let mut site = Site::new();
    let told = over_two_months(FIRST).said();
    site.deliver(told.into_iter().map(|(_, body)| body));
    assert_eq!(site.publish(OLD, false), only(OLD));
    let path = site.folder.path().join("ledger.db");
    let connection = rusqlite::Connection::open(path).unwrap();
    let forgotten = connection.execute("DELETE FROM published_names", []);
    assert_eq!(forgotten.unwrap(), 1);
    assert_eq!(site.publish(OLD, false), BTreeSet::new());
    assert_eq!(site.publish(NEW, false), BTreeSet::new());
}

#[test]
fn what_is_only_printed_keeps_no_name() {
    let mut site = Site::new();
    let told = over_two_months(FIRST).said();
    site.deliver(told.into_iter().map(|(_, body)| body));
    let dry = PublishArgs {
        dry_run: true,
        rename: false,
    };
    let settings = site.settings(OLD);
    let now = Timestamp::from_microsecond(site.now_us).unwrap();
    publish::run(&dry, &settings, &mut site.ledger, now).unwrap();
    assert_eq!(site.publish(NEW, false), only(NEW));
}
