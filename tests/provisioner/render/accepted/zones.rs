//! BIND's own checker takes every zone file, and refuses a damaged one.

use std::fs;

use super::{program, run};
use crate::golden::{fixture, samples};
use crate::render::texts;

#[test]
fn bind_accepts_every_zone() {
    let Some(checker) = program("bind_accepts_every_zone", "named-checkzone") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("zone");
    let path = file.to_str().unwrap();
    let mut zones_seen = 0;
    for inventory in [samples(), fixture("two-sites")] {
        for (name, text) in texts(&inventory) {
            let zone = name.strip_prefix("federation/dns").ok();
            let Some(zone) = zone.and_then(|zone| zone.to_str()?.strip_suffix(".zone")) else {
                continue;
            };
            // Names of other zones are not looked up: nothing here needs a network.
            let arguments = ["-i", "local", zone, path];
            fs::write(&file, &text).unwrap();
            let (accepted, said) = run(&checker, &arguments);
            assert!(accepted, "{zone}: {said}");
            fs::write(&file, text.replace(" IN A ", " IN AAAA ")).unwrap();
            assert!(
                !run(&checker, &arguments).0,
                "{zone}: accepted when damaged"
            );
            zones_seen += 1;
        }
    }
    assert_eq!(zones_seen, 4);
}
