//! The program itself: what it says to systemd, and how it ends.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use accounting::receive::Limits;

use crate::receive::DEADLINE;
use crate::receive::world::{Authority, World, files_in};

fn program(settings: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atoll-accounting"));
    command
        .arg("--settings")
        .arg(settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env_remove("RUST_LOG");
    command
}

/// Settings of a receiver in a folder, with certificates.
fn settings(folder: &Path) -> std::path::PathBuf {
    let files = files_in(folder);
    Authority::new("example ca").write_server(&files);
    let text = format!(
        "federation = 'example'\nlisten = '127.0.0.1:0'\nledger = '{}'\nqueue = '{}'\n\
         [tls]\ncertificate = '{}'\nkey = '{}'\nauthority = '{}'\n",
        folder.join("ledger.db").display(),
        folder.join("outgoing").display(),
        files.certificate.display(),
        files.key.display(),
        files.authority.display(),
    );
    let path = folder.join("accounting.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Ends the program when a test fails before it does.
struct Running(Option<Child>);

impl Running {
    fn terminate(mut self) -> Output {
        let child = self.0.take().unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        child.wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

#[test]
fn systemd_is_told_when_it_receives_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let told = || {
        let mut text = [0; 256];
        let bytes = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..bytes]).trim().to_owned()
    };
    // As systemd does: the process that is watched knows its own number.
    let child = Command::new("sh")
        .args(["-c", "WATCHDOG_PID=$$ exec \"$@\"", "sh"])
        .args([
            env!("CARGO_BIN_EXE_atoll-accounting"),
            "serve",
            "--settings",
        ])
        .arg(settings(folder.path()))
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .env("WATCHDOG_USEC", "20000")
        .env("JOURNAL_STREAM", "8:1")
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let running = Running(Some(child));
    assert_eq!(told(), "READY=1");
    assert_eq!(told(), "WATCHDOG=1");
    assert_eq!(told(), "WATCHDOG=1");
    let output = running.terminate();
    let last = loop {
        match told() {
            text if text == "WATCHDOG=1" => {}
            text => break text,
        }
    };
    assert_eq!(last, "STOPPING=1");
    let (_, log) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{log}");
    let first = log.lines().next().unwrap();
    assert!(first.trim_start().starts_with("INFO receiving"), "{first}");
    assert!(folder.path().join("ledger.db").exists());
}

#[test]
fn wrong_settings_are_all_told_and_end_it_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounting.toml");
    for command in ["serve", "check"] {
        std::fs::write(&path, "listen = \"nowhere\"\n").unwrap();
        let output = program(&path).arg(command).output().unwrap();
        let (_, said) = texts(&output);
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains("`federation` is missing"), "{said}");
        assert!(said.contains("line 1: `listen`"), "{said}");
    }
    let output = program(&folder.path().join("none")).arg("serve").output();
    let output = output.unwrap();
    let (_, said) = texts(&output);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("because: No such file"), "{said}");
}

#[test]
fn a_key_that_is_another_certificates_is_a_fault_that_is_found_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = settings(folder.path());
    let check = || program(&path).arg("check").output().unwrap();
    let output = check();
    let (findings, _) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{findings}");
    assert!(
        findings.lines().all(|line| line.starts_with("ok ")),
        "{findings}"
    );
    assert!(
        !folder.path().join("ledger.db").exists(),
        "a check writes nothing"
    );

    let elsewhere = tempfile::tempdir().unwrap();
    let other = files_in(elsewhere.path());
    Authority::new("example ca").write_server(&other);
    std::fs::copy(&other.key, files_in(folder.path()).key).unwrap();
    let output = check();
    let (findings, _) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{findings}");
    let wrong: Vec<_> = findings
        .lines()
        .filter(|line| line.starts_with("WRONG"))
        .collect();
    assert_eq!(wrong.len(), 1, "{findings}");
    assert!(wrong[0].contains("cannot be used together"), "{findings}");
    let output = program(&path).arg("serve").output().unwrap();
    let (_, said) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot be used together") && said.contains("because: "),
        "{said}"
    );
}

#[test]
fn a_ledger_in_use_can_be_checked() {
    let world = World::start(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let path = settings(folder.path());
    let text = std::fs::read_to_string(&path).unwrap();
    let own = folder.path().join("ledger.db");
    let text = text.replace(own.to_str().unwrap(), world.ledger.to_str().unwrap());
    std::fs::write(&path, text).unwrap();
    let output = program(&path).arg("check").output().unwrap();
    let (findings, _) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{findings}");
    assert!(findings.contains("ledger.db can be read"), "{findings}");
}
