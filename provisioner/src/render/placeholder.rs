//! Secrets in a rendered text: names, until the last moment.

use crate::plan::SecretKind;

const OPEN: &str = "@secret(";
const CLOSE: &str = ")@";

/// A text asks for a secret that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no secret called `{name}`")]
pub struct UnfilledSecret {
    /// The secret's name, or the rest of the line where a placeholder has no end.
    pub name: String,
}

/// Puts values in the place of a text's `@secret(<name>)@`.
///
/// What a value says is never read as a placeholder itself.
///
/// # Errors
/// When a name is unknown to `lookup`, or a placeholder has no end in its line.
pub fn fill(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, UnfilledSecret> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let line = after.lines().next().unwrap_or_default();
        let unfilled = |name: &str| UnfilledSecret {
            name: name.to_owned(),
        };
        let (name, _) = line.split_once(CLOSE).ok_or_else(|| unfilled(line))?;
        let value = lookup(name).ok_or_else(|| unfilled(name))?;
        filled.push_str(before);
        filled.push_str(&value);
        rest = &after[name.len() + CLOSE.len()..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A value of the right form and of no worth, for programs that validate a file.
pub fn throwaway(kind: SecretKind) -> String {
    match kind {
        SecretKind::Uuid => "00000000-0000-4000-8000-000000000000".to_owned(),
        SecretKind::Key32 => "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned(),
        SecretKind::Given => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_filled_or_the_missing_name_is_told() {
        let cases = [
            // text, expected
            ("", Ok("")),
            ("plain @ text )@", Ok("plain @ text )@")),
            ("a = \"@secret(one)@\"\n", Ok("a = \"1\"\n")),
            ("@secret(one)@@secret(two)@", Ok("1@secret(one)@")),
            ("@secret(three)@", Err("three")),
            ("x @secret(one\n)@", Err("one")),
        ];
        let lookup = |name: &str| match name {
            "one" => Some("1".to_owned()),
            "two" => Some("@secret(one)@".to_owned()),
            _ => None,
        };
        for (text, expected) in cases {
            let filled = fill(text, lookup).map_err(|error| error.name);
            assert_eq!(
                filled.as_deref(),
                expected.map_err(str::to_owned).as_deref(),
                "{text}"
            );
        }
    }
    #[test]
    fn a_throwaway_value_has_the_form_of_a_real_one() {
        let uuid = throwaway(SecretKind::Uuid);
        assert!(uuid.split('-').map(str::len).eq([8, 4, 4, 4, 12]), "{uuid}");
        let key = throwaway(SecretKind::Key32);
        assert_eq!(
            key.trim_end_matches('=').len(),
            43,
            "32 bytes in base64: {key}"
        );
        assert_eq!(key.len(), 44, "{key}");
    }
}
