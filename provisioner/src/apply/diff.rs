//! The unified diff of a file, with every secret shown as its fingerprint.

use std::fmt::Write as _;

use similar::TextDiff;

use crate::apply::wanted::{WantedFile, Wish};
use crate::secrets::Store;

/// How a file will change, or nothing where there is no text to show: a key, a
/// certificate, a change of owner.
pub fn diff(file: &WantedFile, found: Option<&str>, store: &Store) -> Option<String> {
    let Wish::Text(wanted) = &file.wish else {
        return None;
    };
    let (old, new) = (
        masked(found.unwrap_or_default(), store),
        masked(wanted, store),
    );
    if old == new {
        return Some("  the same bytes, but no run has confirmed them".to_owned());
    }
    let diff = TextDiff::from_lines(&old, &new);
    let text = diff.unified_diff().context_radius(2).to_string();
    Some(text.trim_end().to_owned())
}

/// Whatever has the form of a token or of a gossip key is a secret, ours or not:
/// the file on the host may hold one that the store does not know.
fn masked(text: &str, store: &Store) -> String {
    let mut masked = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "-+/=_".contains(c)))
    {
        let end = part.len()
            - part
                .chars()
                .next_back()
                .filter(|&c| !(c.is_ascii_alphanumeric() || "-+/=_".contains(c)))
                .map_or(0, char::len_utf8);
        let (word, rest) = part.split_at(end);
        if looks_secret(word) {
            let _ = write!(masked, "<secret {}>", store.fingerprint(word));
        } else {
            masked.push_str(word);
        }
        masked.push_str(rest);
    }
    masked
}

fn looks_secret(word: &str) -> bool {
    uuid::Uuid::try_parse(word).is_ok() || (word.len() == 44 && word.ends_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_keys_are_secrets_and_words_are_not() {
        assert!(looks_secret("6b2f2b0a-6f0b-4c6e-9b1c-2d3e4f5a6b7c"));
        assert!(looks_secret("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        assert!(!looks_secret("example-one-server-0"));
        assert!(!looks_secret(""));
    }
}
