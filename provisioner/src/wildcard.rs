//! Names by pattern, as operators write them: `wn-*` of `--on`, `192.0.2.?` of an SSH configuration.

/// Whether a name is the one that a pattern describes: `*` stands for any letters or none, `?` for
/// one.
///
/// Only the last `*` ever takes more of the name, so hostile patterns cost no more than the
/// product of both lengths.
pub fn is_like(name: &str, pattern: &str) -> bool {
    let (name, pattern): (Vec<char>, Vec<char>) =
        (name.chars().collect(), pattern.chars().collect());
    let (mut n, mut p) = (0, 0);
    // Where the last `*` stood, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                n += 1;
                p += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_a_question_mark_for_one_letter() {
        for (name, pattern, like) in [
            ("192.0.2.7", "192.0.2.*", true),
            ("192.0.2.7", "192.0.2.?", true),
            ("192.0.2.17", "192.0.2.?", false),
            ("node", "*", true),
            ("node", "n*d*", true),
            ("node", "node", true),
            ("node", "nod", false),
            ("", "*", true),
            ("", "?", false),
            ("wn-0", "wn-0", true),
            ("wn-01", "wn-0", false),
            ("wn-0", "wn-*", true),
            ("wn-", "wn-*", true),
            ("own-0", "wn-*", false),
            ("wn-0", "*-0", true),
            ("wn-0-1", "*-0", false),
            ("one-wn-0", "one-*-0", true),
            ("one-0", "one-*-*", false),
            ("a-ab", "*-ab", true),
            ("aab", "*ab", true),
        ] {
            assert_eq!(is_like(name, pattern), like, "{name} {pattern}");
        }
    }

    /// With backtracking at each `*` this takes longer than the universe has.
    #[test]
    fn a_hostile_pattern_ends() {
        let pattern = "*a".repeat(1_000) + "b";
        assert!(!is_like(&"a".repeat(2_000), &pattern));
    }
}
