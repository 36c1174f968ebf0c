//! Numbers of things, as people say them.

/// A number and its noun, which is of those that take an `s`: `1 host`, `4 hosts`.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_thing_is_no_things() {
        for (count, said) in [(0, "0 hosts"), (1, "1 host"), (4, "4 hosts")] {
            assert_eq!(counted(count, "host"), said);
        }
    }
}
