//! A body and its headers become a batch, or are refused. Reads nothing else, writes nothing.

use std::io::Read as _;

use federation::usage::{Entry, FORMAT, Header};
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

use super::caller::Caller;
use super::meaning;
use super::refusal::Refusal;
use crate::ledger::{Batch, Line, Problem};

/// The most that a delivery may be, before and after compression, in bytes.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The most entries that a delivery may have.
pub const MOST_ENTRIES: usize = 10_000;

/// The header that carries the digest of the lines before compression.
pub const DIGEST_HEADER: &str = "atoll-digest";

/// A delivery as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Who delivers it.
    pub caller: &'a Caller,
    /// The digest header's value.
    pub digest: Option<&'a str>,
    /// The compressed lines.
    pub body: &'a [u8],
    /// When it arrived, in µs since 1970 UTC.
    pub received_us: i64,
}

/// Judges a delivery by itself, without what is committed.
///
/// # Errors
/// Why it is refused; of lines that are wrong, all of them.
pub fn judge(delivery: &Delivery<'_>) -> Result<Batch, Refusal> {
    let text = decompress(delivery.body)?;
    compare(&text, delivery.digest)?;
    let text = String::from_utf8(text)
        .map_err(|error| Refusal::Malformed(format!("the lines are not UTF-8: {error}")))?;
    let mut lines = text.lines();
    let header = header(lines.next().unwrap_or_default(), delivery.caller)?;
    let texts: Vec<_> = lines.take(MOST_ENTRIES + 1).collect();
    let announced = usize::try_from(header.entries).unwrap_or(usize::MAX);
    if texts.len().max(announced) > MOST_ENTRIES {
        let most = format!("a delivery has at most {MOST_ENTRIES} entries");
        return Err(Refusal::TooLarge(most));
    }
    if texts.len() != announced {
        return Err(Refusal::Malformed(format!(
            "the header announces {announced} entries, and {} follow",
            texts.len()
        )));
    }
    Ok(Batch {
        lines: read(&texts)?,
        header,
        received_us: delivery.received_us,
    })
}

/// Stops as soon as there is more than there may be, so that a small body cannot fill the memory.
fn decompress(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut text = Vec::new();
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    GzDecoder::new(body)
        .take(most + 1)
        .read_to_end(&mut text)
        .map_err(|error| Refusal::Malformed(format!("the body is no gzip: {error}")))?;
    if text.len() > MOST_BYTES {
        return Err(Refusal::TooLarge(format!(
            "a delivery has at most {MOST_BYTES} bytes before compression"
        )));
    }
    Ok(text)
}

fn compare(text: &[u8], announced: Option<&str>) -> Result<(), Refusal> {
    let announced = announced
        .and_then(|value| value.trim().strip_prefix("sha256="))
        .ok_or_else(|| {
            Refusal::Malformed("the header Atoll-Digest must be sha256=<hex>".to_owned())
        })?;
    let found = format!("{:x}", Sha256::digest(text));
    if found.eq_ignore_ascii_case(announced) {
        return Ok(());
    }
    Err(Refusal::Malformed(format!(
        "the lines have the digest {found}, and not the one in Atoll-Digest: they changed on the way"
    )))
}

fn header(line: &str, caller: &Caller) -> Result<Header, Refusal> {
    let wrong = |what: String| Refusal::Wrong(vec![Problem { line: 1, what }]);
    let header: Header = serde_json::from_str(line)
        .map_err(|error| wrong(format!("cannot be read as a header: {error}")))?;
    if header.format != FORMAT {
        return Err(wrong(format!(
            "format {} is not known, only {FORMAT}",
            header.format
        )));
    }
    if header.node != caller.node || header.datacenter != caller.datacenter {
        return Err(Refusal::Forbidden(format!(
            "the certificate names node {} of {}, and these are the records of {} of {}",
            caller.node, caller.datacenter, header.node, header.datacenter
        )));
    }
    for (name, value) in [("node_id", &header.node_id), ("ledger", &header.ledger)] {
        if !is_id(value) {
            return Err(wrong(format!("`{name}` must be {ID_RULE}")));
        }
    }
    Ok(header)
}

/// What [`is_id`] wants.
pub(super) const ID_RULE: &str = "1 to 64 of a-z, A-Z, 0-9 and -, such as a UUID";

/// Whether a text can be an ID that a product or an agent has made.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn read(texts: &[&str]) -> Result<Vec<Line>, Refusal> {
    let mut lines = Vec::with_capacity(texts.len());
    let mut problems = Vec::new();
    let mut expected = None;
    for (place, &text) in texts.iter().enumerate() {
        let line = place + 2;
        let mut problem = |what| problems.push(Problem { line, what });
        let entry: Entry = match serde_json::from_str(text) {
            Ok(entry) => entry,
            Err(error) => {
                problem(format!("cannot be read as an entry: {error}"));
                expected = expected.and_then(|seq: u64| seq.checked_add(1));
                continue;
            }
        };
        if let Some(what) = misplaced(entry.seq, expected) {
            problem(what);
        }
        expected = entry.seq.checked_add(1);
        meaning::problems(&entry.body).into_iter().for_each(problem);
        lines.push(Line {
            entry,
            text: text.to_owned(),
        });
    }
    if problems.is_empty() {
        Ok(lines)
    } else {
        Err(Refusal::Wrong(problems))
    }
}

/// Numbers begin at 1, follow each other, and fit the ledger's.
fn misplaced(seq: u64, expected: Option<u64>) -> Option<String> {
    match expected {
        _ if seq == 0 => Some("`seq` begins at 1".to_owned()),
        _ if i64::try_from(seq).is_err() => Some(format!("`seq` {seq} is too large")),
        Some(expected) if seq != expected => {
            Some(format!("`seq` is {seq}, and {expected} comes next"))
        }
        Some(_) | None => None,
    }
}
