//! Every JSON document that is written has a schema, is as that says, and needs all that it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum as _;
use federation::names::NodeName;
use provisioner::apply::{ImageRecord, Manifest};
use provisioner::cli::WhichDocument;
use provisioner::documents::Written;
use provisioner::inventory::{self, Inventory};
use provisioner::plan::{Wave, plan};
use provisioner::progress::{Event, Outcome, Verdict, line};
use provisioner::render::{Overrides, render, tree};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::golden::name;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A document, what it is, and where it is from.
struct Found {
    kind: Written,
    from: String,
    document: Value,
}

impl Found {
    fn new(kind: Written, from: &str, text: &str) -> Self {
        let document = serde_json::from_str(text);
        Self {
            kind,
            from: from.to_owned(),
            document: document.unwrap_or_else(|error| panic!("{from}: {error}: {text}")),
        }
    }
}

/// Every file of a rendering whose name says that it is JSON. One without a schema is a failure.
fn rendered(folder: &str, inventory: &Inventory) -> Vec<Found> {
    let plan = plan(inventory);
    let rendered = render(&plan, &Overrides::default()).unwrap();
    let files = tree(plan, rendered).into_iter();
    let documents = files.filter(|(path, _)| path.extension().is_some_and(|it| it == "json"));
    let found = documents.map(|(path, text)| {
        let from = format!("{folder}: {}", path.display());
        let kind = Written::of_rendered(&path);
        let kind = kind.unwrap_or_else(|| panic!("{from} has no schema"));
        Found::new(kind, &from, &text)
    });
    found.collect()
}

fn all_rendered() -> Vec<Found> {
    let root = repository();
    let mut found = Vec::new();
    for folder in ["inventories", "tests/fixtures/inventories"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.join("federation.yaml").exists() {
                let inventory = inventory::load(&path).unwrap().inventory;
                found.extend(rendered(&path.display().to_string(), &inventory));
            }
        }
    }
    found
}

/// The lines that a command says on standard output, each by what it has.
fn said(status: i32, arguments: &[String]) -> Vec<Found> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atoll"));
    let output = command
        .args(["--output", "json"])
        .args(arguments)
        .env_clear();
    let output = output.output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {output:?}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| {
        let has = |key: &str| line.contains(&format!("\"{key}\":"));
        let kind = match (has("severity"), has("at")) {
            (true, true) => Written::Problem,
            (true, false) => Written::Finding,
            _ => Written::Answer,
        };
        Found::new(kind, &format!("{arguments:?}"), line)
    });
    lines.collect()
}

/// Every command that answers in JSON and asks no host: its exit status, and its words, in which
/// `~` is a folder of the test, and `/` the repository.
const COMMANDS: &[(i32, &str)] = &[
    (0, "check /inventories/example"),
    (0, "check /tests/fixtures/inventories/kinds"),
    (1, "check ~broken"),
    (0, "render /inventories/example --out ~rendered"),
    (0, "export ansible /inventories/example --out ~exported"),
    (
        0,
        "import ansible /tests/fixtures/ansible/walton --out ~imported --site WALTON-CLOUD",
    ),
    (1, "import ansible ~broken/federation.yaml --out ~nothing"),
    (
        0,
        "init ~begun --yes --federation new --site NEW --datacenter new-one --domain one \
         --vo vo.example.org=example@deployments.example.org --user ops --server 192.0.2.1 \
         --gateway 192.0.2.2 --client 192.0.2.3",
    ),
    (0, "artifacts lock ~begun --artifacts ~artifacts"),
    (0, "secrets keygen ~identity"),
];

fn answers(home: &TempDir) -> Vec<Found> {
    let write = |path: &str, text: &str| {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "broken/federation.yaml",
        "federation: broken\nno_such_key: 1\n",
    );
    // A name that is said twice is a problem without a hint.
    write(
        "broken/sites/one.yaml",
        "ntp: [ntp.example.org, ntp.example.org]\n",
    );
    write("artifacts/consul/1.22.3/consul", "program");
    let (here, root) = (format!("{}/", home.path().display()), repository());
    let lines = COMMANDS.iter().map(|(status, words)| {
        let words = words.split_whitespace().map(|word| {
            if let Some(path) = word.strip_prefix('~') {
                format!("{here}{path}")
            } else if word.starts_with('/') {
                format!("{}{word}", root.display())
            } else {
                word.to_owned()
            }
        });
        said(*status, &words.collect::<Vec<_>>())
    });
    lines.flatten().collect()
}

fn node() -> NodeName {
    name("example-one-wn-0")
}

fn run() -> String {
    "20260301T120000Z-abcd".to_owned()
}

fn why() -> String {
    "no route".to_owned()
}

fn change(wave: Wave, diff: Option<String>) -> Event {
    Event::Change {
        node: node(),
        wave,
        what: "replace /etc/nomad.d/nomad.hcl".to_owned(),
        effect: "restarts nomad".to_owned(),
        diff,
    }
}

fn over(failed: Vec<(String, String)>, next: Option<String>) -> Event {
    Event::RunDone {
        run: run(),
        changes: 3,
        failed,
        milliseconds: 1200,
        next,
    }
}

/// One event of each kind.
fn events() -> Vec<Event> {
    let doing = || "comparing".to_owned();
    let mut all = vec![
        Event::RunStarted {
            run: run(),
            hosts: 4,
        },
        Event::Step {
            node: node(),
            doing: doing(),
        },
        Event::Sent {
            node: node(),
            bytes: 10,
            total: 20,
        },
        Event::Federation { doing: doing() },
        Event::LeftOut {
            what: vec![node().to_string()],
        },
        change(Wave::Base, Some("-a\n+b\n".to_owned())),
        over(vec![], None),
        over(vec![(node().to_string(), why())], Some("again".to_owned())),
    ];
    all.extend(outcomes());
    for wave in Wave::ALL {
        all.push(change(wave, None));
        let nodes = vec![node()];
        all.push(Event::WaveStarted { wave, nodes });
    }
    all
}

/// Each outcome and verdict.
fn outcomes() -> impl Iterator<Item = Event> {
    let done = [
        Outcome::Converged,
        Outcome::Pending(1),
        Outcome::Changed(2),
        Outcome::Failed(why()),
    ];
    let done = done.map(|outcome| Event::HostDone {
        node: node(),
        outcome,
    });
    let checked = [
        Verdict::Passed(why()),
        Verdict::Failed(why()),
        Verdict::NotTried(why()),
    ];
    let checked = checked.map(|verdict| Event::Checked {
        check: "probe".to_owned(),
        subject: node().to_string(),
        verdict,
    });
    done.into_iter().chain(checked)
}

/// How many kinds there are. A new one does not compile before it is here, and then wants an event.
fn kind_of(event: &Event) -> usize {
    match event {
        Event::RunStarted { .. } => 0,
        Event::Step { .. } => 1,
        Event::Sent { .. } => 2,
        Event::Federation { .. } => 3,
        Event::Change { .. } => 4,
        Event::WaveStarted { .. } => 5,
        Event::RunDone { .. } => 6,
        Event::HostDone { outcome, .. } => match outcome {
            Outcome::Converged => 7,
            Outcome::Pending(_) => 8,
            Outcome::Changed(_) => 9,
            Outcome::Failed(_) => 10,
        },
        Event::Checked { verdict, .. } => match verdict {
            Verdict::Passed(_) => 11,
            Verdict::Failed(_) => 12,
            Verdict::NotTried(_) => 13,
        },
        Event::LeftOut { .. } => 14,
    }
}

fn told() -> Vec<Found> {
    let since = Duration::from_millis(250);
    let events = events();
    let kinds: BTreeSet<_> = events.iter().map(kind_of).collect();
    assert!(kinds.iter().copied().eq(0..15), "{kinds:?}");
    events
        .into_iter()
        .map(|event| Found::new(Written::Event, "a run", &line(&event, since)))
        .collect()
}

/// What is left on hosts: with the APIs' digest on one of them.
fn left() -> Vec<Found> {
    let digest = "ab".repeat(32);
    let image = ImageRecord {
        digest: digest.clone(),
        id: digest.clone(),
    };
    let one = Manifest {
        format: 1,
        run: "20260301T120000Z-abcd".to_owned(),
        files: [("/etc/nomad.d/nomad.hcl".to_owned(), digest.clone())].into(),
        images: [("atoll/probe:1.35".to_owned(), image)].into(),
        ..Manifest::default()
    };
    let first = Manifest {
        services: Some(digest),
        services_due: Some("2026-06-01T00:00:00Z".to_owned()),
        ..one.clone()
    };
    [one, first]
        .map(|manifest| {
            let text = serde_json::to_string(&manifest).unwrap();
            Found::new(Written::HostState, "a host", &text)
        })
        .into()
}

#[test]
fn every_document_is_as_its_schema_says_and_needs_all_that_it_says() {
    let home = tempfile::tempdir().unwrap();
    let found = [all_rendered(), answers(&home), told(), left()].into_iter();
    let found: Vec<_> = found.flatten().collect();
    let mut count = BTreeMap::new();
    for it in &found {
        *count.entry(it.kind).or_insert(0) += 1;
    }
    let missing: Vec<_> = Written::ALL
        .into_iter()
        .filter(|it| !count.contains_key(it))
        .collect();
    assert!(missing.is_empty(), "no document of {missing:?}");
    let schemas: BTreeMap<_, _> = Written::ALL.map(|kind| (kind.name(), kind.schema())).into();
    let documents: Vec<_> = found
        .iter()
        .map(|it| json!({ "kind": it.kind.name(), "from": it.from, "document": it.document }))
        .collect();
    let given = home.path().join("given.json");
    fs::write(
        &given,
        json!({ "schemas": schemas, "documents": documents }).to_string(),
    )
    .unwrap();
    let program = repository().join("tests/provisioner/documents_check.py");
    let Ok(output) = Command::new("python3").arg(program).arg(&given).output() else {
        return skipped("there is no python3");
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() == Some(3) {
        return skipped(text.trim());
    }
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for kind in Written::ALL {
        assert!(text.contains(&format!("{}: ", kind.name())), "{text}");
    }
}

fn skipped(why: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|value| value != "true"),
        "{why}"
    );
    // Not through the captured streams: a skipped test passes, and must be seen all the same.
    let told = format!("skipped: documents and their schema: {why}\n");
    let _ = std::io::stderr().write_all(told.as_bytes());
}

#[test]
fn committed_schemas_are_those_that_atoll_prints_and_there_are_no_others() {
    let folder = repository().join("inventories/schema");
    let files = fs::read_dir(&folder).unwrap();
    let mut committed: Vec<_> = files
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    committed.sort();
    let mut printed = Vec::new();
    for document in WhichDocument::value_variants() {
        let name = document.to_possible_value().unwrap().get_name().to_owned();
        let output = Command::new(env!("CARGO_BIN_EXE_atoll"))
            .args(["schema", &name])
            .output();
        let text = fs::read(folder.join(format!("{name}.json"))).unwrap_or_default();
        let hint = format!("write it anew: atoll schema {name} > inventories/schema/{name}.json");
        assert!(text == output.unwrap().stdout, "{hint}");
        printed.push(format!("{name}.json"));
    }
    printed.sort();
    assert_eq!(committed, printed);
    for kind in Written::ALL {
        let text = fs::read_to_string(folder.join(format!("{}.json", kind.name()))).unwrap();
        assert_eq!(text, format!("{:#}\n", kind.schema()));
    }
}
