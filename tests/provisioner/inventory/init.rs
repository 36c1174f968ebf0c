//! `atoll init`: what it writes is sound, and nothing that is there is touched.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use provisioner::inventory::{Role, load};

use super::sound;

fn init(folder: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_atoll"))
        .arg("init")
        .arg(folder)
        .args(flags)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_federation_begins_with_what_is_suggested() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("my-federation");
    let output = init(&folder, &["--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    let inventory = sound(&folder);
    assert_eq!(inventory.federation.name.as_str(), "my-federation");
    assert_eq!(inventory.hosts().len(), 3);
    assert_eq!(inventory.federation.vos.len(), 1);
}

#[test]
fn flags_are_what_the_files_say() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--yes",
        "--federation",
        "example",
        "--site",
        "EXAMPLE-ONE",
        "--datacenter",
        "north",
        "--domain",
        "n",
        "--user",
        "ubuntu",
        "--vo",
        "vo.example.org=example@deployments.example.org",
        "--vo",
        "vo.imagine.example=imagine@deployments.imagine.example",
        "--server",
        "198.51.100.1",
        "--server",
        "198.51.100.2",
        "--server",
        "198.51.100.3",
        "--gateway",
        "198.51.100.4",
        "--client",
        "198.51.100.5",
        "--client",
        "198.51.100.6",
    ];
    let output = init(folder.path(), &flags);
    assert!(output.status.success(), "{}", said(&output));
    let inventory = sound(folder.path());
    let site = &inventory.sites[&inventory.federation.primary];
    assert_eq!(site.site.as_ref().unwrap().as_str(), "EXAMPLE-ONE");
    assert_eq!(
        (site.domain.as_str(), site.ssh.user.as_str()),
        ("n", "ubuntu")
    );
    assert_eq!((site.vos.len(), site.hosts.len()), (2, 6));
    let servers = site
        .hosts
        .values()
        .filter(|host| host.has(Role::NomadServer));
    assert_eq!(servers.count(), 3);
}

#[test]
fn sites_are_added_until_the_words_run_out() {
    let folder = tempfile::tempdir().unwrap();
    for sites in 1..=11 {
        let output = init(folder.path(), &["--yes"]);
        assert!(output.status.success(), "{}", said(&output));
        let inventory = sound(folder.path());
        assert_eq!(inventory.sites.len(), sites);
        let hosts = inventory.hosts();
        let servers = hosts
            .values()
            .filter(|(_, host)| host.has(Role::NomadServer));
        assert_eq!(servers.count(), 1, "a further site has no Nomad server");
    }
}

#[test]
fn what_is_there_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        init(folder.path(), &["--yes", "--federation", "example"])
            .status
            .success()
    );
    let file = folder.path().join("sites/example-one.yaml");
    let before = fs::read_to_string(&file).unwrap();
    let output = init(folder.path(), &["--yes", "--datacenter", "example-one"]);
    assert_eq!(output.status.code(), Some(2));
    let expected = format!(
        "atoll: {} is there already, and is never overwritten\n",
        file.display()
    );
    assert_eq!(said(&output), expected);
    let output = init(folder.path(), &["--yes", "--federation", "other"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert_eq!(load(folder.path()).unwrap().inventory.sites.len(), 1);
}

#[test]
fn answers_that_do_not_fit_together_write_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("example");
    let output = init(
        &folder,
        &["--yes", "--server", "192.0.2.1", "--gateway", "192.0.2.1"],
    );
    assert_eq!(output.status.code(), Some(1));
    let problems = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        problems.contains("`192.0.2.1` is already an address of this site"),
        "{problems}"
    );
    let output = init(&folder, &["--yes", "--server", "server.example.org"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("cannot be the IP address of a host"));
    assert!(!folder.exists());
}

#[test]
fn nobody_at_a_terminal_is_asked_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("example");
    let output = init(&folder, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).starts_with("atoll: cannot ask"),
        "{}",
        said(&output)
    );
    assert!(!folder.exists());
}
