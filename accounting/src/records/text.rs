//! Texts as the accounting service takes them: ASCII, one line, at most 255 characters, no `%%`.

/// The longest text that its tables hold.
pub const LONGEST: usize = 255;

/// A text that is accepted, as near to the one given as can be: each character that may not be
/// there becomes `_`.
pub fn clean(text: &str) -> String {
    let mut clean = String::new();
    for c in text.trim().chars() {
        if clean.len() == LONGEST {
            break;
        }
        // Two of these anywhere end a record.
        let again = c == '%' && clean.ends_with('%');
        let good = c == ' ' || c.is_ascii_graphic();
        clean.push(if good && !again { c } else { '_' });
    }
    clean.truncate(clean.trim_end().len());
    clean
}

/// Whether the service takes the text for no text at all.
pub fn is_null(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.eq_ignore_ascii_case("none") || text.eq_ignore_ascii_case("null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_that_is_accepted() {
        for (given, wanted) in [
            ("plain text: 50% of it", "plain text: 50% of it"),
            (" a\tb\r\nc ", "a_b__c"),
            ("a%%b%%%c", "a%_b%_%c"),
            ("Jos\u{e9} \u{1f600}", "Jos_ _"),
            ("", ""),
        ] {
            assert_eq!(clean(given), wanted);
            assert_eq!(clean(wanted), wanted);
        }
        assert_eq!(clean(&"x".repeat(300)).len(), 255);
        assert_eq!(clean(&format!("{} y", "x".repeat(254))).len(), 254);
    }
}
