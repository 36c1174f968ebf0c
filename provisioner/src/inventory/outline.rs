//! What the decoder would take, noted as JSON Schema.
//!
//! Each reader of a described field writes into that field's outline, and the parts join in
//! the outline of the whole. So the schema says what the decoder does, and cannot drift from it.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value, json};

/// The outline of one value; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Outline(Rc<RefCell<Value>>);

impl Outline {
    /// Any scalar. An editor takes `1.10` for a number; here it is a text.
    pub(super) fn text(&self) {
        self.note(json!({ "type": ["string", "number"] }));
    }

    /// One of a few words.
    pub(super) fn words(&self, words: impl Iterator<Item = &'static str>) {
        self.note(json!({ "enum": words.collect::<Vec<_>>() }));
    }

    /// A list of such items.
    pub(super) fn list(&self, items: Self) {
        self.note(json!({ "type": "array", "items": items.finish() }));
    }

    /// A mapping from free names to such values.
    pub(super) fn named(&self, values: Self) {
        self.note(json!({ "type": "object", "additionalProperties": values.finish() }));
    }

    /// A mapping of known keys: each with what it takes, and whether it must be there.
    pub(super) fn keys(&self, keys: Vec<(&'static str, Self, bool)>) {
        let required: Vec<_> = keys
            .iter()
            .filter_map(|(key, _, is_required)| is_required.then_some(*key))
            .collect();
        let properties: Map<_, _> = keys
            .into_iter()
            .map(|(key, outline, _)| (key.to_owned(), outline.finish()))
            .collect();
        let mut schema = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
        });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        self.note(schema);
    }

    /// A mapping of whatever another program takes.
    pub(super) fn anything(&self) {
        self.note(json!({ "type": "object" }));
    }

    /// What was noted.
    pub(super) fn finish(self) -> Value {
        self.0.take()
    }

    /// Notes one more form that the value may have.
    fn note(&self, form: Value) {
        let known = self.0.take();
        let all = if known.is_null() {
            form
        } else {
            json!({ "anyOf": [known, form] })
        };
        self.0.replace(all);
    }
}
