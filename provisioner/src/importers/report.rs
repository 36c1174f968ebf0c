//! What an import found: each line that was dropped or changed, that waits for a decision, or
//! that makes the import impossible.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use serde::Serialize;

/// More findings than a person reads: the rest are only counted.
const MAX_FINDINGS: usize = 1000;

/// What a finding means for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The source cannot be imported like this; nothing is written.
    Error,
    /// A default stands where only the operator knows the value.
    Decide,
    /// The inventory says it in another way than Ansible did.
    Changed,
    /// The inventory does not say it at all.
    Dropped,
}

impl Severity {
    /// All of them, the gravest first.
    pub const ALL: [Self; 4] = [Self::Error, Self::Decide, Self::Changed, Self::Dropped];

    /// The word by which reports name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Decide => "decide",
            Self::Changed => "changed",
            Self::Dropped => "dropped",
        }
    }
}

/// One thing that an operator should know of an import, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file, as it was named to the importer.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What it means.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// `file:line:column: severity: what; hint`, which terminals make clickable.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file, line, column, ..
        } = self;
        let (word, what, hint) = (self.severity.word(), &self.what, &self.hint);
        write!(f, "{file}:{line}:{column}: {word}: {what}; {hint}")
    }
}

/// A place in a file of the source, counted from 1 as editors do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: Rc<str>,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// The beginning of a file.
    pub(super) fn start(file: &Rc<str>) -> Self {
        Self::at(file, 1, 1)
    }

    pub(super) fn at(file: &Rc<str>, line: usize, column: usize) -> Self {
        let file = Rc::clone(file);
        Self { file, line, column }
    }
}

/// `file:line`, for texts that name a second place.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Where every stage of an import puts what it finds, and goes on.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Collected>);

#[derive(Debug, Default)]
struct Collected {
    findings: Vec<Finding>,
    uncounted: usize,
    has_errors: bool,
}

impl Findings {
    pub(super) fn add(
        &self,
        severity: Severity,
        place: &Place,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let mut collected = self.0.borrow_mut();
        collected.has_errors |= severity == Severity::Error;
        if collected.findings.len() >= MAX_FINDINGS {
            collected.uncounted += 1;
            return;
        }
        collected.findings.push(Finding {
            file: place.file.to_string(),
            line: place.line,
            column: place.column,
            severity,
            what: what.into(),
            hint: hint.into(),
        });
    }

    pub(super) fn error(&self, place: &Place, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, place, what, hint);
    }

    pub(super) fn decide(&self, place: &Place, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Decide, place, what, hint);
    }

    pub(super) fn changed(&self, place: &Place, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Changed, place, what, hint);
    }

    pub(super) fn dropped(&self, place: &Place, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Dropped, place, what, hint);
    }

    /// Whether the source cannot be imported.
    pub(super) fn has_errors(&self) -> bool {
        self.0.borrow().has_errors
    }

    /// All of them in the order of reading, each once.
    pub(super) fn sorted(self) -> Vec<Finding> {
        let Collected {
            mut findings,
            uncounted,
            has_errors,
        } = self.0.into_inner();
        if let Some(last) = findings.last().filter(|_| uncounted > 0).cloned() {
            findings.push(Finding {
                severity: if has_errors {
                    Severity::Error
                } else {
                    Severity::Decide
                },
                what: format!("{uncounted} more findings are not shown"),
                hint: "mend these first".to_owned(),
                ..last
            });
        }
        findings.sort();
        findings.dedup();
        findings
    }
}

/// How often each severity was found, in words: `2 to decide, 5 changed`.
pub fn counts(findings: &[Finding]) -> String {
    let count = |severity| {
        let found = findings.iter().filter(|it| it.severity == severity).count();
        let word = match severity {
            Severity::Error if found == 1 => "error",
            Severity::Error => "errors",
            Severity::Decide => "to decide",
            Severity::Changed => "changed",
            Severity::Dropped => "dropped",
        };
        (found > 0).then(|| format!("{found} {word}"))
    };
    let words: Vec<_> = Severity::ALL.into_iter().filter_map(count).collect();
    if words.is_empty() {
        "nothing to decide".to_owned()
    } else {
        words.join(", ")
    }
}
