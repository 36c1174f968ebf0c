//! Reads a folder of files, and builds the inventory once nothing is wrong.
//!
//! This is the room's only contact with the disk. Every file is read and
//! checked before the verdict, so an operator sees all problems at once.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use federation::names::HostName;

use super::check::check;
use super::decode::Spot;
use super::file::{self, FederationFile, Files, HostEntry, SiteFile, VoEntry};
use super::problem::{InventoryError, Place, Problem, Problems, Severity};
use super::tree::Node;
use super::yaml::{self, MAX_FILE_BYTES};
use super::{Federation, Host, Introduction, Inventory, Kind, Site, Vo};

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

/// The inventory, if every part of it could be read.
fn inventory(files: Files) -> Option<Inventory> {
    let federation = federation(files.federation?)?;
    let site = |file: Option<SiteFile>| site(file?).map(|site| (site.datacenter.clone(), site));
    let sites = files.sites.into_iter().map(site).collect::<Option<_>>()?;
    Some(Inventory { federation, sites })
}

fn federation(file: FederationFile) -> Option<Federation> {
    let vo = |vo: VoEntry| {
        let (namespace, domain) = (vo.namespace?.value, vo.domain?.value);
        Some((vo.name?.value, Vo { namespace, domain }))
    };
    Some(Federation {
        name: file.name?.value,
        primary: file.primary?.value,
        versions: file.versions?,
        docker: file.docker?,
        introduction: file.introduction.map_or(Introduction::Strict, value),
        probe_image: file.probe_image?,
        vos: file.vos?.value.into_iter().map(vo).collect::<Option<_>>()?,
        nvidia: file
            .nvidia
            .map_or(Some(None), |spot| spot.value.map(Some))?,
    })
}

fn site(mut file: SiteFile) -> Option<Site> {
    let entries = file.hosts.take()?.value;
    let hosts = entries
        .into_iter()
        .map(|entry| host(&file, entry?))
        .collect::<Option<_>>()?;
    Some(Site {
        site: file.site.map(value),
        datacenter: file.datacenter?.value,
        domain: file.domain?.value,
        ssh: file.ssh?,
        vos: file
            .vos?
            .value
            .into_iter()
            .map(|vo| vo.map(value))
            .collect::<Option<_>>()?,
        hosts,
    })
}

fn host(site: &SiteFile, entry: HostEntry) -> Option<(HostName, Host)> {
    let (node, _) = entry.node(site)?;
    let address = entry.address.as_ref()?.value;
    let vos = entry.vos.as_ref().or(site.vos.as_ref())?;
    let host = Host {
        node: node.ok()?,
        roles: entry.roles().map(|(role, _)| role).collect(),
        address,
        public_address: entry.public_address.map_or(address, value),
        kind: entry.kind.map_or(Kind::Compute, value),
        vos: vos
            .value
            .iter()
            .map(|vo| Some(vo.as_ref()?.value.clone()))
            .collect::<Option<_>>()?,
        gpus: entry.gpus.map_or(Some(None), |spot| spot.value.map(Some))?,
    };
    Some((entry.key?.value, host))
}

fn value<T>(spot: Spot<T>) -> T {
    spot.value
}
