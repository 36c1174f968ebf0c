//! What holds for every inventory that is right.

use std::collections::BTreeSet;

use proptest::prelude::{ProptestConfig, proptest};
use provisioner::inventory::{self, Inventory};
use provisioner::plan::plan;
use provisioner::render::fill;

use super::{is_value, tree_of};
use crate::generator::{Files, inventories};

/// An inventory by way of its files, as an operator's comes.
fn loaded(files: &Files) -> Inventory {
    let folder = tempfile::tempdir().unwrap();
    files.write(folder.path()).unwrap();
    match inventory::load(folder.path()) {
        Ok(loaded) => loaded.inventory,
        Err(error) => panic!("{error}\n{files:#?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// It renders, names only secrets that are planned, and holds none.
    #[test]
    fn every_right_inventory_renders_without_a_secret(files in inventories()) {
        let inventory = loaded(&files);
        let known: BTreeSet<_> = plan(&inventory).secrets().iter().map(ToString::to_string).collect();
        for (path, text) in tree_of(plan(&inventory)) {
            let rest = fill(&text, |name| known.contains(name).then(String::new)).unwrap();
            assert!(!rest.contains("-----BEGIN"), "{}", path.display());
            assert!(!rest.split_whitespace().any(is_value), "{}: {rest}", path.display());
        }
    }

    /// Neither the order of hosts in a file nor the names of files show anywhere.
    #[test]
    fn no_order_has_a_meaning(files in inventories()) {
        let (one, other) = (loaded(&files), loaded(&files.turned()));
        assert_eq!(&one, &other);
        assert_eq!(tree_of(plan(&one)), tree_of(plan(&other)));
    }
}
