//! The parser's events become a tree.
//!
//! Aliases and merge keys are resolved here, so no later stage knows of them.
//! The tree is bounded in depth and nodes whatever the file says: an alias
//! shares the value it names, and is counted as if it were written out.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, ScalarStyle, Tag};

use super::problem::{Place, Position, Problem, Problems};
use super::tree::{Entry, Node, Style, Value};

/// The longest text: a page of a product's own configuration. Most values are shorter by rule.
const MAX_TEXT_BYTES: usize = 64 << 10;
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 100_000;
/// What to do about a file beyond the limits.
pub(super) const NOT_OURS: &str = "no inventory needs that: is this the right file?";

/// What is wrong with a text where a word is wanted.
pub(super) const LONG_TEXT: &str =
    "a text with control characters, of several lines, or of more than 1024 bytes";
/// What to do about it.
pub(super) const LONG_TEXT_HINT: &str = "values are short: look for a misplaced quote, `|` or `>`";

/// Whether a text is no single short line.
pub(super) fn is_long(text: &str) -> bool {
    text.len() > 1024 || text.contains(char::is_control)
}

/// Whose words a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Ours: no tags.
    Own,
    /// Ansible's: `!unsafe` means nothing to us, `!vault` is a text that only Ansible can read.
    Ansible,
}

/// A list or mapping whose end has not been met.
struct Open {
    at: Position,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Mapping),
}

#[derive(Default)]
struct Mapping {
    entries: Vec<Entry>,
    seen: HashMap<Rc<str>, Position>,
    merged: Vec<Node>,
    key: Option<Key>,
}

/// A key that waits for its value.
enum Key {
    Kept(Rc<str>, Position),
    Merge,
    /// Reported; its value will be read and forgotten.
    Refused,
}

/// Builds one tree from one document's events.
///
/// Mistakes after which the rest still has a meaning (a key said twice) are
/// reported and left out; any other ends the building.
pub(super) struct Builder<'a> {
    start: Place,
    dialect: Dialect,
    problems: &'a Problems,
    open: Vec<Open>,
    /// By the parser's number; `None` while the value is still being read.
    anchors: HashMap<usize, Option<Node>>,
    nodes: usize,
    root: Option<Node>,
}

impl<'a> Builder<'a> {
    /// Begins with nothing; problems are in the file of `start`.
    pub(super) fn new(start: Place, dialect: Dialect, problems: &'a Problems) -> Self {
        Self {
            start,
            dialect,
            problems,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            root: None,
        }
    }

    /// The tree, once the events have ended; a document may be empty.
    pub(super) fn finish(self) -> Node {
        self.root
            .unwrap_or_else(|| Node::leaf(self.start.position, Value::Null))
    }

    /// Takes the next event.
    pub(super) fn event(&mut self, event: Event, at: Position) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let hint = "one file is one document: split the file, or remove the `---`";
                return Err(self.error(at, "a second document begins here", hint));
            }
            Event::Alias(anchor) => self.alias(at, anchor)?,
            Event::Scalar(text, style, anchor, tag) => {
                if self.is_sealed(at, tag.as_deref()) {
                    self.admit(at, 1, 0)?;
                    self.place(
                        Node::leaf(at, Value::Text("".into(), Style::Sealed)),
                        anchor,
                    );
                } else {
                    self.scalar(at, &text, style, anchor)?;
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.is_sealed(at, tag.as_deref());
                self.begin(at, anchor, Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.is_sealed(at, tag.as_deref());
                self.begin(at, anchor, Content::Map(Mapping::default()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn alias(&mut self, at: Position, anchor: usize) -> Result<(), Problem> {
        let Some(named) = self.anchors.get(&anchor).cloned().flatten() else {
            let what = "an alias inside of the value it names";
            return Err(self.error(at, what, "write the value out"));
        };
        self.admit(at, named.nodes, named.height)?;
        self.place(Node { at, ..named }, 0);
        Ok(())
    }

    fn scalar(
        &mut self,
        at: Position,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
    ) -> Result<(), Problem> {
        self.admit(at, 1, 0)?;
        let is_word = !is_long(text);
        if text.len() > MAX_TEXT_BYTES || (self.expects_key() && !is_word) {
            return Err(self.error(at, LONG_TEXT, LONG_TEXT_HINT));
        }
        let is_plain = style == ScalarStyle::Plain;
        if is_plain && text == "<<" && self.expects_key() {
            self.wait_for(Key::Merge, at, text);
        } else if is_plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            self.place(Node::leaf(at, Value::Null), anchor);
        } else {
            let style = match style {
                ScalarStyle::Plain => Style::Plain,
                ScalarStyle::Literal => Style::Block,
                _ => Style::Quoted,
            };
            self.place(Node::leaf(at, Value::Text(text.into(), style)), anchor);
        }
        Ok(())
    }

    fn begin(&mut self, at: Position, anchor: usize, content: Content) -> Result<(), Problem> {
        self.admit(at, 1, 0)?;
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open {
            at,
            anchor,
            content,
        });
        Ok(())
    }

    fn end(&mut self) {
        let Some(Open {
            at,
            anchor,
            content,
        }) = self.open.pop()
        else {
            return;
        };
        let node = match content {
            Content::List(items) => Node::list(at, items),
            Content::Map(mapping) => Node::map(at, self.merge(mapping)),
        };
        self.place(node, anchor);
    }

    /// Counts nodes against the limits before they exist.
    fn admit(&mut self, at: Position, nodes: usize, height: usize) -> Result<(), Problem> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let what = "more than 100000 keys and values, with aliases written out";
            return Err(self.error(at, what, NOT_OURS));
        }
        if self.open.len() + height >= MAX_DEPTH {
            return Err(self.error(at, "nested deeper than 64 levels", NOT_OURS));
        }
        Ok(())
    }

    /// Puts a complete value where it belongs: in a list, as a key, as a key's value, or at the top.
    fn place(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, Some(node.clone()));
        }
        if self.expects_key() {
            return self.key(&node);
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(mapping)) => match mapping.key.take() {
                Some(Key::Kept(key, at)) => mapping.entries.push(Entry {
                    key,
                    at,
                    value: node,
                }),
                Some(Key::Merge) => mapping.merged.push(node),
                Some(Key::Refused) | None => {}
            },
        }
    }

    fn expects_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                content: Content::Map(Mapping { key: None, .. }),
                ..
            })
        )
    }

    fn key(&mut self, node: &Node) {
        if let Value::Text(text, _) = &node.value {
            return self.wait_for(Key::Kept(Rc::clone(text), node.at), node.at, text);
        }
        self.report(
            node.at,
            "a key which is not a text",
            "a key is one word before a `:`",
        );
        self.refuse_key();
    }

    fn wait_for(&mut self, key: Key, at: Position, text: &str) {
        let Some(mapping) = self.mapping() else {
            return;
        };
        let first = mapping.seen.get(text).copied();
        mapping.seen.entry(text.into()).or_insert(at);
        mapping.key = Some(key);
        if let Some(first) = first {
            let what = format!("said twice; first on line {}", first.line);
            self.report(at, what, "keep one of them");
            self.refuse_key();
        }
    }

    fn refuse_key(&mut self) {
        self.mapping()
            .into_iter()
            .for_each(|mapping| mapping.key = Some(Key::Refused));
    }

    /// The innermost value, if it is a mapping.
    fn mapping(&mut self) -> Option<&mut Mapping> {
        match &mut self.open.last_mut()?.content {
            Content::Map(mapping) => Some(mapping),
            Content::List(_) => None,
        }
    }

    /// The entries of a mapping, then what `<<` adds: a key's own value wins, then the first merged one.
    fn merge(&self, mapping: Mapping) -> Vec<Entry> {
        let Mapping {
            mut entries,
            mut seen,
            merged,
            ..
        } = mapping;
        for entry in merged.iter().flat_map(|node| self.merged(node)) {
            if seen.insert(Rc::clone(&entry.key), entry.at).is_none() {
                entries.push(entry);
            }
        }
        entries
    }

    fn merged(&self, node: &Node) -> Vec<Entry> {
        match &node.value {
            Value::Map(entries) => entries.to_vec(),
            Value::List(maps) if maps.iter().all(|map| matches!(map.value, Value::Map(_))) => {
                maps.iter().flat_map(|map| self.merged(map)).collect()
            }
            _ => {
                let what = "`<<` wants a mapping or a list of mappings";
                self.report(node.at, what, "name one as in `<<: *defaults`");
                Vec::new()
            }
        }
    }

    /// Whether a tag says that the value is encrypted. A tag without a meaning is reported.
    fn is_sealed(&self, at: Position, tag: Option<&Tag>) -> bool {
        let tag = tag.map(|tag| (self.dialect, tag.handle.as_str(), tag.suffix.as_str()));
        match tag {
            Some((Dialect::Ansible, "!", "vault")) => return true,
            None | Some((Dialect::Ansible, "!", "unsafe")) => {}
            Some(_) => {
                let what = "a tag, such as `!!str`, has no meaning here";
                self.report(at, what, "remove it: every value is text already");
            }
        }
        false
    }

    /// A problem of what is read now.
    pub(super) fn error(&self, at: Position, what: impl Into<String>, hint: &str) -> Problem {
        Problem::error(&self.start.moved(at, self.path()), what).hint(hint)
    }

    fn report(&self, at: Position, what: impl Into<String>, hint: &str) {
        self.problems.add(self.error(at, what, hint));
    }

    /// The path of keys to where the reading has come.
    fn path(&self) -> String {
        let step = |open: &Open| match &open.content {
            Content::List(items) => format!("[{}]", items.len()),
            Content::Map(Mapping {
                key: Some(Key::Kept(key, _)),
                ..
            }) => format!(".{key}"),
            Content::Map(Mapping {
                key: Some(Key::Merge),
                ..
            }) => ".<<".to_owned(),
            Content::Map(_) => String::new(),
        };
        let path: String = self.open.iter().map(step).collect();
        path.trim_start_matches('.').to_owned()
    }
}
