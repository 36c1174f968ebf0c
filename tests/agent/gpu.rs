//! The GPUs of a machine that may have none.

use std::path::PathBuf;

use agent::gpu::{Answer, Gpus as _, start};

#[test]
fn a_missing_library_is_told_and_blocks_nobody() {
    let gpus = start(Some(PathBuf::from("/nowhere/libnvidia-ml.so.1")));
    let Answer::Unavailable(why) = gpus.inventory() else {
        panic!("there is no such library");
    };
    assert!(why.contains("/nowhere/libnvidia-ml.so.1"), "{why}");
    assert!(matches!(gpus.busy("GPU-1", 0), Answer::Unavailable(_)));
}
