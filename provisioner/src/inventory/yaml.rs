//! Bytes become a tree: UTF-8, then YAML, with errors that a person can act on.
//!
//! The parser's events go to [`Builder`]; what it cannot parse ends the reading
//! of the file, since no later line has a certain meaning.

use std::cell::Cell;
use std::path::Path;

use saphyr_parser::{Marker, Parser, ScanError};

use super::build::{Builder, Dialect, NOT_OURS};
use super::problem::{Place, Position, Problem, Problems};
use super::tree::Node;

/// The longest file that is read, in bytes.
pub(crate) const MAX_FILE_BYTES: usize = 4 << 20;
/// Characters that are read before the parser must say something.
const MAX_AHEAD: usize = 1 << 20;

/// Reads one YAML document, and reports why where it cannot.
pub(super) fn parse(file: &Path, bytes: &[u8], problems: &Problems) -> Option<Node> {
    read(file, bytes, Dialect::Own, problems)
}

/// Reads one YAML document in Ansible's words, for those who import it.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn ansible(file: &Path, bytes: &[u8]) -> Result<Node, Vec<Problem>> {
    let problems = Problems::default();
    let node = read(file, bytes, Dialect::Ansible, &problems);
    let problems = problems.sorted();
    node.filter(|_| problems.is_empty()).ok_or(problems)
}

fn read(file: &Path, bytes: &[u8], dialect: Dialect, problems: &Problems) -> Option<Node> {
    let mut builder = Builder::new(Place::start(file), dialect, problems);
    let parsed = text_of(bytes, &builder).and_then(|text| build(text, &mut builder));
    parsed.map_err(|fatal| problems.add(fatal)).ok()?;
    Some(builder.finish())
}

fn build(text: &str, builder: &mut Builder) -> Result<(), Problem> {
    // The parser holds a whole `[ … ]` in memory, in case it is a key.
    let ahead = Cell::new(0);
    let chars = text
        .chars()
        .take_while(|_| ahead.replace(ahead.get() + 1) < MAX_AHEAD);
    for event in Parser::new_from_iter(chars) {
        let at = position(
            event
                .as_ref()
                .map_or_else(ScanError::marker, |(_, span)| &span.start),
        );
        if ahead.replace(0) > MAX_AHEAD {
            return Err(builder.error(at, "a value or comment longer than 1 MiB", NOT_OURS));
        }
        let (event, _) = event.map_err(|error| explain(error.info(), at, builder))?;
        builder.event(event, at)?;
    }
    Ok(())
}

fn text_of<'t>(bytes: &'t [u8], builder: &Builder) -> Result<&'t str, Problem> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(builder.error(end_of(""), "longer than 4 MiB", NOT_OURS));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = end_of(&String::from_utf8_lossy(&bytes[..error.valid_up_to()]));
        builder.error(at, "not UTF-8 from here on", "save the file as UTF-8")
    })?;
    match indenting_tab(text) {
        None => Ok(text),
        Some(at) => Err(builder.error(at, "a tab in the indentation", "indent with spaces")),
    }
}

fn position(marker: &Marker) -> Position {
    Position {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

/// The place just after a text.
fn end_of(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Position {
        line: text.matches('\n').count() + 1,
        column: last.chars().count() + 1,
    }
}

/// The first tab before the content of a line; blank lines and comments may have some.
fn indenting_tab(text: &str) -> Option<Position> {
    text.lines().enumerate().find_map(|(index, line)| {
        let content = line.trim_start_matches([' ', '\t']);
        let tab = line[..line.len() - content.len()].find('\t')?;
        let is_content = !content.trim().is_empty() && !content.starts_with('#');
        is_content.then_some(Position {
            line: index + 1,
            column: tab + 1,
        })
    })
}

/// The parser's words in ours: what is wrong, and what to do.
fn explain(theirs: &str, at: Position, builder: &Builder) -> Problem {
    let ours = WORDS
        .iter()
        .find(|(parts, ..)| parts.iter().any(|part| theirs.contains(part)));
    match ours {
        Some((_, what, hint)) => builder.error(at, *what, hint),
        None => builder.error(
            at,
            format!("not YAML: {theirs}"),
            "compare with inventories/example",
        ),
    }
}

/// Parts of the parser's messages in the order of trial, and what we say instead.
const WORDS: &[(&[&str], &str, &str)] = &[
    (
        &["unknown anchor"],
        "an alias that names nothing",
        "`*name` stands for an earlier value marked `&name`",
    ),
    (
        &["flow mapping"],
        "a `,` or `}` is missing",
        "close the `{` on this line or above",
    ),
    (
        &["flow sequence"],
        "a `,` or `]` is missing",
        "close the `[` on this line or above",
    ),
    (
        &["illegal placement of ':'"],
        "a `:` is not expected here",
        "close the `[` on this line or above",
    ),
    (
        &["quoted scalar"],
        "a quoted text does not end, or has a wrong escape",
        "look for a missing quote on this line or above",
    ),
    (
        &["mapping values are not allowed"],
        "a `:` is not expected here",
        "put a value with `: ` in quotes, or correct the indentation",
    ),
    (
        &["expected key", "expect ':'", "simple key expected"],
        "a `key: value` is expected here",
        "correct the indentation, and see that `: ` follows the key",
    ),
    (
        &["indentation", "expected '-'"],
        "the indentation fits no line above",
        "give what belongs together the same column",
    ),
    (
        &["unexpected character", "expected node content"],
        "a value cannot start like this",
        "put it in quotes",
    ),
];
