//! The word that was meant, where another was written.

/// The word that was probably meant, or all there are.
pub(super) fn advice(all_are: &str, text: &str, known: &[&'static str]) -> String {
    nearest(text, known).map_or_else(|| format!("{all_are} {}", known.join(", ")), did_you_mean)
}

pub(super) fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

/// The known word which is two edits away at most, or begins as the text does.
pub(crate) fn nearest<'k>(text: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |word: &&str| edits(text, word);
    let is_near = |word: &&str| {
        let (shorter, longer) = (text.len().min(word.len()), text.len().max(word.len()));
        longer - shorter <= 2 && distance(word) <= 2 && distance(word) < shorter
    };
    let is_prefix = |word: &&str| {
        text.len().min(word.len()) > 1 && (word.starts_with(text) || text.starts_with(word))
    };
    let near = known.iter().copied().filter(is_near).min_by_key(distance);
    near.or_else(|| known.iter().copied().find(is_prefix))
}

/// Levenshtein's distance: how many letters to insert, delete or replace.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_word_that_was_meant() {
        let known = ["address", "public_address", "roles", "vos", "kind"];
        for (text, meant) in [
            ("adress", Some("address")),
            ("addresses", Some("address")),
            ("addr", Some("address")),
            ("public", Some("public_address")),
            ("role", Some("roles")),
            ("vso", Some("vos")),
            ("vm", None),
            ("k", None),
            ("cpus", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, &known), meant, "{text}");
        }
    }

    #[test]
    fn edits_are_counted_in_letters() {
        for (a, b, distance) in [
            ("", "", 0),
            ("a", "", 1),
            ("é", "e", 1),
            ("kitten", "sitting", 3),
            ("abc", "abc", 0),
        ] {
            assert_eq!(edits(a, b), distance, "{a} {b}");
            assert_eq!(edits(b, a), distance, "{b} {a}");
        }
    }
}
