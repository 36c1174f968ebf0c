//! `docs/parity.md`, made of the table.

use std::fmt::Write as _;

use super::row::{CAPABILITIES, Evidence, Kind, Row, State};

const HEAD: &str = "\
# What became of ai4-ansible

Made of `tests/provisioner/parity/rows.tsv`; edit that one, and make this anew with
`ATOLL_RENEW_DOCS=1 cargo test -p atoll --test provisioner parity::table`.

What [ai4-ansible](https://github.com/ai4os/ai4-ansible) (as of commit 5307d22) does, in 502 rows: **F** is a behaviour to
keep, **D** a defect or weakness that Atoll does not reproduce, **X** something that nothing used. A row is

- **done**: it holds, and the tests that it names fail when it does not. A test that does not exist fails the build.
- **waiting**: for the capability in bold, because something is missing.
- **not wanted**: for the reason given.
";

/// The sections, each with the number of its first row.
const SECTIONS: &[(u16, &str)] = &[
    (1, "1.1 Playbooks"),
    (21, "1.2 Variables"),
    (77, "1.3 Groups and variables of hosts"),
    (124, "1.4 The role of Consul"),
    (206, "1.5 The role that lets a site in"),
    (221, "1.6 The role of Nomad"),
    (319, "1.7 Traefik"),
    (351, "1.8 Clean-up of images"),
    (357, "1.9 Timers and scripts"),
    (368, "1.10 Roles for GPUs, updates and jobs"),
    (378, "1.11 The ways of secrets"),
    (391, "1.12 What is done by hand"),
    (406, "1.13 Tests"),
    (413, "1.14 Behaviour in general"),
    (431, "1.15 Files"),
    (476, "1.16 Commands"),
];

/// The whole document.
pub(super) fn document(rows: &[Row]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&counts(rows));
    text.push_str(&capabilities(rows));
    for (index, (first, title)) in SECTIONS.iter().enumerate() {
        let end = SECTIONS.get(index + 1).map_or(u16::MAX, |(next, _)| *next);
        let _ = write!(
            text,
            "\n## {title}\n\n| row | kind | what was there | state | proof, or what is missing |\n|---|---|---|---|---|\n"
        );
        for row in rows
            .iter()
            .filter(|row| (*first..end).contains(&row.number))
        {
            let _ = writeln!(
                text,
                "| P{} | {} | {} | {} | {} |",
                row.number,
                row.kind.letter(),
                row.subject,
                row.state.word(),
                reason(&row.state)
            );
        }
    }
    text
}

fn counts(rows: &[Row]) -> String {
    let count = |kind: Option<Kind>, word: Option<&str>| {
        let of_kind = rows
            .iter()
            .filter(|row| kind.is_none_or(|kind| row.kind == kind));
        of_kind
            .filter(|row| word.is_none_or(|word| row.state.word() == word))
            .count()
    };
    let mut text = String::from("\n| | F | D | X | all |\n|---|---|---|---|---|\n");
    for word in [Some("done"), Some("waiting"), Some("not wanted"), None] {
        let [f, d, x] =
            [Kind::Feature, Kind::Defect, Kind::Unused].map(|kind| count(Some(kind), word));
        let name = word.unwrap_or("all");
        let _ = writeln!(text, "| {name} | {f} | {d} | {x} | {} |", count(None, word));
    }
    text
}

fn capabilities(rows: &[Row]) -> String {
    let mut text = String::from("\n| waits for | rows | that is |\n|---|---|---|\n");
    for (name, meaning) in CAPABILITIES {
        let waits = |row: &&Row| matches!(&row.state, State::Waiting { capability, .. } if capability == name);
        let count = rows.iter().filter(waits).count();
        if count > 0 {
            let _ = writeln!(text, "| **{name}** | {count} | {meaning} |");
        }
    }
    text
}

fn reason(state: &State) -> String {
    match state {
        State::Done(tests) => tests.iter().map(link).collect::<Vec<_>>().join(", "),
        State::Waiting {
            capability,
            missing,
        } => format!("**{capability}**: {missing}"),
        State::NotWanted(why) => why.clone(),
    }
}

fn link(Evidence { file, name }: &Evidence) -> String {
    format!("[{name}](../{file})")
}
