//! The table: `rows.tsv`, what makes it well-formed, and `docs/parity.md`, which is made of it.

mod document;
mod row;

use std::collections::BTreeMap;
use std::env;
use std::fs;

use super::repository;
use document::document;
use row::{Evidence, Kind, Row, State, read};

/// Set to rewrite `docs/parity.md` after a change of the table.
const RENEW: &str = "ATOLL_RENEW_DOCS";

fn rows() -> Vec<Row> {
    match read(include_str!("rows.tsv")) {
        Ok(rows) => rows,
        Err(problems) => panic!("rows.tsv:\n{}", problems.join("\n")),
    }
}

#[test]
fn each_row_stands_once_and_in_its_order() {
    let numbers: Vec<_> = rows().iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=502).collect::<Vec<_>>());
    let count = |kind: Kind| rows().iter().filter(|row| row.kind == kind).count();
    let counts = [Kind::Feature, Kind::Defect, Kind::Unused].map(count);
    assert_eq!(counts, [233, 248, 21]);
}

/// A test is looked for as its source has it; a case of the lab as `suite` names it.
fn exists(evidence: &Evidence, sources: &mut BTreeMap<String, String>) -> bool {
    let Evidence { file, name } = evidence;
    let text = sources
        .entry(file.clone())
        .or_insert_with(|| fs::read_to_string(repository().join(file)).unwrap_or_default());
    if evidence.is_case_of_the_lab() {
        let tried = |line: &str| {
            let case = line
                .trim_start()
                .strip_prefix("try ")
                .or(line.trim_start().strip_prefix("must "));
            case.is_some_and(|case| case.starts_with(&format!("\"{name}\" ")))
        };
        return text.lines().any(tried);
    }
    let mut lines = text.lines().map(str::trim_start);
    let mut is_test = false;
    lines.any(|line| {
        let found = is_test && line.starts_with(&format!("fn {name}()"));
        is_test = line.starts_with("#[test]") || (is_test && line.starts_with("#["));
        found
    })
}

#[test]
fn each_row_that_is_done_names_tests_that_exist() {
    let mut sources = BTreeMap::new();
    let mut missing = Vec::new();
    for row in rows() {
        let State::Done(evidence) = &row.state else {
            continue;
        };
        for one in evidence.iter().filter(|one| !exists(one, &mut sources)) {
            missing.push(format!("P{}: {}::{}", row.number, one.file, one.name));
        }
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
}

#[test]
fn a_test_is_found_by_its_name_and_its_mark() {
    let found = |file: &str, name: &str| {
        let evidence = Evidence {
            file: file.to_owned(),
            name: name.to_owned(),
        };
        exists(&evidence, &mut BTreeMap::new())
    };
    let this = "tests/provisioner/parity/table.rs";
    assert!(found(this, "a_test_is_found_by_its_name_and_its_mark"));
    assert!(!found(this, "a_test_is_found_by_its_name"));
    assert!(!found(this, "rows"), "a function without the mark");
    assert!(!found("tests/provisioner/nowhere.rs", "rows"));
    let lab = "tests/lab/suite";
    assert!(found(
        lab,
        "a second apply changes, writes and restarts nothing"
    ));
    assert!(!found(lab, "a second apply"));
}

#[test]
fn what_is_wrong_with_the_table_is_told_line_by_line() {
    let head = "number\tkind\tsubject\tstate\tevidence\n";
    for (line, expected) in [
        ("1\tF\ta\tdone", "2: 4 columns, not 5"),
        (
            "x\tF\ta\tdone\ttests/a.rs::b",
            "2: `x` is no number of a row",
        ),
        (
            "1\tY\ta\tdone\ttests/a.rs::b",
            "2: `Y` is no kind; the kinds are F, D, X",
        ),
        ("1\tF\t\tdone\ttests/a.rs::b", "2: no subject"),
        (
            "1\tF\ta\tready\tb",
            "2: `ready` is no state; the states are done, waiting, not wanted",
        ),
        (
            "1\tF\ta\tdone\t",
            "2: a row that is done names a test, as in tests/provisioner/render.rs::name",
        ),
        (
            "1\tF\ta\tdone\tb",
            "2: `b` names no test; write it as tests/provisioner/render.rs::name",
        ),
        (
            "1\tF\ta\twaiting\trendering",
            "2: a row that waits says `capability: what is missing`",
        ),
        (
            "1\tF\ta\twaiting\tmagic: all",
            "2: `magic` is no capability of the list in row.rs",
        ),
        (
            "1\tF\ta\tnot wanted\t",
            "2: a row that is not wanted says why",
        ),
    ] {
        assert_eq!(
            read(&format!("{head}{line}\n")).unwrap_err(),
            [expected],
            "{line}"
        );
    }
    let two = format!("{head}1\tF\t\tdone\tb\n2\tY\ta\tdone\tx.rs::b\n");
    assert_eq!(read(&two).unwrap_err().len(), 3, "all at once");
}

#[test]
fn the_document_is_what_the_table_says() {
    let path = repository().join("docs/parity.md");
    let wanted = document(&rows());
    if env::var_os(RENEW).is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/parity.md is not what tests/provisioner/parity/rows.tsv says; \
         make it anew: {RENEW}=1 cargo test -p atoll --test provisioner parity::table"
    );
}
