use std::collections::BTreeMap;

use super::sample::{batch, end, facts, interval};
use super::*;

fn ledger() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    (folder, ledger)
}

fn entries(ledger: &Ledger) -> i64 {
    let sql = "SELECT count(*) FROM entries";
    ledger
        .connection
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

fn all(ledger: &Ledger) -> Vec<Usage> {
    let mut seen = Vec::new();
    ledger
        .usage(&mut |usage| {
            seen.push(usage);
            Ok::<_, LedgerError>(())
        })
        .unwrap();
    seen
}

fn refused(result: Result<u64, AppendError>) -> Rejection {
    match result {
        Err(AppendError::Rejected(rejection)) => rejection,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_was_added_is_there_after_opening_again() {
    let (folder, mut ledger) = ledger();
    let lines = [facts(1, "a"), interval(2, "a", 0)];
    assert_eq!(ledger.append(&batch("n1", "L", &lines)).unwrap(), 2);
    drop(ledger);
    let ledger = Ledger::open_read_only(&folder.path().join("ledger.db")).unwrap();
    let standing = ledger.standing("L").unwrap();
    assert_eq!(standing.acknowledged, 2);
    assert_eq!(standing.owner.unwrap().node.as_str(), "n1");
    assert_eq!(ledger.standing("other").unwrap(), Standing::default());
}

#[test]
fn what_is_acknowledged_is_on_the_disk() {
    let (_folder, ledger) = ledger();
    let pragma = |name: &str| {
        let value: rusqlite::types::Value = ledger
            .connection
            .pragma_query_value(None, name, |row| row.get(0))
            .unwrap();
        format!("{value:?}")
    };
    assert_eq!(pragma("journal_mode"), r#"Text("wal")"#);
    assert_eq!(pragma("synchronous"), "Integer(2)");
}

#[test]
fn a_repeated_batch_changes_nothing_and_a_longer_one_adds_its_rest() {
    let (_folder, mut ledger) = ledger();
    let mut lines = vec![facts(1, "a"), interval(2, "a", 0)];
    for _ in 0..3 {
        assert_eq!(ledger.append(&batch("n1", "L", &lines)).unwrap(), 2);
        assert_eq!(entries(&ledger), 2);
    }
    lines.push(interval(3, "a", 1));
    assert_eq!(ledger.append(&batch("n1", "L", &lines)).unwrap(), 3);
    assert_eq!(entries(&ledger), 3);
    // An early part again is behind what is committed, and takes nothing back.
    assert_eq!(ledger.append(&batch("n1", "L", &lines[..1])).unwrap(), 3);
    assert_eq!(ledger.standing("L").unwrap().acknowledged, 3);
}

#[test]
fn a_batch_beyond_the_next_number_is_a_gap() {
    let (_folder, mut ledger) = ledger();
    ledger.append(&batch("n1", "L", &[facts(1, "a")])).unwrap();
    let late = batch("n1", "L", &[interval(3, "a", 0)]);
    assert_eq!(
        refused(ledger.append(&late)),
        Rejection::Gap {
            acknowledged: 1,
            first: 3
        }
    );
    let unknown = batch("n1", "new", &[interval(2, "a", 0)]);
    assert_eq!(
        refused(ledger.append(&unknown)),
        Rejection::Gap {
            acknowledged: 0,
            first: 2
        }
    );
    assert_eq!(entries(&ledger), 1);
}

#[test]
fn a_ledger_belongs_to_the_first_node_that_delivered_it() {
    let (_folder, mut ledger) = ledger();
    ledger.append(&batch("n1", "L", &[facts(1, "a")])).unwrap();
    let other = batch("n2", "L", &[facts(2, "b")]);
    assert!(matches!(
        refused(ledger.append(&other)),
        Rejection::Owner { .. }
    ));
    let mut anew = batch("n1", "L", &[facts(2, "b")]);
    anew.header.node_id = "id-after-installing-anew".to_owned();
    assert!(matches!(
        refused(ledger.append(&anew)),
        Rejection::Owner { .. }
    ));
    assert_eq!(entries(&ledger), 1);
}

#[test]
fn what_contradicts_is_told_with_its_lines_and_nothing_is_kept() {
    let (_folder, mut ledger) = ledger();
    let first = [facts(1, "a"), interval(2, "a", 0), end(3, "a")];
    ledger.append(&batch("n1", "L", &first)).unwrap();
    let second = [
        end(3, "a"),
        interval(4, "b", 0),
        facts(5, "c"),
        interval(6, "c", 0),
        facts(7, "c"),
        interval(8, "a", 1),
        facts(9, "a"),
        end(10, "d"),
    ];
    let Rejection::Contradiction(problems) = refused(ledger.append(&batch("n1", "L", &second)))
    else {
        panic!("another refusal");
    };
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "line 3: allocation b: its facts must come before anything else of it",
            "line 6: allocation c: its facts are there already",
            "line 7: allocation a: it is over, and nothing may follow",
            "line 8: allocation a: its facts are there already",
            "line 9: allocation d: its facts must come before anything else of it",
        ]
    );
    assert_eq!(entries(&ledger), 3);
    assert_eq!(ledger.standing("L").unwrap().acknowledged, 3);
}

#[test]
fn usage_is_one_allocation_of_one_ledger_at_a_time() {
    let (_folder, mut ledger) = ledger();
    let lines = [
        facts(1, "b"),
        facts(2, "a"),
        interval(3, "a", 0),
        interval(4, "b", 0),
        interval(5, "a", 1),
        end(6, "a"),
    ];
    ledger.append(&batch("n1", "L", &lines)).unwrap();
    let other = [facts(1, "a"), interval(2, "a", 0)];
    ledger.append(&batch("n2", "M", &other)).unwrap();
    let seen = all(&ledger);
    let shape = |usage: &Usage| {
        let seqs: Vec<_> = usage.intervals.iter().map(|stored| stored.seq).collect();
        let id = usage.facts.id.clone();
        let around = (usage.facts_seq, usage.end_seq);
        assert_eq!(usage.end.is_some(), usage.end_seq.is_some());
        (id, usage.node.to_string(), seqs, around)
    };
    let shapes: Vec<_> = seen.iter().map(shape).collect();
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let (n1, n2) = ("n1".to_owned(), "n2".to_owned());
    assert_eq!(
        shapes,
        [
            (a.clone(), n1.clone(), vec![3, 5], (2, Some(6))),
            (a, n2, vec![2], (1, None)),
            (b, n1, vec![4], (1, None))
        ]
    );
    assert_eq!(ledger.allocation("a").unwrap(), seen[..2]);
    assert_eq!(ledger.allocation("z").unwrap(), []);
}

#[test]
fn a_row_that_is_gone_is_told_and_not_passed_over() {
    let (_folder, mut ledger) = ledger();
    let lines = [facts(1, "a"), facts(2, "b"), interval(3, "b", 0)];
    ledger.append(&batch("n1", "L", &lines)).unwrap();
    ledger
        .connection
        .execute("DELETE FROM entries WHERE seq = 2", [])
        .unwrap();
    let damaged =
        |seen: Result<(), LedgerError>| matches!(seen, Err(LedgerError::Damaged { seq: 3, .. }));
    assert!(damaged(ledger.usage(&mut |_| Ok(()))));
    assert!(damaged(ledger.allocation("b").map(drop)));
    assert_eq!(ledger.allocation("a").unwrap().len(), 1);
}

#[test]
fn a_visitor_ends_the_visit_with_its_own_error() {
    let (_folder, mut ledger) = ledger();
    ledger
        .append(&batch("n1", "L", &[facts(1, "a"), facts(2, "b")]))
        .unwrap();
    let mut seen = 0;
    let ended = ledger.usage(&mut |_| {
        seen += 1;
        Err(Box::<dyn std::error::Error>::from("enough"))
    });
    assert_eq!(ended.unwrap_err().to_string(), "enough");
    assert_eq!(seen, 1);
}

#[test]
fn a_full_disk_is_told_and_the_ledger_goes_on_afterwards() {
    let (_folder, mut ledger) = ledger();
    ledger.append(&batch("n1", "L", &[facts(1, "a")])).unwrap();
    ledger.limit_pages(1);
    let many: Vec<_> = (2..500).map(|seq| interval(seq, "a", seq - 2)).collect();
    let many = batch("n1", "L", &many);
    let full = ledger.append(&many);
    assert!(
        matches!(full, Err(AppendError::Ledger(LedgerError::Full { .. }))),
        "{full:?}"
    );
    assert_eq!(ledger.standing("L").unwrap().acknowledged, 1);
    ledger.limit_pages(100_000);
    assert_eq!(ledger.append(&many).unwrap(), 499);
}

#[test]
fn a_ledger_of_an_earlier_version_keeps_what_it_has() {
    let (folder, mut ledger) = ledger();
    ledger.append(&batch("n1", "L", &[facts(1, "a")])).unwrap();
    let earlier = "DROP TABLE published_names; PRAGMA user_version = 1";
    ledger.connection.execute_batch(earlier).unwrap();
    drop(ledger);
    let path = folder.path().join("ledger.db");
    let older = Ledger::open_read_only(&path);
    assert!(matches!(older, Err(LedgerError::Older { .. })));
    let usages = all(&Ledger::open(&path).unwrap());
    assert_eq!(usages.len(), 1);
    assert_eq!(usages[0].published_as, None);
}

#[test]
fn a_ledger_of_a_later_version_is_left_alone() {
    let (folder, ledger) = ledger();
    ledger
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(ledger);
    let path = folder.path().join("ledger.db");
    let newer =
        |opened: Result<Ledger, _>| matches!(opened, Err(LedgerError::Newer { found: 99, .. }));
    assert!(newer(Ledger::open(&path)));
    assert!(newer(Ledger::open_read_only(&path)));
}

#[test]
fn only_what_is_there_is_opened_for_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    assert!(matches!(
        Ledger::open_read_only(&path),
        Err(LedgerError::Open { .. })
    ));
    assert!(!path.exists());
}

#[test]
fn what_was_published_is_found_by_key_and_month() {
    let (_folder, mut ledger) = ledger();
    let record = |key: &str, digest: &str| Published {
        kind: "cloud".to_owned(),
        key: key.to_owned(),
        month: "2026-07".to_owned(),
        digest: digest.to_owned(),
        published_us: 1,
    };
    ledger
        .note_published(&[record("a", "1"), record("b", "1")], &BTreeMap::new())
        .unwrap();
    ledger
        .note_published(&[record("a", "2")], &BTreeMap::new())
        .unwrap();
    let published = |key, month| ledger.published("cloud", key, month).unwrap();
    assert_eq!(published("a", "2026-07").as_deref(), Some("2"));
    assert_eq!(published("b", "2026-07").as_deref(), Some("1"));
    assert_eq!(published("a", "2026-08"), None);
}
