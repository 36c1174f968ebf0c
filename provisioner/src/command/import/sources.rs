//! Reads the files of an Ansible inventory, in Ansible's own order and within limits.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::command::Error;
use crate::importers::{Owner, SourceFile, Sources};
use crate::inventory::MAX_FILE_BYTES;

/// What an inventory is called in a folder.
const NAMES: &[&str] = &["hosts", "inventory"];
/// How its file may end, and how files of variables may, in the order in which Ansible looks.
const ENDINGS: &[&str] = &["", ".yml", ".yaml", ".json"];
/// Files of variables that are read.
const MAX_FILES: usize = 1000;
/// Folders within folders of variables.
const MAX_DEPTH: usize = 8;

/// The inventory at a path, or in a folder, with the variables beside it and SSH's configuration.
pub(super) fn read(path: &Path, ssh_config: Option<&Path>) -> Result<Sources, Error> {
    let file = if path.is_dir() {
        inventory_in(path)?
    } else {
        path.to_owned()
    };
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let mut reader = Reader {
        folder: folder.clone(),
        sources: Sources {
            inventory: source(&folder, &file)?,
            variables: Vec::new(),
            ssh_config: ssh_config.map(|path| source(&folder, path)).transpose()?,
            hidden: Vec::new(),
        },
    };
    reader.variables("group_vars", Owner::Group)?;
    reader.variables("host_vars", Owner::Host)?;
    Ok(reader.sources)
}

/// The one file of a folder that is called like an inventory.
fn inventory_in(folder: &Path) -> Result<PathBuf, Error> {
    let endings = ENDINGS.iter().chain(&[".ini"]);
    let names = NAMES
        .iter()
        .flat_map(|name| endings.clone().map(move |ending| format!("{name}{ending}")));
    let found: Vec<PathBuf> = names
        .map(|name| folder.join(name))
        .filter(|path| path.is_file())
        .collect();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(format!(
            "cannot find an inventory in {}: name its file",
            folder.display()
        )
        .into()),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            Err(format!(
                "{} holds several inventories: name one of {}",
                folder.display(),
                names.join(", ")
            )
            .into())
        }
    }
}

fn cannot(path: &Path) -> impl FnOnce(io::Error) -> String {
    move |error| format!("cannot read {}: {error}", path.display())
}

/// A file, or a little more of it than is allowed; named relative to the inventory's folder.
fn source(folder: &Path, path: &Path) -> Result<SourceFile, Error> {
    // A FIFO would be waited for, and a device may never end.
    if !fs::metadata(path).map_err(cannot(path))?.is_file() {
        return Err(format!("cannot read {}: not a regular file", path.display()).into());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot(path))?;
    let limit = MAX_FILE_BYTES as u64 + 1;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(cannot(path))?;
    let name = path.strip_prefix(folder).unwrap_or(path);
    Ok(SourceFile {
        name: name.to_string_lossy().into_owned(),
        bytes,
    })
}

struct Reader {
    folder: PathBuf,
    sources: Sources,
}

impl Reader {
    /// Reads `group_vars` or `host_vars`: for each name the first of its files, or its folder.
    fn variables(&mut self, folder: &str, owner: fn(String) -> Owner) -> Result<(), Error> {
        let folder = self.folder.join(folder);
        if !folder.is_dir() {
            return Ok(());
        }
        let mut names = BTreeSet::new();
        for path in listed(&folder)? {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let stem = ENDINGS[1..]
                .iter()
                .find_map(|ending| name.strip_suffix(ending));
            names.insert(stem.unwrap_or(name).to_owned());
        }
        for name in names {
            let paths = ENDINGS
                .iter()
                .map(|ending| folder.join(format!("{name}{ending}")));
            let mut paths = paths.filter(|path| path.exists());
            if let Some(first) = paths.next() {
                self.file_or_folder(&first, &owner(name.clone()), 0)?;
            }
            let hidden = paths.map(|path| self.relative(&path));
            let hidden: Vec<_> = hidden.collect();
            self.sources.hidden.extend(hidden);
        }
        Ok(())
    }

    fn relative(&self, path: &Path) -> String {
        let name = path.strip_prefix(&self.folder).unwrap_or(path);
        name.to_string_lossy().into_owned()
    }

    fn file_or_folder(&mut self, path: &Path, owner: &Owner, depth: usize) -> Result<(), Error> {
        if path.is_dir() {
            if depth >= MAX_DEPTH {
                return Err(
                    format!("cannot read {}: folders within folders", path.display()).into(),
                );
            }
            for path in listed(path)? {
                let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
                let is_read = path.is_dir()
                    || !name.contains('.')
                    || ENDINGS[1..].iter().any(|it| name.ends_with(it));
                if is_read {
                    self.file_or_folder(&path, owner, depth + 1)?;
                }
            }
            return Ok(());
        }
        if self.sources.variables.len() >= MAX_FILES {
            return Err(format!(
                "cannot read {}: more than {MAX_FILES} files of variables",
                path.display()
            )
            .into());
        }
        let file = source(&self.folder, path)?;
        self.sources.variables.push((owner.clone(), file));
        Ok(())
    }
}

/// What a folder holds, by name; editors' copies and hidden files are passed over.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(cannot(folder))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(cannot(folder))?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if !name.starts_with(b".") && !name.ends_with(b"~") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
