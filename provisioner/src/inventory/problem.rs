//! What is wrong with an inventory, and where.
//!
//! A reader meets every problem of every file in one run, each in the form that
//! terminals and editors make clickable: `file:line:column: key path: what; hint`.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ::federation::count::counted;
use serde::{Serialize, Serializer};

/// Why a folder cannot be used as an inventory.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The folder, or a folder in it, could not be read.
    #[error("cannot read {}", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The folder is readable, but holds no `federation.yaml`.
    #[error(
        "cannot find federation.yaml in {}; an inventory is a folder with federation.yaml and sites/*.yaml",
        folder.display()
    )]
    NoFederation {
        /// The folder.
        folder: PathBuf,
    },
    /// The files are there, and at least one problem in them is an error.
    #[error("cannot use the inventory: {}\n{}", count(problems), list(problems))]
    Invalid {
        /// All problems of all files, warnings too, by file, line and column.
        problems: Vec<Problem>,
    },
}

/// Whether a problem prevents the inventory's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is done with such an inventory.
    Error,
    /// It can be used; the operator should know.
    Warning,
}

/// One thing wrong with an inventory, and where.
///
/// The order is that of reading: by file, line and column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file, relative to the inventory's folder.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Whether it prevents the inventory's use.
    pub severity: Severity,
    /// Path of keys from the top of the file, such as `hosts.wn-0.address`; empty for the whole file.
    pub at: String,
    /// What is wrong, in the words of the inventory rather than of the code.
    pub what: String,
    /// What to do about it, where that can be said.
    pub hint: Option<String>,
}

impl Problem {
    pub(super) fn error(place: &Place, what: impl Into<String>) -> Self {
        Self {
            file: place.file.to_path_buf(),
            line: place.position.line,
            column: place.position.column,
            severity: Severity::Error,
            at: place.at.clone(),
            what: what.into(),
            hint: None,
        }
    }

    pub(super) fn warning(place: &Place, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, what)
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file.display(), self.line, self.column)?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        f.write_str(&self.what)?;
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

/// A place in a file, counted from 1 as editors do; a column is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A place in an inventory: of a key, or of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, relative to the inventory's folder.
    pub(super) file: Rc<Path>,
    pub(super) position: Position,
    /// Path of keys from the top of the file.
    pub(super) at: String,
}

impl Place {
    /// The beginning of a file: where problems of the whole file are.
    pub(super) fn start(file: &Path) -> Self {
        Self {
            file: file.into(),
            position: Position { line: 1, column: 1 },
            at: String::new(),
        }
    }

    /// Another place of the same file.
    pub(super) fn moved(&self, position: Position, at: String) -> Self {
        Self {
            file: Rc::clone(&self.file),
            position,
            at,
        }
    }
}

/// `file:line:column`, as a problem begins.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(f, "{}:{line}:{column}", self.file.display())
    }
}

/// Where every stage of reading puts what it finds wrong, and goes on.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(super) fn add(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    pub(super) fn error(&self, place: &Place, what: impl Into<String>, hint: &str) {
        self.add(Problem::error(place, what).hint(hint));
    }

    pub(super) fn warning(&self, place: &Place, what: impl Into<String>, hint: &str) {
        self.add(Problem::warning(place, what).hint(hint));
    }

    /// All of them, in the order of reading.
    ///
    /// A mistake that an alias repeats in many places is one mistake: it is mended once.
    pub(super) fn sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort();
        let mut seen = HashSet::new();
        problems.retain(|problem| {
            let Problem {
                file,
                line,
                column,
                what,
                hint,
                ..
            } = problem.clone();
            seen.insert((file, line, column, what, hint))
        });
        problems
    }
}

fn count(problems: &[Problem]) -> String {
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    counted(errors, "error")
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// A file name need not be UTF-8, but JSON must.
fn lossy<S: Serializer>(file: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&file.display())
}
