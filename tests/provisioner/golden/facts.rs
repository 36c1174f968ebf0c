//! What a configuration file says, whatever its bytes are.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// The facts of one file: what it says, by the path at which it says it.
pub(crate) type Facts = BTreeMap<String, String>;

/// Reads a file by what its name ends with.
pub(crate) fn facts(path: &str, text: &str) -> Facts {
    let extension = Path::new(path)
        .extension()
        .and_then(|extension| extension.to_str());
    let mut facts = Facts::new();
    match extension.unwrap() {
        "service" => unit_facts(&mut facts, text),
        "json" => note(&mut facts, "", &serde_json::from_str(text).unwrap()),
        "toml" => note(&mut facts, "", &toml_value(text)),
        "hcl" => note(
            &mut facts,
            "",
            &hcl::from_str(&without_quoted_keys(text)).unwrap(),
        ),
        other => panic!("{path}: no way to read .{other}"),
    }
    facts
}

/// Notes each leaf of a value under its path. A text that is TOML itself is read as such.
fn note(facts: &mut Facts, path: &str, value: &Value) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| note(facts, &below(key), value)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, value) in items.iter().enumerate() {
                note(facts, &below(&index.to_string()), value);
            }
        }
        Value::String(text) if path.ends_with("data") => note(facts, path, &toml_value(text)),
        Value::String(text) => drop(facts.insert(path.to_owned(), text.clone())),
        _ => drop(facts.insert(path.to_owned(), value.to_string())),
    }
}

/// Agent files are HCL 1, where a key within a block may stand in quotes.
pub(crate) fn without_quoted_keys(text: &str) -> String {
    let line = |line: &str| match line
        .trim_start()
        .strip_prefix('"')
        .and_then(|l| l.split_once("\" ="))
    {
        Some((key, value)) => format!("{} ={value}", key.replace('.', "_")),
        None => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// A configuration of Traefik, with the items of the variable as `<name>`.
fn toml_value(text: &str) -> Value {
    let text = text.replace("$${", "${");
    serde_json::to_value(toml::from_str::<toml::Table>(&evaluated(&text)).unwrap()).unwrap()
}

/// Does what Nomad does with the template expressions that we use; an item's value is `<name>`.
pub(crate) fn evaluated(text: &str) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (expression, after) = after.split_once("}}").expect("an expression ends");
        let (trims_before, trims_after) = (expression.starts_with('-'), expression.ends_with('-'));
        done.push_str(if trims_before {
            before.trim_end()
        } else {
            before
        });
        if let Some(item) = expression.trim_matches(['-', ' ']).strip_prefix('.') {
            done.extend(["<", item, ">"]);
        }
        rest = if trims_after {
            after.trim_start()
        } else {
            after
        };
    }
    done + rest
}

fn unit_facts(facts: &mut Facts, text: &str) {
    let mut section = "";
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line.split_once('=') {
            None => section = line,
            Some((key, value)) => drop(facts.insert(format!("{section}.{key}"), value.to_owned())),
        }
    }
}
