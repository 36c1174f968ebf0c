//! Files beyond all measure are refused before they fill the memory or the stack.

use std::fs;
use std::time::{Duration, Instant};

use super::{ONE, answer_to, folder, problems_in};

/// What a hostile file answers, and that the answer comes soon.
fn refusal(content: impl AsRef<[u8]>) -> String {
    let start = Instant::now();
    let answer = answer_to(ONE, content);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(answer.len(), 1, "{answer:?}");
    answer[0].split_once("; ").unwrap().0.to_owned()
}

#[test]
fn a_file_that_would_fill_the_memory_is_refused_early() {
    let laugh = |level: usize| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{aliases}]\n")
    };
    let laughs: String = (1..40).map(laugh).collect();
    let too_many = "more than 100000 keys and values, with aliases written out";
    let answer = refusal(format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{laughs}"));
    assert_eq!(answer, format!("sites/one.yaml:5:45: a4[7]: {too_many}"));
    let merge = |level: usize| {
        let below = level - 1;
        format!("a{level}: &a{level} {{ <<: *a{below}, k{level}: {{ <<: *a{below} }} }}\n")
    };
    let merges: String = (1..40).map(merge).collect();
    assert!(refusal(format!("a0: &a0 {{ k0: x }}\n{merges}")).ends_with(too_many));
    let items = "- x\n".repeat(100_001);
    assert_eq!(
        refusal(items),
        format!("sites/one.yaml:100000:3: [99999]: {too_many}")
    );
    let long = "a value or comment longer than 1 MiB";
    assert_eq!(
        refusal(format!("[{}", "a,".repeat(1 << 20))),
        format!("sites/one.yaml:1:1: {long}")
    );
    assert_eq!(
        refusal(format!("a: {}", "x".repeat((64 << 10) + 1))),
        "sites/one.yaml:1:4: a: a text with control characters, of several lines, or of more than 1024 bytes"
    );
}

#[test]
fn a_file_that_would_exhaust_the_stack_is_refused() {
    let step = |level: usize| format!("{}- \n", " ".repeat(level));
    let block: String = (0..100).map(step).collect();
    let towers = format!(
        "a: &a {}{}\nb: {}*a{}\n",
        "[".repeat(40),
        "]".repeat(40),
        "[".repeat(40),
        "]".repeat(40)
    );
    for (content, expected) in [
        ("[".repeat(100) + &"]".repeat(100), "1:65"),
        (block, "65:65"),
        ("- ".repeat(2_000_000), "1:129"),
        (towers, "2:44"),
    ] {
        let answer = refusal(content);
        assert!(
            answer.starts_with(&format!("sites/one.yaml:{expected}: ")),
            "{answer}"
        );
        assert!(
            answer.ends_with(": nested deeper than 64 levels"),
            "{answer}"
        );
    }
    let deepest = "[".repeat(63) + &"]".repeat(63);
    assert!(answer_to(ONE, deepest)[0].contains("expected a mapping, found a list"));
}

#[test]
fn a_long_file_is_refused() {
    let folder = folder(&[]);
    let file = fs::File::options()
        .write(true)
        .open(folder.path().join(ONE))
        .unwrap();
    file.set_len(100 << 20).unwrap();
    let start = Instant::now();
    let problems = problems_in(folder.path());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    let expected =
        "sites/one.yaml:1:1: longer than 4 MiB; no inventory needs that: is this the right file?";
    assert_eq!(problems[0].to_string(), expected);
}
