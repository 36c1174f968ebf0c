//! What `atoll-agent check` finds.

use agent::cgroup::Roots;
use agent::command::Output;
use agent::command::check::{Verdict, cgroup, gpus, ledger, look, passed, text};
use agent::gpu::{Answer, Inventory};
use agent::settings::Settings;

#[test]
fn a_tree_is_ok_not_there_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let roots = Roots {
        cgroup: folder.path().to_owned(),
        ..Roots::default()
    };
    assert_eq!(cgroup(&roots).verdict, Verdict::Failed);
    std::fs::create_dir_all(folder.path().join("cpuacct")).unwrap();
    assert_eq!(cgroup(&roots).verdict, Verdict::NotThere);
    std::fs::create_dir_all(folder.path().join("cpuacct/nomad")).unwrap();
    assert_eq!(cgroup(&roots).verdict, Verdict::Ok);
}

#[test]
fn gpus_are_counted_on_the_bus_and_by_the_driver() {
    let mut machine = crate::discover::machine();
    let none = Answer::Unavailable("no library".to_owned());
    let driver = Answer::Ok(Inventory::default());
    assert_eq!(gpus(&machine, &none).verdict, Verdict::NotThere);
    assert_eq!(gpus(&machine, &driver).verdict, Verdict::Ok);
    machine.nvidia.insert("0000:01:00.0".to_owned());
    assert_eq!(gpus(&machine, &none).verdict, Verdict::Failed);
    assert_eq!(gpus(&machine, &driver).verdict, Verdict::Failed);
    assert_eq!(gpus(&machine, &Answer::Late).verdict, Verdict::Failed);
}

#[test]
fn a_ledger_needs_a_folder_that_can_be_written_to() {
    let folder = tempfile::tempdir().unwrap();
    assert!(ledger(&folder.path().join("ledger.db")).is_ok());
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "it left something"
    );
    assert!(ledger(&folder.path().join("none/ledger.db")).is_err());
}

#[test]
fn without_settings_there_is_only_that_to_tell() {
    let error = Settings::load(std::path::Path::new("/nowhere/agent.toml")).unwrap_err();
    let findings = look(Err(&error));
    assert!(!passed(&findings));
    let told = text(&findings, Output::Human);
    assert!(
        told.starts_with("failed     settings") && told.contains("/nowhere/agent.toml"),
        "{told}"
    );
    assert!(text(&findings, Output::Json).contains(r#""verdict": "failed""#));
}
