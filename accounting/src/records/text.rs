//! Texts as the accounting service takes them: ASCII, one line, at most 255 characters, no `%%`,
//! and nothing that looks encrypted.

/// The longest text that its tables hold.
pub const LONGEST: usize = 255;

/// What a receiver knows an encrypted message by, wherever in it this stands: it would try to
/// decrypt one that is not, and reject it whole.
pub const ENCRYPTED: [&str; 2] = ["application/pkcs7-mime", "application/x-pkcs7-mime"];

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
    for magic in ENCRYPTED {
        clean = clean.replace(magic, &magic.replace('/', "_"));
    }
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
            (
                "a.example.org/application/pkcs7-mime:1 application/x-pkcs7-mime",
                "a.example.org/application_pkcs7-mime:1 application_x-pkcs7-mime",
            ),
            ("application/pkcs7-signature", "application/pkcs7-signature"),
        ] {
            assert_eq!(clean(given), wanted);
            assert_eq!(clean(wanted), wanted);
        }
        assert_eq!(clean(&"x".repeat(300)).len(), 255);
        assert_eq!(clean(&format!("{} y", "x".repeat(254))).len(), 254);
    }
}
