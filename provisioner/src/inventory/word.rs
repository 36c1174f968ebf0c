//! Words that only an inventory knows, each checked once when it is read.

use std::fmt;
use std::str::FromStr;

/// A decimal number, kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(String);

/// A country: two letters of ISO 3166-1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryCode(String);

/// Where a person or a list is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be {what}")]
pub struct WordError {
    text: String,
    what: &'static str,
}

impl Decimal {
    /// Its value, as near as a double can be.
    pub fn value(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl FromStr for Decimal {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let is_decimal = match unsigned.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(unsigned),
        };
        checked(
            is_decimal && text.len() <= 24,
            text,
            "a decimal number, such as 43.47",
        )
        .map(Self)
    }
}

impl FromStr for CountryCode {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let is_code = text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
        checked(is_code, text, "a country: two capital letters, such as ES").map(Self)
    }
}

impl FromStr for Email {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._%+-".contains(&b);
        let is_address = text.split_once('@').is_some_and(|(name, domain)| {
            let is_domain = domain.parse::<federation::names::DomainName>().is_ok();
            !name.is_empty() && name.bytes().all(allowed) && is_domain
        });
        checked(is_address, text, "an e-mail address").map(Self)
    }
}

impl Email {
    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }
}

fn checked(is_sound: bool, text: &str, what: &'static str) -> Result<String, WordError> {
    let text = text.to_owned();
    if is_sound {
        Ok(text)
    } else {
        Err(WordError { text, what })
    }
}

macro_rules! shown {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}

shown! { Decimal CountryCode Email }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_taken_or_refused_as_a_whole() {
        let decimal = |text: &str| text.parse::<Decimal>().is_ok();
        for (text, expected) in [
            ("52.25", true),
            ("-7", true),
            ("1.", false),
            (".5", false),
            ("1e3", false),
            ("+1", false),
            ("NaN", false),
            ("", false),
        ] {
            assert_eq!(decimal(text), expected, "{text}");
        }
        let email = |text: &str| text.parse::<Email>().is_ok();
        for (text, expected) in [
            ("ops@example.org", true),
            ("a.b+c@sub.example.org", true),
            ("@example.org", false),
            ("ops@localhost", false),
            ("ops", false),
            ("o ps@example.org", false),
        ] {
            assert_eq!(email(text), expected, "{text}");
        }
        assert!("ES".parse::<CountryCode>().is_ok() && "es".parse::<CountryCode>().is_err());
    }
}
