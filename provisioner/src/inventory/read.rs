//! Reads a folder of files, and builds the inventory once nothing is wrong.
//!
//! This is the room's only contact with the disk. Every file is read and
//! checked before the verdict, so an operator sees all problems at once.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Inventory;
use super::assemble::inventory;
use super::check::check;
use super::decode::Field;
use super::file::{self, Files};
use super::problem::{InventoryError, Place, Problem, Problems, Severity};
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

/// A file of an inventory that is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its place in the inventory's folder.
    pub file: PathBuf,
    /// What is in it.
    pub text: String,
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
    load_with(folder, &[])
}

/// The files of which a folder's inventory consists, relative to the folder.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, InventoryError> {
    let mut names = vec![PathBuf::from(FEDERATION)];
    names.extend(site_files(folder, &Problems::default())?);
    Ok(names)
}

/// Reads a folder as if some drafts were in it; it need not be there yet.
///
/// # Errors
/// When its files and the drafts have problems: then all of them.
pub fn load_with(folder: &Path, drafts: &[Draft]) -> Result<Loaded, InventoryError> {
    let problems = Problems::default();
    let drafted = |name: &Path| {
        let draft = drafts.iter().find(|draft| draft.file == name);
        draft.map(|draft| draft.text.clone().into_bytes())
    };
    let bytes = |name: &Path| drafted(name).or_else(|| document(folder, name, &problems));
    let federation = bytes(Path::new(FEDERATION));
    let mut names = site_files(folder, &problems)?;
    let is_site = |draft: &&Draft| draft.file.starts_with(SITES);
    names.extend(
        drafts
            .iter()
            .filter(is_site)
            .map(|draft| draft.file.clone()),
    );
    names.sort();
    names.dedup();
    let sites = names
        .into_iter()
        .map(|name| {
            let bytes = bytes(&name);
            (name, bytes)
        })
        .collect();
    decide(federation, sites, problems)
}

/// Judges an inventory that is not on disk: `federation.yaml` and `sites/*.yaml` by name.
///
/// # Errors
/// When the files have problems: then all of them.
pub fn judge(files: &BTreeMap<PathBuf, String>) -> Result<Loaded, InventoryError> {
    let bytes = |text: &String| text.clone().into_bytes();
    let sites = files.iter().filter(|(name, _)| name.starts_with(SITES));
    decide(
        files.get(Path::new(FEDERATION)).map(bytes),
        sites
            .map(|(name, text)| (name.clone(), Some(bytes(text))))
            .collect(),
        Problems::default(),
    )
}

/// Decides over what was read; bytes that could not be are `None`, and reported.
fn decide(
    federation: Option<Vec<u8>>,
    sites: Vec<(PathBuf, Option<Vec<u8>>)>,
    problems: Problems,
) -> Result<Loaded, InventoryError> {
    let files = Files {
        federation: parsed(
            Path::new(FEDERATION),
            federation,
            &problems,
            file::federation,
        ),
        sites: sites
            .into_iter()
            .map(|(name, bytes)| parsed(&name, bytes, &problems, file::site))
            .collect(),
    };
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

/// What a file says, as far as it can be read.
fn parsed<T>(
    name: &Path,
    bytes: Option<Vec<u8>>,
    problems: &Problems,
    read: impl FnOnce(Field) -> Option<T>,
) -> Option<T> {
    let node = yaml::parse(name, &bytes?, problems)?;
    read(Field::document(&node, name, problems))
}

fn unreadable(folder: &Path, source: io::Error) -> InventoryError {
    InventoryError::Unreadable {
        folder: folder.to_path_buf(),
        source,
    }
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

/// A file's bytes; that they cannot be read is a problem of the inventory.
fn document(folder: &Path, name: &Path, problems: &Problems) -> Option<Vec<u8>> {
    let report = |error| {
        let what = format!("cannot read the file: {error}");
        problems.error(&Place::start(name), what, "see its kind, owner and mode");
    };
    bytes(&folder.join(name)).map_err(report).ok()
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
