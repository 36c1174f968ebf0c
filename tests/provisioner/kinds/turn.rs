//! The script of a wave, run by a real shell: staged, told to go or not, kept or put back.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use provisioner::apply::{Batch, Facts, Wanted, WantedFile, Wish, batch, changes};
use provisioner::plan::{Access, OnChange, Storage, Wave};

/// A host's folders within one of ours.
struct Root {
    folder: tempfile::TempDir,
}

/// A script that runs, and what it has said so far.
struct Script {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Root {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        Self { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    /// A wave of some run that writes a file which is known, and one which is made for the wave.
    fn batch(&self, run: &str, wave: Wave) -> Batch {
        let file = |name: &str, wish| WantedFile {
            path: self.path(name).display().to_string(),
            access: Access {
                mode: 0o640,
                owner: "root",
                group: "root",
            },
            wave,
            on_change: OnChange::Nothing,
            wish,
        };
        let wanted = Wanted {
            accounts: Vec::new(),
            directories: Vec::new(),
            files: vec![
                file("etc/known", Wish::Text(format!("of {run}"))),
                file(
                    "etc/token",
                    Wish::NomadToken {
                        policy: "agent",
                        reason: "the host has none".to_owned(),
                    },
                ),
            ],
            units: Vec::new(),
            programs: Vec::new(),
            packages: Vec::new(),
            images: Vec::new(),
            storage: Storage::ROOT,
        };
        let facts = Facts::default();
        let changes = changes(&wanted, &facts).unwrap();
        batch(run, wave, &changes, &wanted, &facts).unwrap()
    }

    /// Unpacks an upload and starts its script, as a host would, but for what only root may do.
    fn start(&self, batch: &Batch) -> Script {
        let var = self.path("var").display().to_string();
        let script = batch
            .script
            .replace("/var/lib/atoll", &var)
            .replace("chown \"$owner\"", "test -e");
        let stage = PathBuf::from(batch.stage.replace("/var/lib/atoll", &var));
        for (path, text) in &batch.texts {
            let path = stage.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir_all(&stage).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Script { child, said }
    }

    /// What a wave gets with the word to go: its manifest and the token, both with this text.
    fn late(&self, text: &str) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        let token = self.path("etc/token");
        let token = token.strip_prefix("/").unwrap();
        for (path, text) in [
            (PathBuf::from("manifest.json"), text),
            (Path::new("files").join(token), text),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o600);
            let bytes = text.as_bytes();
            archive.append_data(&mut header, path, bytes).unwrap();
        }
        archive.into_inner().unwrap()
    }
}

impl Script {
    fn tell(&mut self, bytes: &[u8]) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
    }

    fn go(&mut self, late: &[u8]) {
        self.tell(format!("go {}\n", late.len()).as_bytes());
        self.tell(late);
    }

    /// Reads until it says this.
    fn until(&mut self, word: &str) {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "{said}");
            if line.trim_end() == word {
                return;
            }
            said.push_str(&line);
        }
    }

    /// Until what is known beforehand lies beside its place.
    fn has_staged(self, root: &Root) -> Self {
        let deadline = Instant::now() + Duration::from_secs(30);
        while fs::read_dir(root.path("etc")).unwrap().count() == 0 {
            assert!(Instant::now() < deadline, "it never stages");
            std::thread::sleep(Duration::from_millis(2));
        }
        self
    }

    /// Until it has come to where it waits for another script.
    fn waits_for_the_lock(&self) {
        let parent = format!(" {} ", self.child.id());
        let is_flock = |process: std::io::Result<fs::DirEntry>| {
            let stat = fs::read_to_string(process.unwrap().path().join("stat"));
            let stat = stat.unwrap_or_default();
            let (name, rest) = stat.rsplit_once(')').unwrap_or_default();
            name.ends_with("(flock") && rest.get(2..).is_some_and(|rest| rest.starts_with(&parent))
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !fs::read_dir("/proc").unwrap().any(is_flock) {
            assert!(Instant::now() < deadline, "it never waits");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Its operator is gone; what it says to the end.
    fn abandon(mut self) -> String {
        drop(self.child.stdin.take());
        let said = std::io::read_to_string(&mut self.said).unwrap();
        self.child.wait().unwrap();
        said
    }
}

#[test]
fn a_wave_that_never_gets_its_turn_leaves_nothing() {
    let root = Root::new();
    let said = root.start(&root.batch("a", Wave::Services)).abandon();
    assert!(said.ends_with("@undone\n"), "{said}");
    assert!(!said.contains("@placed"), "{said}");
    let left = fs::read_dir(root.path("etc")).unwrap().count();
    assert_eq!(left, 0, "{said}");
    let stages = fs::read_dir(root.path("var/stage")).unwrap().count();
    assert_eq!(stages, 0, "{said}");
}

#[test]
fn a_wave_is_staged_while_the_one_before_it_still_holds_the_host() {
    let root = Root::new();
    let mut first = root.start(&root.batch("a", Wave::NomadClients));
    first.go(&root.late("first"));
    first.until("@waiting");
    assert_eq!(root.text("etc/known").as_deref(), Some("of a"));
    assert_eq!(root.text("etc/token").as_deref(), Some("first"));
    assert_eq!(root.text("var/manifest.json"), None, "it is not kept yet");

    let mut second = root.start(&root.batch("a", Wave::Services));
    second.go(&root.late("second"));
    second.waits_for_the_lock();
    let mut other = root.start(&root.batch("b", Wave::Base));
    other.until("@undone");
    assert_eq!(
        root.text("etc/token").as_deref(),
        Some("first"),
        "the second waits"
    );

    first.tell(b"keep\n");
    first.until("@kept");
    second.until("@waiting");
    assert_eq!(root.text("var/manifest.json").as_deref(), Some("first"));
    second.tell(b"keep\n");
    second.until("@kept");
    assert_eq!(root.text("var/manifest.json").as_deref(), Some("second"));
    let left = fs::read_dir(root.path("etc")).unwrap().count();
    assert_eq!(left, 2, "only the two files");
}

#[test]
fn a_wave_that_waits_for_its_turn_is_in_nobodys_way() {
    let root = Root::new();
    let waits = root.start(&root.batch("a", Wave::Services));
    let waits = waits.has_staged(&root);
    let mut other = root.start(&root.batch("b", Wave::Base));
    other.go(&root.late("of b"));
    other.until("@waiting");
    let said = waits.abandon();
    assert!(said.ends_with("@undone\n"), "{said}");
    other.tell(b"keep\n");
    other.until("@kept");
    assert_eq!(root.text("etc/known").as_deref(), Some("of b"));
    assert_eq!(root.text("etc/token").as_deref(), Some("of b"));
    let left = fs::read_dir(root.path("etc")).unwrap().count();
    assert_eq!(left, 2, "only the two files");
}

#[test]
fn what_was_there_is_put_back_when_the_operator_is_gone() {
    let root = Root::new();
    fs::write(root.path("etc/known"), "old").unwrap();
    let mut script = root.start(&root.batch("a", Wave::Services));
    script.go(&root.late("never kept"));
    script.until("@waiting");
    assert_eq!(root.text("etc/known").as_deref(), Some("of a"));
    let said = script.abandon();
    assert!(said.ends_with("@undone\n"), "{said}");
    assert_eq!(root.text("etc/known").as_deref(), Some("old"));
    assert_eq!(root.text("etc/token"), None);
    assert_eq!(root.text("var/manifest.json"), None);
}
