//! JSON Schema of the two kinds of file, for editors.
//!
//! Keys, words and nesting are the decoder's own, by an [`Outline`]; only what a key is for
//! is said here. Rules between values are in no schema: `atoll check` knows them.

mod descriptions;

use serde_json::{Map, Value, json};

use super::decode::Field;
use super::file;
use super::outline::Outline;
use super::problem::{Position, Problems};
use super::tree::{self, Node};
use descriptions::{FEDERATION, SITE};

/// A kind of file of an inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// `federation.yaml`.
    Federation,
    /// A file of `sites/`.
    Site,
}

/// What each key of a kind of file is for, by path: `*` is a name, and items of a list have no step.
type Descriptions = &'static [(&'static str, &'static str)];

/// The JSON Schema of a kind of file.
pub fn schema(document: Document) -> Value {
    let (title, outline, descriptions) = match document {
        Document::Federation => (
            "federation.yaml of an Atoll inventory",
            outline(file::federation),
            FEDERATION,
        ),
        Document::Site => (
            "A file of sites/ of an Atoll inventory",
            outline(file::site),
            SITE,
        ),
    };
    let mut schema = Map::new();
    let head = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "title": title });
    for part in [head, described(outline, "", descriptions)] {
        let Value::Object(part) = part else { continue };
        schema.extend(part);
    }
    schema.into()
}

/// What a reader would take.
fn outline<T>(read: impl FnOnce(Field) -> T) -> Value {
    let start = Position { line: 1, column: 1 };
    let nothing = Node::leaf(start, tree::Value::Null);
    let (problems, outline) = (Problems::default(), Outline::default());
    read(Field::described(&nothing, &problems, outline.clone()));
    outline.finish()
}

/// A schema that says what its value is for, and inside of it the same.
fn described(schema: Value, path: &str, descriptions: Descriptions) -> Value {
    let said = descriptions.iter().find(|(known, _)| *known == path);
    match (said, inside(schema, path, descriptions)) {
        (Some((_, text)), Value::Object(rest)) => {
            let head = ("description".to_owned(), Value::from(*text));
            std::iter::once(head)
                .chain(rest)
                .collect::<Map<_, _>>()
                .into()
        }
        (_, schema) => schema,
    }
}

fn inside(mut schema: Value, path: &str, descriptions: Descriptions) -> Value {
    let below = |key: &str| {
        let dot = if path.is_empty() { "" } else { "." };
        format!("{path}{dot}{key}")
    };
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (key, property) in properties.into_iter().flatten() {
        *property = described(property.take(), &below(key), descriptions);
    }
    let named = schema.get_mut("additionalProperties");
    if let Some(values) = named.filter(|values| values.is_object()) {
        *values = described(values.take(), &below("*"), descriptions);
    }
    if let Some(items) = schema.get_mut("items") {
        *items = inside(items.take(), path, descriptions);
    }
    let forms = schema.get_mut("anyOf").and_then(Value::as_array_mut);
    for form in forms.into_iter().flatten() {
        *form = inside(form.take(), path, descriptions);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths of all properties.
    fn paths(schema: &Value, path: &str) -> Vec<String> {
        let mut all = Vec::new();
        let dot = if path.is_empty() { "" } else { "." };
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let below = format!("{path}{dot}{key}");
            all.extend(paths(value, &below));
            all.push(below);
        }
        if schema["additionalProperties"].is_object() {
            let below = format!("{path}{dot}*");
            all.extend(paths(&schema["additionalProperties"], &below));
        }
        all.extend(
            schema
                .get("items")
                .iter()
                .flat_map(|items| paths(items, path)),
        );
        let forms = schema["anyOf"].as_array().into_iter().flatten();
        all.extend(forms.flat_map(|form| paths(form, path)));
        all
    }

    #[test]
    fn every_key_is_described_and_nothing_else() {
        for (document, descriptions) in [(Document::Federation, FEDERATION), (Document::Site, SITE)]
        {
            let mut paths = paths(&schema(document), "");
            let mut said: Vec<_> = descriptions
                .iter()
                .map(|(path, _)| (*path).to_owned())
                .collect();
            paths.sort();
            said.sort();
            assert_eq!(said, paths);
        }
    }
}
