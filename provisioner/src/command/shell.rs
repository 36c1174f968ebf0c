//! Words of commands that an operator is told to type.

use std::ffi::OsStr;

/// A word as a shell reads it: in quotes where it would be taken for something else.
pub(super) fn word(text: impl AsRef<OsStr>) -> String {
    let text = text.as_ref().to_string_lossy().into_owned();
    let is_plain = |c: char| c.is_alphanumeric() || "._-/+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_for_a_shell() {
        for path in [
            "my-federation",
            "/srv/my sites/a",
            "it's",
            "a$b",
            "~/x",
            "é",
            "",
        ] {
            let echo = format!("printf %s {}", word(path));
            let said = std::process::Command::new("sh")
                .args(["-c", &echo])
                .output();
            assert_eq!(said.unwrap().stdout, path.as_bytes(), "{path}");
        }
        assert_eq!(word("my-federation"), "my-federation");
    }
}
