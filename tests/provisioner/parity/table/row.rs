//! One row of the table, and how it is read.

/// What a row may wait for, and what that is.
pub(super) const CAPABILITIES: &[(&str, &str)] = &[
    (
        "adopt",
        "taking over a federation that others have built, and what they left on its hosts",
    ),
    ("apply", "gates and bounds of an apply"),
    ("artifacts", "programs for more than one architecture"),
    ("backup", "snapshots, and their way back"),
    ("certs", "certificates and tokens for people and programs"),
    ("dns", "asking for the names that users need"),
    (
        "doctor",
        "looking for known problems and for what nobody owns",
    ),
    ("gateway certificates", "asking a public authority"),
    ("import", "reading an inventory of Ansible"),
    ("inventory", "more keys of the inventory"),
    (
        "kernel",
        "the kernel's command line, on hosts that need one",
    ),
    ("lab", "two sites in the lab"),
    ("preflight", "questions to hosts before anything is changed"),
    ("reboot", "reboots one by one, with a drain"),
    (
        "removal",
        "taking out what has left the inventory, and changing keys",
    ),
    ("rendering", "more files of hosts, jobs and tables"),
    ("run log", "who changed what"),
    ("site join", "letting a site in that others operate"),
    ("status", "what a running federation is and has"),
    ("upgrade", "other versions on a busy federation"),
    (
        "volume",
        "making a volume of a disk: its partition, its file system and its quotas",
    ),
    ("verify", "more proofs of a running site"),
    (
        "volume",
        "making a volume of a disk: its partition, its file system and its quotas",
    ),
];

/// One row: what was there, and what became of it.
#[derive(Debug)]
pub(super) struct Row {
    /// 1 to 502.
    pub(super) number: u16,
    /// What the row is about.
    pub(super) kind: Kind,
    /// In our words.
    pub(super) subject: String,
    /// Where it stands.
    pub(super) state: State,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something to keep.
    Feature,
    /// A defect, not to be reproduced.
    Defect,
    /// Something that nothing used.
    Unused,
}

/// Where a row stands.
#[derive(Debug)]
pub(super) enum State {
    /// It holds, and these tests fail when it does not.
    Done(Vec<Evidence>),
    /// It waits for a capability, because something is missing.
    Waiting {
        /// One of [`CAPABILITIES`].
        capability: String,
        /// What is missing.
        missing: String,
    },
    /// Why it is not wanted.
    NotWanted(String),
}

/// A test, or a case of the lab.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Its file, from the root of the repository.
    pub(super) file: String,
    /// The function's name, or the words that the case is printed with.
    pub(super) name: String,
}

impl Kind {
    /// The letter that stands for it in the table.
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::Feature => "F",
            Self::Defect => "D",
            Self::Unused => "X",
        }
    }
}

impl State {
    /// The word that stands for it in the table.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Waiting { .. } => "waiting",
            Self::NotWanted(_) => "not wanted",
        }
    }
}

impl Evidence {
    /// Cases of the lab are no functions: they have words for a name.
    pub(super) fn is_case_of_the_lab(&self) -> bool {
        self.file.starts_with("tests/lab/")
    }
}

/// Reads the table.
///
/// # Errors
/// All that is wrong with it, each with its line.
pub(super) fn read(text: &str) -> Result<Vec<Row>, Vec<String>> {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        match row(line) {
            Ok(row) => rows.push(row),
            Err(wrong) => {
                let wrong = wrong
                    .into_iter()
                    .map(|what| format!("{}: {what}", index + 1));
                problems.extend(wrong);
            }
        }
    }
    if problems.is_empty() {
        Ok(rows)
    } else {
        Err(problems)
    }
}

fn row(line: &str) -> Result<Row, Vec<String>> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [number, kind, subject, state, evidence] = columns[..] else {
        return Err(vec![format!("{} columns, not 5", columns.len())]);
    };
    let mut problems = Vec::new();
    let number = number
        .parse()
        .map_err(|_| format!("`{number}` is no number of a row"));
    let number = number.map_err(|problem| problems.push(problem)).ok();
    let kind = read_kind(kind)
        .map_err(|problem| problems.push(problem))
        .ok();
    if subject.is_empty() {
        problems.push("no subject".to_owned());
    }
    let state = read_state(state, evidence)
        .map_err(|problem| problems.push(problem))
        .ok();
    match (number, kind, state) {
        (Some(number), Some(kind), Some(state)) if problems.is_empty() => Ok(Row {
            number,
            kind,
            subject: subject.to_owned(),
            state,
        }),
        _ => Err(problems),
    }
}

fn read_kind(letter: &str) -> Result<Kind, String> {
    let kinds = [Kind::Feature, Kind::Defect, Kind::Unused];
    let found = kinds.into_iter().find(|kind| kind.letter() == letter);
    found.ok_or_else(|| format!("`{letter}` is no kind; the kinds are F, D, X"))
}

fn read_state(word: &str, evidence: &str) -> Result<State, String> {
    match word {
        "done" if evidence.is_empty() => Err(
            "a row that is done names a test, as in tests/provisioner/render.rs::name".to_owned(),
        ),
        "done" => {
            let tests = evidence.split("; ").map(read_evidence);
            Ok(State::Done(tests.collect::<Result<_, _>>()?))
        }
        "waiting" => {
            let (capability, missing) = evidence
                .split_once(": ")
                .ok_or("a row that waits says `capability: what is missing`")?;
            if !CAPABILITIES.iter().any(|(name, _)| *name == capability) {
                return Err(format!(
                    "`{capability}` is no capability of the list in row.rs"
                ));
            }
            Ok(State::Waiting {
                capability: capability.to_owned(),
                missing: missing.to_owned(),
            })
        }
        "not wanted" if evidence.is_empty() => Err("a row that is not wanted says why".to_owned()),
        "not wanted" => Ok(State::NotWanted(evidence.to_owned())),
        _ => Err(format!(
            "`{word}` is no state; the states are done, waiting, not wanted"
        )),
    }
}

fn read_evidence(text: &str) -> Result<Evidence, String> {
    let (file, name) = text.split_once("::").ok_or_else(|| {
        format!("`{text}` names no test; write it as tests/provisioner/render.rs::name")
    })?;
    Ok(Evidence {
        file: file.to_owned(),
        name: name.to_owned(),
    })
}
