//! A text of JSON with the operator's own keys in it.

use serde_json::{Map, Value};

/// Merges objects into a text that holds one, later ones last: objects into objects, and
/// everything else in the place of what was there.
///
/// # Errors
/// When the text is not one JSON object.
pub(super) fn merged(text: &str, own: &[Map<String, Value>]) -> serde_json::Result<String> {
    let mut all: Map<String, Value> = serde_json::from_str(text)?;
    for keys in own {
        merge(&mut all, keys);
    }
    let mut text = serde_json::to_string_pretty(&all)?;
    text.push('\n');
    Ok(text)
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => _ = into.insert(key.clone(), value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_merged_and_all_else_is_replaced() {
        for (old, new, expected) in [
            (json!({}), json!({"a": 1}), json!({"a": 1})),
            (json!({"a": 1}), json!({"a": 2}), json!({"a": 2})),
            (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
            (
                json!({"a": {"b": 1, "c": {"d": 2}}}),
                json!({"a": {"c": {"e": 3}}}),
                json!({"a": {"b": 1, "c": {"d": 2, "e": 3}}}),
            ),
            (
                json!({"a": {"b": 1}}),
                json!({"a": null}),
                json!({"a": null}),
            ),
            (
                json!({"a": 1}),
                json!({"a": {"b": 1}}),
                json!({"a": {"b": 1}}),
            ),
        ] {
            let text = merged(&old.to_string(), &[new.as_object().unwrap().clone()]).unwrap();
            let found: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(found, expected, "{old} and {new}");
        }
    }
}
