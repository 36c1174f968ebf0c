//! Whatever stands in a file, the answer is an inventory or located problems, and comes soon.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use provisioner::inventory::{Draft, InventoryError, load_with};

use super::{SOUND, drafts};

/// What YAML, and this reader of it, take for more than text.
const TOKENS: &[&str] = &[
    "",
    " ",
    "\n",
    "\n  ",
    "\n\t",
    "\t",
    "\r",
    ": ",
    "- ",
    "? ",
    ", ",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "|\n",
    ">\n",
    "\"",
    "'",
    "#",
    " #",
    "&a ",
    "*a",
    "<<: *a",
    "<<: ",
    "!!str ",
    "!x ",
    "%",
    "@",
    "`",
    "---\n",
    "...\n",
    "~",
    "null",
    "\u{0}",
    "\u{feff}",
    "\u{85}",
    "é",
    "\\x41",
    "0",
    "-1",
    "1e999",
    "99999999999999999999",
    "0.0.0.0/0",
    "::",
    "/dev/",
    "vo.example.org",
    "state: ready",
    "hosts:",
    "ssh: { jump: [a, b] }",
    "gpus: {}",
    "volume: { device: vdb }",
    "extra_hcl: { nomad: \"a { b = [1] }\" }",
    "extra_yaml: { docker: { a: 1 } }",
    "waive: [{ check: x }]",
    "versions: { nomad: 2.0.0, cni: 1.0.0 }",
    "networks: [10.0.0.0/8]",
    "docker: { address_pools: [{ base: \"::/0\", size: 255 }] }",
];

/// A part of a file that becomes another.
#[derive(Debug, Clone)]
struct Change {
    file: Index,
    at: Index,
    length: usize,
    with: String,
}

fn change() -> impl Strategy<Value = Change> {
    let text = prop_oneof![
        8 => select(TOKENS).prop_map(str::to_owned),
        1 => (select(TOKENS), 1..300_usize).prop_map(|(token, times)| token.repeat(times)),
        1 => "\\PC{0,12}",
    ];
    let length = prop_oneof![3 => Just(0), 2 => 1..8_usize, 1 => 1..200_usize];
    (any::<Index>(), any::<Index>(), length, text).prop_map(|(file, at, length, with)| Change {
        file,
        at,
        length,
        with,
    })
}

fn changed(changes: &[Change]) -> Vec<Draft> {
    let mut drafts = drafts();
    for change in changes {
        let text = &mut drafts[change.file.index(SOUND.len())].text;
        let mut places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
        places.push(text.len());
        let from = change.at.index(places.len());
        let to = (from + change.length).min(places.len() - 1);
        text.replace_range(places[from]..places[to], &change.with);
    }
    drafts
}

/// How often, unless `PROPTEST_CASES` says otherwise.
fn cases() -> u32 {
    let said = std::env::var("PROPTEST_CASES").ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_gives_an_inventory_or_located_problems(changes in prop::collection::vec(change(), 1..6)) {
        let drafts = changed(&changes);
        let started = Instant::now();
        let answer = load_with(Path::new("no/such/folder"), &drafts);
        prop_assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        let problems = match answer {
            Ok(loaded) => loaded.warnings,
            Err(InventoryError::Invalid { problems }) => {
                prop_assert!(!problems.is_empty());
                problems
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        for problem in &problems {
            let draft = drafts.iter().find(|draft| draft.file == problem.file);
            prop_assert!(draft.is_some(), "{problem}");
            // YAML has more line ends than `\n`.
            let is_end = |c: &char| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
            let lines = draft.map_or(0, |draft| draft.text.chars().filter(is_end).count()) + 1;
            prop_assert!((1..=lines + 1).contains(&problem.line), "{lines} lines: {problem}");
            prop_assert!(problem.column >= 1, "{problem}");
            prop_assert!(!problem.to_string().contains(|c: char| c.is_control()), "{problem:?}");
        }
    }
}
