//! The settings file of a daemon: TOML, read once, with all its mistakes at once.
//!
//! A program takes the keys that it knows, one by one; what is missing, wrong
//! or left over is collected with its line, and [`Settings::finish`] tells all
//! of it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A settings file that is being read.
#[derive(Debug)]
pub struct Settings<'a> {
    text: &'a str,
    values: Vec<(String, Spanned<DeValue<'a>>)>,
    problems: Vec<Problem>,
}

/// Something wrong in a settings file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line, counted from one; 0 for what is missing.
    pub line: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

/// Everything wrong in a settings file, by line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}", self.what)
        } else {
            write!(f, "line {}: {}", self.line, self.what)
        }
    }
}

impl<'a> Settings<'a> {
    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no TOML.
    pub fn parse(text: &'a str) -> Result<Self, Problems> {
        let table = DeTable::parse(text).map_err(|error| {
            Problems(vec![Problem {
                line: error.span().map_or(0, |span| line(text, &span)),
                what: error.message().to_owned(),
            }])
        })?;
        let mut values = Vec::new();
        flatten("", table.into_inner(), &mut values);
        Ok(Self {
            text,
            values,
            problems: Vec::new(),
        })
    }

    /// A text which must be there and be a `T`. Gives nothing after a mistake, which is kept.
    pub fn required<T: FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        if !self.has(key) {
            self.problem(0, format!("`{key}` is missing"));
            return None;
        }
        self.optional(key)
    }

    /// A text which may be there, and then must be a `T`.
    pub fn optional<T: FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        let (line, value) = self.take(key)?;
        let text = match &value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            _ => {
                self.problem(line, format!("`{key}` must be a single value"));
                return None;
            }
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(line, format!("`{key}`: {error}"));
                None
            }
        }
    }

    /// The keys directly below a table, such as the namespaces of `[vos]`, in their order.
    pub fn below(&self, table: &str) -> Vec<String> {
        let prefix = format!("{table}.");
        let mut keys: Vec<String> = Vec::new();
        for (path, _) in &self.values {
            if let Some(rest) = path.strip_prefix(&prefix) {
                let key = rest.split('.').next().unwrap_or(rest).to_owned();
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        keys
    }

    /// Keeps a mistake that the caller has found in a value that it took.
    pub fn refuse(&mut self, what: impl Into<String>) {
        self.problem(0, what.into());
    }

    /// Tells what was wrong, and which keys nobody knows.
    ///
    /// # Errors
    /// When there is anything of that.
    pub fn finish(mut self) -> Result<(), Problems> {
        for (key, value) in std::mem::take(&mut self.values) {
            let line = line(self.text, &value.span());
            self.problem(line, format!("`{key}` is no setting"));
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        self.problems.sort();
        Err(Problems(self.problems))
    }

    fn has(&self, key: &str) -> bool {
        self.values.iter().any(|(path, _)| path == key)
    }

    fn take(&mut self, key: &str) -> Option<(usize, DeValue<'a>)> {
        let place = self.values.iter().position(|(path, _)| path == key)?;
        let (_, value) = self.values.remove(place);
        Some((line(self.text, &value.span()), value.into_inner()))
    }

    fn problem(&mut self, line: usize, what: String) {
        self.problems.push(Problem { line, what });
    }
}

fn flatten<'a>(prefix: &str, table: DeTable<'a>, values: &mut Vec<(String, Spanned<DeValue<'a>>)>) {
    for (key, value) in table {
        let path = format!("{prefix}{}", key.get_ref());
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(inner) => flatten(&format!("{path}."), inner, values),
            other => values.push((path, Spanned::new(span, other))),
        }
    }
}

fn line(text: &str, span: &Range<usize>) -> usize {
    let before = text.get(..span.start).unwrap_or(text);
    before.bytes().filter(|&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_told_at_once() {
        let mut settings =
            Settings::parse("node = \"a\"\n[nomad]\nport = \"x\"\nprot = 1\n").unwrap();
        assert_eq!(settings.required::<String>("node").as_deref(), Some("a"));
        assert_eq!(settings.required::<u16>("nomad.port"), None);
        assert_eq!(settings.required::<String>("nomad.token"), None);
        let problems = settings.finish().unwrap_err();
        assert_eq!(
            problems.to_string(),
            "`nomad.token` is missing\n\
             line 3: `nomad.port`: invalid digit found in string\n\
             line 4: `nomad.prot` is no setting"
        );
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        let problems = Settings::parse("a = 1\nb = \n").unwrap_err();
        assert_eq!(problems.0.first().unwrap().line, 2);
    }
}
