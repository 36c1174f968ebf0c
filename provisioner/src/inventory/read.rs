//! Reads a folder of files, and builds the inventory once nothing is wrong.
//!
//! This is the room's only contact with the disk. Every file is read and
//! checked before the verdict, so an operator sees all problems at once.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Inventory;
use super::assemble::inventory;
use super::check::check;
use super::file::{self, Files};
use super::problem::{InventoryError, Place, Problem, Problems, Severity};
use super::tree::Node;
use super::yaml::{self, MAX_FILE_BYTES};

const FEDERATION: &str = "federation.yaml";
const SITES: &str = "sites";

/// An inventory that can be trusted, and what its author should still know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The inventory.
    pub inventory: Inventory,
    /// Problems that do not prevent its use.
    pub warnings: Vec<Problem>,
}

/// Reads `federation.yaml` and `sites/*.yaml` of a folder.
///
/// # Errors
/// When the folder holds no inventory, or when its files have problems: then all of them.
pub fn load(folder: &Path) -> Result<Loaded, InventoryError> {
    fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
    if !folder.join(FEDERATION).exists() {
        return Err(InventoryError::NoFederation {
            folder: folder.to_path_buf(),
        });
    }
    let problems = Problems::default();
    let files = files(folder, &problems)?;
    check(&files, &problems);
    let problems = problems.sorted();
    let is_sound = problems
        .iter()
        .all(|problem| problem.severity == Severity::Warning);
    match inventory(files) {
        Some(inventory) if is_sound => Ok(Loaded {
            inventory,
            warnings: problems,
        }),
        _ => Err(InventoryError::Invalid { problems }),
    }
}

fn unreadable(folder: &Path, source: io::Error) -> InventoryError {
    InventoryError::Unreadable {
        folder: folder.to_path_buf(),
        source,
    }
}

fn files(folder: &Path, problems: &Problems) -> Result<Files, InventoryError> {
    let name = Path::new(FEDERATION);
    let federation =
        document(folder, name, problems).and_then(|node| file::federation(&node, name, problems));
    let site = |name: &PathBuf| file::site(&document(folder, name, problems)?, name, problems);
    let sites = site_files(folder, problems)?.iter().map(site).collect();
    Ok(Files { federation, sites })
}

/// The files of `sites/` by name, relative to the inventory's folder.
fn site_files(folder: &Path, problems: &Problems) -> Result<Vec<PathBuf>, InventoryError> {
    let sites = folder.join(SITES);
    let entries = match fs::read_dir(&sites) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| unreadable(&sites, source))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry
            .map_err(|source| unreadable(&sites, source))?
            .file_name();
        if is_site_file(&name, problems) {
            names.push(Path::new(SITES).join(name));
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a file of `sites/` is a site. Others may lie there, unless they look like one.
fn is_site_file(name: &OsStr, problems: &Problems) -> bool {
    let path = Path::new(SITES).join(name);
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let is_hidden = name.as_encoded_bytes().starts_with(b".");
    let is_misnamed = ["yml", "yaml"]
        .iter()
        .any(|like| extension.eq_ignore_ascii_case(like))
        && extension != "yaml";
    if is_misnamed && !is_hidden {
        let to = path.with_extension("yaml");
        let hint = format!("rename it to {}", to.display());
        problems.error(
            &Place::start(&path),
            "only files named *.yaml are read",
            &hint,
        );
    }
    extension == "yaml" && !is_hidden
}

fn document(folder: &Path, name: &Path, problems: &Problems) -> Option<Node> {
    match bytes(&folder.join(name)) {
        Ok(bytes) => yaml::parse(name, &bytes, problems),
        Err(error) => {
            let what = format!("cannot read the file: {error}");
            problems.error(&Place::start(name), what, "see its kind, owner and mode");
            None
        }
    }
}

/// A file's content, or a little more of it than is allowed.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    // A FIFO would be waited for, and a device may never end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
