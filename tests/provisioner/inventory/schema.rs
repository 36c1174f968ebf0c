//! The schema for editors: committed as it is, of the decoder's keys, and true of our inventories.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use provisioner::inventory::{Document, InventoryError, load_with, schema};
use serde_json::{Map, Value, json};

use super::{drafts, repository};

const DOCUMENTS: [(Document, &str, &str); 2] = [
    (Document::Federation, "federation.json", "federation.yaml"),
    (Document::Site, "site.json", "sites/one.yaml"),
];

/// No key of ours, nor near one.
const STRANGER: &str = "zzzzzzzz";

fn committed(name: &str) -> PathBuf {
    repository().join("inventories/schema").join(name)
}

#[test]
fn the_committed_schema_is_the_one_that_atoll_prints() {
    for (document, name, _) in DOCUMENTS {
        let text = std::fs::read_to_string(committed(name)).unwrap();
        let kind = name.trim_end_matches(".json");
        let hint = format!("write it anew: atoll schema {kind} > inventories/schema/{name}");
        assert!(text == format!("{:#}\n", schema(document)), "{hint}");
    }
}

/// A document with every mapping and list of a schema, and a stranger in each mapping.
fn with_strangers(schema: &Value) -> Value {
    if let Some(forms) = schema["anyOf"].as_array() {
        return with_strangers(forms.iter().find(|form| form["type"] == "object").unwrap());
    }
    if let Some(properties) = schema["properties"].as_object() {
        let known = properties
            .iter()
            .map(|(key, value)| (key.clone(), with_strangers(value)));
        let stranger = (STRANGER.to_owned(), Value::from("x"));
        return known.chain([stranger]).collect::<Map<_, _>>().into();
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => json!([with_strangers(&schema["items"])]),
        Value::String(_) if schema["additionalProperties"].is_object() => {
            json!({ "vo.example.org": with_strangers(&schema["additionalProperties"]) })
        }
        Value::String(_) => json!({}),
        _ => Value::from("x"),
    }
}

/// The keys that a schema gives each mapping, by its path.
fn keys(schema: &Value, path: &str, all: &mut BTreeMap<String, BTreeSet<String>>) {
    let dot = if path.is_empty() { "" } else { "." };
    if let Some(properties) = schema["properties"].as_object() {
        all.insert(path.to_owned(), properties.keys().cloned().collect());
        for (key, value) in properties {
            keys(value, &format!("{path}{dot}{key}"), all);
        }
    }
    if schema["additionalProperties"].is_object() {
        keys(
            &schema["additionalProperties"],
            &format!("{path}{dot}vo.example.org"),
            all,
        );
    }
    if schema["items"].is_object() {
        keys(&schema["items"], &format!("{path}[0]"), all);
    }
    for form in schema["anyOf"].as_array().into_iter().flatten() {
        keys(form, path, all);
    }
}

/// What the decoder says of the strangers: the keys of each mapping.
fn decoded(file: &str, document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut drafts = drafts();
    let draft = drafts
        .iter_mut()
        .find(|draft| draft.file == Path::new(file))
        .unwrap();
    draft.text = format!("{document:#}");
    let Err(InventoryError::Invalid { problems }) = load_with(Path::new("no/such/folder"), &drafts)
    else {
        panic!("strangers are refused");
    };
    let strangers = problems
        .iter()
        .filter(|problem| problem.what == "unknown key");
    let keys = strangers.filter_map(|problem| {
        let path = problem.at.strip_suffix(STRANGER)?.trim_end_matches('.');
        let keys = problem
            .hint
            .as_deref()?
            .strip_prefix("the keys here are ")?;
        Some((
            path.to_owned(),
            keys.split(", ").map(str::to_owned).collect(),
        ))
    });
    keys.collect()
}

#[test]
fn the_schema_has_the_keys_that_the_decoder_reads_and_no_others() {
    for (document, _, file) in DOCUMENTS {
        let schema = schema(document);
        let mut wanted = BTreeMap::new();
        keys(&schema, "", &mut wanted);
        assert!(wanted.len() > 8, "{wanted:?}");
        assert_eq!(decoded(file, &with_strangers(&schema)), wanted);
    }
}

#[test]
fn committed_inventories_are_as_the_schema_says() {
    let program = repository().join("tests/provisioner/schema_check.py");
    let said = Command::new("python3")
        .arg(program)
        .arg(repository())
        .output();
    let Ok(said) = said else {
        return skipped("there is no python3");
    };
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    if said.status.code() == Some(3) {
        return skipped(text.trim());
    }
    assert!(
        said.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&said.stderr)
    );
    assert!(
        text.contains("inventories/example/federation.yaml"),
        "{text}"
    );
}

fn skipped(why: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|value| value != "true"),
        "{why}"
    );
    // Not through the captured streams: a skipped test passes, and must be seen all the same.
    let told = format!("skipped: inventories and their schema: {why}\n");
    let _ = std::io::stderr().write_all(told.as_bytes());
}

/// An answer that could not be written is none. (A full device is the same as a full disk.)
#[test]
fn an_answer_that_nobody_gets_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let output = Command::new(env!("CARGO_BIN_EXE_atoll"))
        .arg("schema")
        .stdout(full.unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.starts_with("atoll: cannot write the answer: "),
        "{told}"
    );
}
