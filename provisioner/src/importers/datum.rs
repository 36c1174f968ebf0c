//! A variable's value as Ansible would hold it, and Python's literals, as which Ansible reads
//! the values of an INI file.

/// A value. Numbers stay text: `1.10` is a version, and never the number 1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Datum {
    /// Python's `None`, YAML's `null`.
    Null,
    /// A truth value, which is not the text `true`.
    Bool(bool),
    /// A text or a number.
    Text(String),
    /// Encrypted by Ansible Vault.
    Sealed,
    /// A list or tuple.
    List(Vec<Datum>),
    /// A mapping.
    Map(Vec<(String, Datum)>),
}

/// Levels of brackets within a value.
const MAX_DEPTH: usize = 32;

impl Datum {
    /// A text, number or truth value as templates print it.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(true) => Some("True".to_owned()),
            Self::Bool(false) => Some("False".to_owned()),
            Self::Null | Self::Sealed | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// A truth value in any of the ways in which people write one.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" | "" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The items of a list, or of a text with commas.
    pub(super) fn items(&self) -> Option<Vec<String>> {
        match self {
            Self::List(items) => items.iter().map(Self::text).collect(),
            Self::Text(text) => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            _ => None,
        }
    }

    /// What an INI value means: a literal of Python when it is one, else the text itself.
    pub(super) fn of_ini(text: &str) -> Self {
        let mut reader = Reader {
            rest: text.trim(),
            depth: 0,
        };
        let literal = reader.literal();
        reader.blank();
        let is_over = reader.rest.is_empty() || reader.rest.starts_with('#');
        literal
            .filter(|_| is_over)
            .unwrap_or_else(|| Self::Text(text.trim().to_owned()))
    }
}

/// Reads literals of Python, as far as inventories have them.
struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: char) -> bool {
        self.blank();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn literal(&mut self) -> Option<Datum> {
        self.blank();
        match self.rest.chars().next()? {
            quote @ ('\'' | '"') => self.quoted(quote).map(Datum::Text),
            '[' => self.items('[', ']').map(Datum::List),
            '(' => self.items('(', ')').map(Datum::List),
            '{' => self.mapping().map(Datum::Map),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<Datum> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let datum = match word {
            "True" => Datum::Bool(true),
            "False" => Datum::Bool(false),
            "None" => Datum::Null,
            _ if is_number(word) => Datum::Text(word.to_owned()),
            _ => return None,
        };
        self.rest = rest;
        Some(datum)
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.push(match chars.next()?.1 {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                }),
                _ if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Some(text);
                }
                _ => text.push(c),
            }
        }
        None
    }

    fn enter(&mut self, open: char) -> Option<()> {
        self.depth += 1;
        (self.depth <= MAX_DEPTH && self.take(open)).then_some(())
    }

    fn items(&mut self, open: char, close: char) -> Option<Vec<Datum>> {
        self.enter(open)?;
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.literal()?);
            if !self.take(',') && !self.rest.starts_with(close) {
                return None;
            }
        }
        self.depth -= 1;
        Some(items)
    }

    fn mapping(&mut self) -> Option<Vec<(String, Datum)>> {
        self.enter('{')?;
        let mut entries = Vec::new();
        while !self.take('}') {
            let key = self.literal()?.text()?;
            self.take(':').then_some(())?;
            entries.push((key, self.literal()?));
            if !self.take(',') && !self.rest.starts_with('}') {
                return None;
            }
        }
        self.depth -= 1;
        Some(entries)
    }
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['-', '+']);
    digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().filter(|b| *b == b'.').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Datum {
        Datum::Text(text.to_owned())
    }

    #[test]
    fn an_ini_value_is_a_literal_of_python_or_itself() {
        for (value, datum) in [
            ("true", text("true")),
            ("True", Datum::Bool(true)),
            ("None", Datum::Null),
            ("1.10", text("1.10")),
            ("1.21.1", text("1.21.1")),
            ("vdb", text("vdb")),
            ("'a b' # why", text("a b")),
            ("a,b", text("a,b")),
            ("['a', \"b\"]", Datum::List(vec![text("a"), text("b")])),
            ("(1, )", Datum::List(vec![text("1")])),
            (
                "{'status': 'test'}",
                Datum::Map(vec![("status".to_owned(), text("test"))]),
            ),
            ("[a]", text("[a]")),
            ("'open", text("'open")),
            ("", text("")),
        ] {
            assert_eq!(Datum::of_ini(value), datum, "{value}");
        }
        assert_eq!(Datum::of_ini(&"[".repeat(5000)), text(&"[".repeat(5000)));
    }

    #[test]
    fn people_write_a_truth_value_in_many_ways() {
        for word in ["true", "True", "YES", "on", "1"] {
            assert_eq!(text(word).truth(), Some(true), "{word}");
        }
        assert_eq!(Datum::Bool(false).truth(), Some(false));
        assert_eq!(text("maybe").truth(), None);
    }
}
