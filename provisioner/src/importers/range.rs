//! Host patterns with ranges: `node-[01:10]`, `node-[a:f]`, `node-[1:9:2].example.org`.

/// A range that has no meaning, or means too many hosts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RangeError {
    /// Not of the form `[first:last]` or `[first:last:step]`.
    Malformed,
    /// More names than are left to be given.
    TooMany,
}

/// The names a pattern stands for, `most` of them at most.
pub(super) fn expand(pattern: &str, most: usize) -> Result<Vec<String>, RangeError> {
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('[') {
        let (range, after) = after.split_once(']').ok_or(RangeError::Malformed)?;
        let steps = steps(range, most)?;
        if names.len().saturating_mul(steps.len()) > most {
            return Err(RangeError::TooMany);
        }
        let extended = |name: &String| {
            let name = format!("{name}{before}");
            steps
                .iter()
                .map(move |step| format!("{name}{step}"))
                .collect::<Vec<_>>()
        };
        names = names.iter().flat_map(extended).collect();
        rest = after;
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// What stands in place of a range, in order.
fn steps(range: &str, most: usize) -> Result<Vec<String>, RangeError> {
    let mut parts = range.split(':');
    let (first, last) = (parts.next().unwrap_or(""), parts.next());
    let last = last.ok_or(RangeError::Malformed)?;
    let step = parts.next().map_or(Ok(1), str::parse::<usize>);
    let step = step.map_err(|_| RangeError::Malformed)?;
    if parts.next().is_some() || step == 0 {
        return Err(RangeError::Malformed);
    }
    let first = if first.is_empty() { "0" } else { first };
    if let (Some(from), Some(to)) = (letter(first), letter(last)) {
        // Between the cases stand signs, and backward there is nothing.
        if from > to || from.is_ascii_lowercase() != to.is_ascii_lowercase() {
            return Err(RangeError::Malformed);
        }
        return Ok((from..=to)
            .step_by(step)
            .map(|c| char::from(c).to_string())
            .collect());
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| RangeError::Malformed);
    let (from, to) = (number(first)?, number(last)?);
    let count = to.checked_sub(from).ok_or(RangeError::Malformed)? / step as u64;
    if count >= most as u64 {
        return Err(RangeError::TooMany);
    }
    // A leading zero asks for as many digits as it is written with.
    let width = if first.starts_with('0') {
        first.len()
    } else {
        1
    };
    Ok((from..=to)
        .step_by(step)
        .map(|n| format!("{n:0width$}"))
        .collect())
}

fn letter(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_out() {
        for (pattern, names) in [
            ("node", vec!["node"]),
            ("node[1:3]", vec!["node1", "node2", "node3"]),
            ("n-[08:10].x", vec!["n-08.x", "n-09.x", "n-10.x"]),
            ("n[a:c]", vec!["na", "nb", "nc"]),
            ("n[1:6:2]", vec!["n1", "n3", "n5"]),
            ("r[1:2]n[1:2]", vec!["r1n1", "r1n2", "r2n1", "r2n2"]),
            ("n[:1]", vec!["n0", "n1"]),
        ] {
            assert_eq!(expand(pattern, 100).unwrap(), names, "{pattern}");
        }
    }

    #[test]
    fn a_range_without_end_or_meaning_is_refused() {
        for pattern in [
            "n[1:",
            "n[1]",
            "n[3:1]",
            "n[1:2:0]",
            "n[a:2]",
            "n[1:2:3:4]",
            "n[f:a]",
            "n[A:c]",
        ] {
            assert_eq!(
                expand(pattern, 100),
                Err(RangeError::Malformed),
                "{pattern}"
            );
        }
        for pattern in [
            "n[1:999999999]",
            "n[1:50]m[1:50]",
            "n[0:18446744073709551615]",
        ] {
            assert_eq!(expand(pattern, 100), Err(RangeError::TooMany), "{pattern}");
        }
    }
}
