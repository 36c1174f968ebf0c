//! The queue's folder, as ssmsend's library reads it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use accounting::queue::{Queue, QueueError};

const NOW_US: i64 = 1_790_000_000_123_456;

fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if !entry.path().is_dir() {
            continue;
        }
        for file in fs::read_dir(entry.path()).unwrap().map(Result::unwrap) {
            let folder = entry.file_name().into_string().unwrap();
            let name = format!("{folder}/{}", file.file_name().to_str().unwrap());
            files.insert(name, fs::read_to_string(file.path()).unwrap());
        }
    }
    files
}

fn is_name(name: &str) -> bool {
    let hex = |part: &str, length| {
        part.len() == length
            && part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    name.split_once('/')
        .is_some_and(|(folder, file)| hex(folder, 8) && hex(file, 14))
}

#[test]
fn a_message_has_the_name_of_its_moment() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(&folder.path().join("outgoing"), 0xfb).unwrap();
    let name = queue.add("one", NOW_US).unwrap();
    // 1790000000 s is 6ab13b80 in hex, whose minute begins at 6ab13b6c; 123456 µs are 1e240.
    assert_eq!(name, "6ab13b6c/6ab13b801e240b");
    let files = files(&folder.path().join("outgoing"));
    assert_eq!(files, BTreeMap::from([(name, "one".to_owned())]));
}

#[test]
fn names_only_grow_whatever_the_clock_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    let mut queue = Queue::open(folder.path(), 1).unwrap();
    for now_us in [NOW_US, NOW_US, NOW_US - 5_000_000, NOW_US + 876_543, 0] {
        names.push(queue.add("x", now_us).unwrap());
    }
    drop(queue);
    // Also in another run, with a lower digit, and where a message is being sent.
    let last = names.last().unwrap();
    fs::hard_link(
        folder.path().join(last),
        folder.path().join(format!("{last}.lck")),
    )
    .unwrap();
    fs::remove_file(folder.path().join(last)).unwrap();
    let mut queue = Queue::open(folder.path(), 0).unwrap();
    names.push(queue.add("x", NOW_US - 100_000_000).unwrap());
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    assert!(names.iter().all(|name| is_name(name)), "{names:?}");
}

#[test]
fn nothing_is_overwritten_and_no_half_message_gets_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path(), 0).unwrap();
    let minute = folder.path().join("6ab13b6c");
    fs::create_dir(&minute).unwrap();
    fs::write(minute.join("6ab13b801e2400"), "of another").unwrap();
    fs::write(minute.join("6ab13b801e2410.tmp"), "hal").unwrap();
    let name = queue.add("whole", NOW_US).unwrap();
    assert_eq!(name, "6ab13b6c/6ab13b801e2420");
    let files = files(folder.path());
    assert_eq!(files["6ab13b6c/6ab13b801e2400"], "of another");
    assert_eq!(files["6ab13b6c/6ab13b801e2410.tmp"], "hal");
    assert_eq!(files[&name], "whole");
    assert_eq!(files.len(), 3);
}

#[test]
fn a_folder_that_is_tidied_away_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path(), 0).unwrap();
    let first = queue.add("x", NOW_US).unwrap();
    fs::remove_dir_all(folder.path().join(&first[..8])).unwrap();
    let second = queue.add("x", NOW_US).unwrap();
    assert!(second > first);
}

#[test]
fn only_one_publisher_has_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let queue = Queue::open(folder.path(), 0).unwrap();
    let second = Queue::open(folder.path(), 0);
    assert!(matches!(second, Err(QueueError::Busy(_))));
    drop(queue);
    assert!(Queue::open(folder.path(), 0).is_ok());
}

#[test]
fn a_time_without_a_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path(), 0).unwrap();
    let after_2106 = 5_000_000_000_000_000;
    assert!(matches!(
        queue.add("x", after_2106),
        Err(QueueError::NoName(_))
    ));
}
