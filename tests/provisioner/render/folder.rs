//! A rendering as files: what a tree holds, and what becomes of the folder it is written to.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provisioner::plan::plan;
use provisioner::render::{Readers, Work, WriteError};
use serde_json::{Value, json};

use super::tree_of;
use crate::golden::samples;

fn files(texts: &[(&str, &str)]) -> BTreeMap<PathBuf, Arc<str>> {
    texts
        .iter()
        .map(|(path, text)| (path.into(), (*text).into()))
        .collect()
}

fn write(
    tree: &BTreeMap<PathBuf, Arc<str>>,
    folder: &Path,
    readers: Readers,
) -> Result<(), WriteError> {
    provisioner::render::write(tree, folder, Work::Rendering, readers)
}

/// What a folder holds, but for the list of what is ours.
fn found_in(folder: &Path) -> BTreeMap<PathBuf, Arc<str>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            found.extend(
                found_in(&path)
                    .into_iter()
                    .map(|(below, text)| (name.join(below), text)),
            );
        } else if name != Path::new(".atoll-rendered") {
            found.insert(name, fs::read_to_string(&path).unwrap().into());
        }
    }
    found
}

#[test]
fn a_folder_comes_to_hold_the_tree_and_nothing_else_of_ours() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("new/out");
    let first = files(&[
        ("n/etc/a", "1"),
        ("n/etc/deep/b", "2"),
        ("federation/c", "3"),
    ]);
    write(&first, &out, Readers::All).unwrap();
    assert_eq!(found_in(&out), first);

    fs::write(out.join("mine"), "a note").unwrap();
    let kept = fs::metadata(out.join("n/etc/a"))
        .unwrap()
        .modified()
        .unwrap();
    let second = files(&[("n/etc/a", "1"), ("federation/c", "4"), ("m/d", "5")]);
    write(&second, &out, Readers::All).unwrap();
    let mut expected = second.clone();
    expected.insert("mine".into(), "a note".into());
    assert_eq!(found_in(&out), expected);
    assert!(
        !out.join("n/etc/deep").exists(),
        "an empty folder stays behind"
    );
    assert_eq!(
        fs::metadata(out.join("n/etc/a"))
            .unwrap()
            .modified()
            .unwrap(),
        kept
    );

    fs::remove_file(out.join("m/d")).unwrap();
    write(&files(&[]), &out, Readers::All).unwrap();
    assert_eq!(found_in(&out), files(&[("mine", "a note")]));
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let tree = files(&[("a", "1")]);
    write(&tree, home.path(), Readers::All).unwrap();
    for (list, refusal) in [
        ("../a\n", "names `../a`"),
        ("/a\n", "names `/a`"),
        ("\n", "names ``"),
    ] {
        fs::write(home.path().join(".atoll-rendered"), list).unwrap();
        let error = write(&tree, home.path(), Readers::All).unwrap_err();
        assert!(error.to_string().contains(refusal), "{error}");
    }
    fs::remove_file(home.path().join(".atoll-rendered")).unwrap();
    let error = write(&tree, home.path(), Readers::All).unwrap_err();
    assert!(matches!(error, WriteError::Foreign { .. }), "{error}");
    assert_eq!(fs::read_to_string(home.path().join("a")).unwrap(), "1");
}

/// The permission bits of all that a folder holds, and its own.
fn modes(folder: &Path) -> BTreeMap<PathBuf, u32> {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut modes = BTreeMap::from([(folder.to_owned(), mode(folder))]);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            modes.extend(self::modes(&path));
        } else {
            modes.insert(path.clone(), mode(&path));
        }
    }
    modes
}

#[test]
fn secrets_are_for_their_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let tree = files(&[("n/etc/deep/a", "1"), ("n/etc/b", "2")]);
    for before in [None, Some(Readers::All), Some(Readers::Owner)] {
        if let Some(readers) = before {
            write(&tree, &out, readers).unwrap();
        }
        write(&tree, &out, Readers::Owner).unwrap();
        for (path, mode) in modes(&out) {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "{} after {before:?}", path.display());
        }
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn secrets_are_not_written_where_git_would_find_them() {
    let home = tempfile::tempdir().unwrap();
    let work = home.path().join("work");
    fs::create_dir_all(work.join(".git")).unwrap();
    fs::create_dir_all(work.join("inside")).unwrap();
    std::os::unix::fs::symlink(work.join("inside"), home.path().join("link")).unwrap();
    let tree = files(&[("a", "1")]);
    for out in ["work", "work/new/deep", "work/inside", "link", "link/new"] {
        let out = home.path().join(out);
        let error = write(&tree, &out, Readers::Owner).unwrap_err();
        assert!(matches!(error, WriteError::Committable { .. }), "{error}");
        assert!(!out.join("a").exists());
    }
    write(&tree, &work.join("inside"), Readers::All).unwrap();
    write(&tree, &home.path().join("beside"), Readers::Owner).unwrap();
}

#[test]
fn a_manifest_lists_every_file_with_its_rights() {
    let tree = tree_of(plan(&samples()));
    let node = Path::new("ifca-ai4eosc-server-0");
    let manifest: Vec<Value> = serde_json::from_str(&tree[&node.join("manifest.json")]).unwrap();
    assert_eq!(manifest.len(), 19);
    let entry = |path: &str| manifest.iter().find(|entry| entry["path"] == path).unwrap();
    let unit = &tree[&node.join("etc/systemd/system/nomad.service")];
    assert_eq!(
        *entry("/etc/systemd/system/nomad.service"),
        json!({
            "path": "/etc/systemd/system/nomad.service",
            "mode": "0644",
            "owner": "root",
            "group": "root",
            "wave": "nomad-servers",
            "on_change": { "do": "restart", "unit": "nomad" },
            "settings": ["sites.hosts.roles", "sites.hosts.volume"],
            "rows": [252, 254, 255, 256, 258, 437],
            "sha256": sha256(unit),
        })
    );
    let key = entry("/etc/nomad.d/certs/agent-key.pem");
    assert_eq!(key["mode"], "0640");
    let leaf = &key["issued_at_apply"]["private_key_of"];
    assert_eq!(
        leaf["dns_names"],
        json!(["server.ai4os.nomad", "localhost", "ifca-ai4eosc-server-0"])
    );
    assert_eq!(
        entry("/etc/nomad.d/certs/nomad-ca.pem")["issued_at_apply"],
        json!({ "authority": "nomad" })
    );
    assert!(!tree.contains_key(&node.join("etc/nomad.d/certs/agent-key.pem")));
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    format!("{:x}", Sha256::digest(text))
}

/// Somebody else may have made the folder, and put links into it.
#[test]
fn a_link_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (out, other) = (folder.path().join("out"), folder.path().join("other"));
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("keep"), "theirs").unwrap();
    fs::create_dir(&out).unwrap();
    fs::write(out.join(".atoll-rendered"), "n/keep\n").unwrap();
    std::os::unix::fs::symlink(&other, out.join("n")).unwrap();
    let refused = write(&files(&[("n/a", "1")]), &out, Readers::All).unwrap_err();
    assert!(
        matches!(&refused, WriteError::Link { path, .. } if *path == out.join("n")),
        "{refused}"
    );
    let left: Vec<_> = fs::read_dir(&other).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(fs::read_to_string(other.join("keep")).unwrap(), "theirs");
}

/// What one wrote, the other would remove as what it wrote no more.
#[test]
fn an_export_does_not_take_a_rendering_for_its_own() {
    let home = tempfile::tempdir().unwrap();
    let works = [Work::Rendering, Work::Export];
    for (work, other) in [(works[0], works[1]), (works[1], works[0])] {
        let out = home.path().join(work.to_string());
        let tree = files(&[("a", "1")]);
        for _ in 0..2 {
            provisioner::render::write(&tree, &out, work, Readers::All).unwrap();
        }
        let refused = provisioner::render::write(&files(&[]), &out, other, Readers::All);
        let told = refused.unwrap_err().to_string();
        assert!(told.starts_with(&format!("cannot {other} into ")), "{told}");
        assert!(out.join("a").exists(), "{told}");
    }
}
