//! The words in which a schema is put together.

use serde_json::{Map, Value, json};

/// A key of an object: its name, its value, and whether it must be there.
pub(super) type Key = (&'static str, Value, bool);

/// A key that is always there.
pub(super) fn key(name: &'static str, value: Value) -> Key {
    (name, value, true)
}

/// A key that may be absent.
pub(super) fn optional(name: &'static str, value: Value) -> Key {
    (name, value, false)
}

/// A text.
pub(super) fn text(about: &str) -> Value {
    json!({ "description": about, "type": "string" })
}

/// A text of a form: a regular expression that all of it matches.
pub(super) fn formed(about: &str, pattern: &str) -> Value {
    json!({ "description": about, "type": "string", "pattern": format!("^{pattern}$") })
}

/// One of a few words.
pub(super) fn words(about: &str, words: &[impl AsRef<str>]) -> Value {
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    json!({ "description": about, "enum": words })
}

/// One word, by which a form is known.
pub(super) fn word(word: &str) -> Value {
    json!({ "const": word })
}

/// A whole number, from a smallest one.
pub(super) fn whole(about: &str, least: u32) -> Value {
    json!({ "description": about, "type": "integer", "minimum": least })
}

/// Yes or no.
pub(super) fn flag(about: &str) -> Value {
    json!({ "description": about, "type": "boolean" })
}

/// A value that may be `null`.
pub(super) fn nullable(value: Value) -> Value {
    let mut value = value;
    if let Some(kind) = value.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    value
}

/// A list.
pub(super) fn list(about: &str, items: &Value) -> Value {
    json!({ "description": about, "type": "array", "items": items })
}

/// An object of free names, each with such a value.
pub(super) fn named(about: &str, values: &Value) -> Value {
    json!({ "description": about, "type": "object", "additionalProperties": values })
}

/// An object of these keys and no others.
pub(super) fn object(about: &str, keys: Vec<Key>) -> Value {
    let required: Vec<_> = keys
        .iter()
        .filter_map(|(name, _, is_required)| is_required.then_some(*name))
        .collect();
    let properties: Map<_, _> = keys
        .into_iter()
        .map(|(name, value, _)| (name.to_owned(), value))
        .collect();
    json!({
        "description": about,
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

/// One of several forms.
pub(super) fn either(about: &str, forms: &[Value]) -> Value {
    json!({ "description": about, "anyOf": forms })
}
