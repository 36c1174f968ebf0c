//! Cursors over a tree which collect mistakes instead of stopping at one.
//!
//! A [`Field`] is a value with the path of keys that led to it; it becomes a
//! [`Spot`], a list, or a [`Keys`] that hands out the fields of a mapping.
//! Whatever cannot be read is reported where it stands, and is then `None`.
//!
//! A field may also be described instead of read: then there is no document, and
//! each reader notes what it would have taken (see `outline`).

use std::fmt::Display;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use super::build::{LONG_TEXT, LONG_TEXT_HINT, is_long};
use super::outline::Outline;
use super::problem::{Place, Position, Problem, Problems};
use super::spelling::{advice, did_you_mean, nearest};
use super::tree::{Entry, Node, Style, Value};

/// A value and where it was written, so that a later check can point at it.
#[derive(Debug, Clone)]
pub(super) struct Spot<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// A text of several lines, and whether each of its lines is one of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) text: String,
    is_block: bool,
}

impl Spot<Lines> {
    /// The place of a line and column of the text, as near as can be told.
    pub(super) fn place_of(&self, line: usize, column: usize) -> Place {
        let Position {
            line: first,
            column: indent,
        } = self.place.position;
        let position = if self.value.is_block {
            Position {
                line: first + line - 1,
                column: indent + column - 1,
            }
        } else {
            self.place.position
        };
        self.place.moved(position, self.place.at.clone())
    }
}

/// A mapping of anything, and where each of its keys is: `features.cdi`.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) value: serde_json::Map<String, serde_json::Value>,
    pub(super) keys: Vec<(String, Place)>,
}

/// A value of a file, not read yet.
#[derive(Clone)]
pub(super) struct Field<'a> {
    node: &'a Node,
    place: Place,
    problems: &'a Problems,
    /// There when the field is described.
    outline: Option<Outline>,
}

impl<'a> Field<'a> {
    /// The whole document.
    pub(super) fn document(node: &'a Node, file: &Path, problems: &'a Problems) -> Self {
        let place = Place::start(file).moved(node.at, String::new());
        Self {
            node,
            place,
            problems,
            outline: None,
        }
    }

    /// No document: what is asked of this field is noted in the outline.
    pub(super) fn described(nothing: &'a Node, problems: &'a Problems, outline: Outline) -> Self {
        Self {
            outline: Some(outline),
            ..Self::document(nothing, Path::new(""), problems)
        }
    }

    fn below(&self, node: &'a Node, at: Position, path: String) -> Field<'a> {
        Field {
            node,
            place: self.place.moved(at, path),
            problems: self.problems,
            outline: None,
        }
    }

    /// A part of what is described, with an outline of its own.
    fn part(&self) -> (Field<'a>, Outline) {
        let outline = Outline::default();
        let part = Field {
            outline: Some(outline.clone()),
            ..self.clone()
        };
        (part, outline)
    }

    /// The value of a key. What has no value is where its key stands.
    fn entry(&self, entry: &'a Entry) -> Field<'a> {
        let at = match entry.value.value {
            Value::Null => entry.at,
            _ => entry.value.at,
        };
        self.below(&entry.value, at, self.path_to(&entry.key))
    }

    /// The value of a key, to be reported where its key stands.
    fn entry_key(&self, entry: &'a Entry) -> Field<'a> {
        self.below(&entry.value, entry.at, self.path_to(&entry.key))
    }

    fn path_to(&self, key: &str) -> String {
        let dot = if self.place.at.is_empty() { "" } else { "." };
        format!("{}{dot}{key}", self.place.at)
    }

    fn spot<T>(self, value: T) -> Spot<T> {
        let place = self.place;
        Spot { value, place }
    }

    /// Reports a problem of this value.
    fn refuse(&self, what: impl Into<String>, hint: Option<&str>) {
        let problem = Problem::error(&self.place, what);
        self.problems.add(Problem {
            hint: hint.map(str::to_owned),
            ..problem
        });
    }

    fn wrong_kind(&self, wanted: &str, hint: &str) {
        let found = match self.node.value {
            Value::Null => "nothing",
            Value::Text(..) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        };
        self.refuse(format!("expected {wanted}, found {found}"), Some(hint));
    }

    /// A text, or a mapping: each with its reader.
    pub(super) fn text_or_keys<T>(
        self,
        text: impl FnOnce(Field<'a>) -> Option<T>,
        keys: impl FnOnce(Field<'a>) -> Option<T>,
    ) -> Option<T> {
        if self.outline.is_some() {
            return text(self.clone()).or_else(|| keys(self));
        }
        match self.node.value {
            Value::Text(..) => text(self),
            _ => keys(self),
        }
    }

    fn text(&self) -> Option<&'a str> {
        let text = self.any_text()?;
        if is_long(text) {
            self.refuse(LONG_TEXT, Some(LONG_TEXT_HINT));
            return None;
        }
        Some(text)
    }

    fn any_text(&self) -> Option<&'a str> {
        if let Some(outline) = &self.outline {
            outline.text();
            return None;
        }
        let Value::Text(text, _) = &self.node.value else {
            self.wrong_kind("a text", "write one value after the `:`");
            return None;
        };
        Some(text)
    }

    /// A text of several lines, in the language of a product.
    pub(super) fn lines(self) -> Option<Spot<Lines>> {
        let text = self.any_text()?.to_owned();
        let is_foreign = |c: char| c.is_control() && c != '\n' && c != '\t';
        if text.contains(is_foreign) {
            let hint = "write it as a block: `|`, and the lines below, indented";
            self.refuse("a text with control characters", Some(hint));
            return None;
        }
        let is_block = matches!(self.node.value, Value::Text(_, Style::Block));
        Some(self.spot(Lines { text, is_block }))
    }

    /// A mapping of anything, which is read as YAML 1.2 reads it.
    pub(super) fn tree(self) -> Option<Tree> {
        if let Some(outline) = &self.outline {
            outline.anything();
            return None;
        }
        let value = self.entries()?.iter().map(json_entry).collect();
        let mut keys = Vec::new();
        self.key_places("", &mut keys);
        Some(Tree { value, keys })
    }

    /// The place of each key, also of those within others.
    fn key_places(&self, path: &str, keys: &mut Vec<(String, Place)>) {
        let Value::Map(entries) = &self.node.value else {
            return;
        };
        let dot = if path.is_empty() { "" } else { "." };
        for entry in entries.iter() {
            let path = format!("{path}{dot}{}", entry.key);
            keys.push((path.clone(), self.entry_key(entry).place));
            self.entry(entry).key_places(&path, keys);
        }
    }

    /// A text which its type can read, and which says why it cannot.
    pub(super) fn parse<T>(self) -> Option<Spot<T>>
    where
        T: FromStr<Err: Display>,
    {
        let value = self
            .text()?
            .parse()
            .map_err(|error: T::Err| self.refuse(error.to_string(), None))
            .ok()?;
        Some(self.spot(value))
    }

    /// A text which a function can read, with what to do when it cannot.
    pub(super) fn read<T>(
        self,
        read: impl FnOnce(&str) -> Result<T, String>,
        hint: &str,
    ) -> Option<Spot<T>> {
        let value = read(self.text()?)
            .map_err(|what| self.refuse(what, Some(hint)))
            .ok()?;
        Some(self.spot(value))
    }

    /// The address of a host.
    pub(super) fn address(self) -> Option<Spot<IpAddr>> {
        let hint = "write it as 192.0.2.10 or 2001:db8::10; names are not looked up";
        self.read(host_address, hint)
    }

    /// One of a few words, each with its meaning.
    pub(super) fn word<T: Copy>(self, words: &[(&'static str, T)]) -> Option<Spot<T>> {
        if let Some(outline) = &self.outline {
            outline.words(words.iter().map(|(word, _)| *word));
            return None;
        }
        let text = self.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(self.spot(*value));
        }
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let hint = advice("the words are", text, &known);
        self.refuse(format!("`{text}` is no word known here"), Some(&hint));
        None
    }

    /// A value which a function reads as a whole; it reports by itself what it cannot read.
    pub(super) fn whole<T>(self, read: impl FnOnce(Field<'a>) -> Option<T>) -> Spot<Option<T>> {
        let place = self.place.clone();
        let value = read(self);
        Spot { value, place }
    }

    /// The items of a list, `None` in place of each that could not be read.
    pub(super) fn list<T>(
        self,
        read: impl Fn(Field<'a>) -> Option<T>,
    ) -> Option<Spot<Vec<Option<T>>>> {
        if let Some(outline) = &self.outline {
            let (item, items) = self.part();
            read(item);
            outline.list(items);
            return None;
        }
        let Value::List(items) = &self.node.value else {
            self.wrong_kind("a list", "write it as `[one, two]`; `[]` is empty");
            return None;
        };
        let item = |(index, node): (usize, &'a Node)| {
            self.below(node, node.at, format!("{}[{index}]", self.place.at))
        };
        let value = items.iter().enumerate().map(item).map(read).collect();
        Some(self.spot(value))
    }

    /// The fields of a mapping whose keys are names.
    pub(super) fn named<K, T>(
        self,
        read: impl Fn(Option<Spot<K>>, Field<'a>) -> T,
    ) -> Option<Spot<Vec<T>>>
    where
        K: FromStr<Err: Display>,
    {
        if let Some(outline) = &self.outline {
            let (value, values) = self.part();
            read(None, value);
            outline.named(values);
            return None;
        }
        let entries = self.entries()?;
        let value = entries
            .iter()
            .map(|entry| read(self.name(entry), self.entry(entry)))
            .collect();
        Some(self.spot(value))
    }

    fn name<K: FromStr<Err: Display>>(&self, entry: &'a Entry) -> Option<Spot<K>> {
        let field = self.entry_key(entry);
        let value = entry
            .key
            .parse()
            .map_err(|error: K::Err| field.refuse(error.to_string(), None))
            .ok()?;
        Some(field.spot(value))
    }

    /// The fields of a mapping whose keys are ours. Reports the keys that `read` did not ask for.
    pub(super) fn keys<T>(self, read: impl FnOnce(&mut Keys<'_, 'a>) -> T) -> Option<T> {
        let entries = self.entries()?;
        let mut keys = Keys {
            field: &self,
            entries,
            known: Vec::new(),
            missing: Vec::new(),
            described: Vec::new(),
        };
        let value = read(&mut keys);
        keys.finish();
        Some(value)
    }

    fn entries(&self) -> Option<&'a [Entry]> {
        if self.outline.is_some() {
            return Some(&[]);
        }
        let Value::Map(entries) = &self.node.value else {
            let hint = "write it as `key: value` lines, or `{ key: value }`";
            self.wrong_kind("a mapping", hint);
            return None;
        };
        Some(entries)
    }
}

/// A mapping of which each known key is asked for by name.
pub(super) struct Keys<'f, 'a> {
    field: &'f Field<'a>,
    entries: &'a [Entry],
    known: Vec<&'static str>,
    missing: Vec<(&'static str, &'static str)>,
    /// Each key, what it takes, and whether it must be there.
    described: Vec<(&'static str, Outline, bool)>,
}

impl<'a> Keys<'_, 'a> {
    /// A key that must be there; the example is shown when it is not.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &'static str,
        read: impl FnOnce(Field<'a>) -> Option<T>,
    ) -> Option<T> {
        let field = self.find(key, true);
        if field.is_none() {
            self.missing.push((key, example));
        }
        read(field?)
    }

    /// A key that may be absent. A bad value is reported, and is then as if absent.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Field<'a>) -> Option<T>,
    ) -> Option<T> {
        read(self.find(key, false)?)
    }

    fn find(&mut self, key: &'static str, is_required: bool) -> Option<Field<'a>> {
        if self.field.outline.is_some() {
            let (part, outline) = self.field.part();
            self.described.push((key, outline, is_required));
            return Some(part);
        }
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| &*entry.key == key)?;
        Some(self.field.entry(entry))
    }

    /// Reports unknown keys, and missing ones that no unknown key was meant to be.
    fn finish(mut self) {
        if let Some(outline) = &self.field.outline {
            return outline.keys(self.described);
        }
        let (known, entries) = (self.known, self.entries);
        let is_absent = |key: &&'static str| entries.iter().all(|entry| &*entry.key != *key);
        let absent: Vec<_> = known.iter().copied().filter(is_absent).collect();
        for entry in entries.iter().filter(|entry| !known.contains(&&*entry.key)) {
            let meant = nearest(&entry.key, &absent);
            self.missing.retain(|(key, _)| Some(*key) != meant);
            let all = || advice("the keys here are", &entry.key, &known);
            let hint = meant.map_or_else(all, did_you_mean);
            self.field
                .entry_key(entry)
                .refuse("unknown key", Some(&hint));
        }
        for (key, example) in self.missing {
            let Field { node, .. } = self.field;
            let missing = self.field.below(node, node.at, self.field.path_to(key));
            missing.refuse("missing", Some(&format!("add `{key}: {example}`")));
        }
    }
}

fn json_entry(entry: &Entry) -> (String, serde_json::Value) {
    (entry.key.to_string(), json(&entry.value))
}

/// A value as JSON, by the core schema of YAML 1.2.
fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Text(text, Style::Quoted | Style::Block | Style::Sealed) => {
            serde_json::Value::from(&**text)
        }
        // What JSON takes for a number or a truth value, YAML does as well.
        Value::Text(text, Style::Plain) => serde_json::from_str(text)
            .ok()
            .filter(|value: &serde_json::Value| value.is_number() || value.is_boolean())
            .unwrap_or_else(|| serde_json::Value::from(&**text)),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => entries.iter().map(json_entry).collect(),
    }
}

/// The address of a host, which other hosts can reach.
pub(super) fn host_address(text: &str) -> Result<IpAddr, String> {
    // An address of a link alone means nothing without the link's name.
    let is_of_a_link = |it: &IpAddr| match it {
        IpAddr::V4(it) => it.is_link_local() || it.is_broadcast(),
        IpAddr::V6(it) => it.is_unicast_link_local(),
    };
    let is_of_a_host = |it: &IpAddr| {
        !(it.is_unspecified() || it.is_loopback() || it.is_multicast() || is_of_a_link(it))
    };
    let address = text
        .parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical());
    let what = || format!("`{text}` cannot be the IP address of a host");
    address.filter(is_of_a_host).ok_or_else(what)
}
