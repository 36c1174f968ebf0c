//! Compares what a host should have with what it has.

use std::collections::BTreeSet;
use std::fmt;

use crate::apply::facts::{Facts, PathFact};
use crate::apply::steps::{Steps, allowed};
use crate::apply::wanted::{Wanted, WantedFile, WantedProgram, Wish};
use crate::artifacts::digest_of;
use crate::plan::{Access, OnChange, Service, Unit, Wave};

/// One difference between what a host should have and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When it is made.
    pub wave: Wave,
    /// What is done.
    pub what: What,
    /// What it costs.
    pub effect: OnChange,
}

/// What is done about a difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Create a system account.
    CreateAccount(String),
    /// Create a directory.
    CreateDirectory(String),
    /// Give a directory another owner or mode.
    ChangeDirectory(String),
    /// Install a program into its versioned folder.
    InstallProgram {
        /// Product.
        product: String,
        /// The file's name.
        file: String,
        /// Version.
        version: String,
    },
    /// Create a file.
    CreateFile(String),
    /// Replace a file's content.
    ReplaceFile(String),
    /// Give a file another owner or mode.
    ChangeAccess(String),
    /// Remove a file of ours that is no longer wanted.
    RemoveFile(String),
    /// Issue a certificate, the key that belongs to it, or a token.
    Issue {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Point the link in `/usr/local/bin` to a version.
    Link {
        /// Product.
        product: String,
        /// Version.
        version: String,
    },
    /// Install a set of packages.
    InstallPackages {
        /// The package that tells.
        name: String,
        /// The version wanted.
        version: String,
        /// The version there.
        found: Option<String>,
    },
    /// Load a Docker image.
    LoadImage(String),
    /// Let a service start at boot.
    Enable(Service),
    /// Start a service which does not run.
    Start(Service),
}

/// Lists what would bring a host to what is wanted, by wave. Empty means converged.
///
/// # Errors
/// When a version may not take the place of the one that the host has.
pub fn changes(wanted: &Wanted, found: &Facts) -> Result<Vec<Change>, Steps> {
    allowed(wanted, found)?;
    let mut changes = Vec::new();
    changes.extend(accounts(wanted, found));
    changes.extend(directories(wanted, found));
    changes.extend(
        wanted
            .programs
            .iter()
            .flat_map(|program| program_changes(program, wanted, found)),
    );
    changes.extend(
        wanted
            .files
            .iter()
            .flat_map(|file| file_changes(file, found)),
    );
    changes.extend(removals(wanted, found));
    changes.extend(packages(wanted, found));
    changes.extend(images(wanted, found));
    changes.extend(
        wanted
            .units
            .iter()
            .flat_map(|unit| unit_changes(*unit, found)),
    );
    changes.sort_by_key(|change| change.wave);
    Ok(changes)
}

fn base(what: What) -> Change {
    Change {
        wave: Wave::Base,
        what,
        effect: OnChange::Nothing,
    }
}

fn accounts(wanted: &Wanted, found: &Facts) -> Vec<Change> {
    let missing = wanted
        .accounts
        .iter()
        .filter(|account| !found.accounts.contains(account.name));
    missing
        .map(|account| base(What::CreateAccount(account.name.to_owned())))
        .collect()
}

fn directories(wanted: &Wanted, found: &Facts) -> Vec<Change> {
    let change = |path: &str, access: Access| match found.paths.get(path) {
        None => Some(What::CreateDirectory(path.to_owned())),
        Some(there) if !has_access(there, access) => Some(What::ChangeDirectory(path.to_owned())),
        Some(_) => None,
    };
    let changes = wanted.directories.iter().filter_map(|directory| {
        Some(Change {
            wave: directory.wave,
            what: change(directory.path, directory.access)?,
            effect: OnChange::Nothing,
        })
    });
    changes.collect()
}

fn has_access(there: &PathFact, access: Access) -> bool {
    there.mode == access.mode && there.owner == access.owner && there.group == access.group
}

fn program_changes(program: &WantedProgram, wanted: &Wanted, found: &Facts) -> Vec<Change> {
    let (product, version) = (program.product.to_owned(), program.version.clone());
    let mut changes = Vec::new();
    if !is_trusted(program, found) {
        changes.push(base(What::InstallProgram {
            product: product.clone(),
            file: program.file.to_owned(),
            version: version.clone(),
        }));
    }
    if !program.linked {
        return changes;
    }
    let target = found
        .paths
        .get(&program.link())
        .and_then(|link| link.target.as_deref());
    if target != Some(program.path().as_str()) {
        let unit = wanted
            .units
            .iter()
            .find(|unit| unit.service == program.service);
        changes.push(Change {
            wave: unit.map_or(Wave::Base, |unit| unit.wave),
            what: What::Link { product, version },
            effect: OnChange::Restart(program.service),
        });
    }
    changes
}

/// A program is the pinned one if nobody has touched the file since its digest was
/// checked, or if its digest was asked for and is right.
fn is_trusted(program: &WantedProgram, found: &Facts) -> bool {
    let path = program.path();
    let digest = &program.artifact.digest;
    let untouched = match (found.programs.get(&path), found.paths.get(&path)) {
        (Some(noted), Some(there)) => &noted.digest == digest && noted.identity == there.identity,
        _ => false,
    };
    untouched && found.digests.get(&path).is_none_or(|asked| asked == digest)
}

fn file_changes(file: &WantedFile, found: &Facts) -> Vec<Change> {
    let path = file.path.clone();
    let what = match (&file.wish, found.paths.get(&file.path)) {
        (Wish::Issued { reason, .. } | Wish::NomadToken { reason, .. }, _) => Some(What::Issue {
            path,
            reason: reason.clone(),
        }),
        (_, None) => Some(What::CreateFile(path)),
        (Wish::Text(text), Some(_))
            if !is_confirmed(&file.path, &digest_of(text.as_bytes()), found) =>
        {
            Some(What::ReplaceFile(path))
        }
        (_, Some(there)) if !has_access(there, file.access) => Some(What::ChangeAccess(path)),
        _ => None,
    };
    what.map(|what| Change {
        wave: file.wave,
        what,
        effect: file.on_change,
    })
    .into_iter()
    .collect()
}

/// The right bytes alone do not do: a run that was cut off may have put them there
/// without restarting who reads them. The manifest is written after that.
fn is_confirmed(path: &str, digest: &String, found: &Facts) -> bool {
    found.digests.get(path) == Some(digest) && found.manifest.files.get(path) == Some(digest)
}

fn removals(wanted: &Wanted, found: &Facts) -> Vec<Change> {
    let kept: BTreeSet<&str> = wanted.files.iter().map(|file| file.path.as_str()).collect();
    let gone = found
        .manifest
        .files
        .keys()
        .filter(|path| !kept.contains(path.as_str()));
    gone.map(|path| removal(path, wanted)).collect()
}

/// Who read a file that goes away is told by where it lies. What belongs to systemd itself runs
/// on every host.
fn removal(path: &str, wanted: &Wanted) -> Change {
    let of_system = [
        ("/etc/systemd/journald.conf.d/", Service::Journald),
        ("/etc/systemd/timesyncd.conf.d/", Service::Timesyncd),
    ];
    let of_ours = [
        ("/etc/consul.d/", Service::Consul),
        ("/etc/nomad.d/", Service::Nomad),
        ("/etc/docker/", Service::Docker),
    ];
    let reader = |(folder, service)| path.starts_with(folder).then_some(service);
    let system = of_system.into_iter().find_map(reader);
    let ours = of_ours.into_iter().find_map(reader);
    let unit = wanted.units.iter().find(|unit| Some(unit.service) == ours);
    let service = system.or(unit.map(|unit| unit.service));
    Change {
        wave: unit.map_or(Wave::Base, |unit| unit.wave),
        what: What::RemoveFile(path.to_owned()),
        effect: service.map_or(OnChange::Nothing, OnChange::Restart),
    }
}

fn packages(wanted: &Wanted, found: &Facts) -> Vec<Change> {
    let stale = wanted
        .packages
        .iter()
        .filter(|set| found.packages.get(set.name) != Some(&set.version));
    stale
        .map(|set| {
            let there = found.packages.get(set.name).cloned();
            let effect = if there.is_some() {
                OnChange::Restart(Service::Docker)
            } else {
                OnChange::Nothing
            };
            let what = What::InstallPackages {
                name: set.name.to_owned(),
                version: set.version.clone(),
                found: there,
            };
            Change {
                wave: Wave::Base,
                what,
                effect,
            }
        })
        .collect()
}

fn images(wanted: &Wanted, found: &Facts) -> Vec<Change> {
    let there = |reference: &str, digest: &str| {
        let noted = found.manifest.images.get(reference);
        noted.is_some_and(|noted| noted.digest == digest && found.images.contains(&noted.id))
    };
    let missing = wanted
        .images
        .iter()
        .filter(|image| !there(&image.reference, &image.artifact.digest));
    missing
        .map(|image| base(What::LoadImage(image.reference.clone())))
        .collect()
}

fn unit_changes(unit: Unit, found: &Facts) -> Vec<Change> {
    let there = found
        .services
        .get(unit.service.name())
        .cloned()
        .unwrap_or_default();
    let mut changes = Vec::new();
    let mut push = |what| {
        changes.push(Change {
            wave: unit.wave,
            what,
            effect: OnChange::Nothing,
        });
    };
    if !there.enabled {
        push(What::Enable(unit.service));
    }
    if !there.active {
        push(What::Start(unit.service));
    }
    changes
}

impl What {
    /// The file that a change touches.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::CreateFile(path)
            | Self::ReplaceFile(path)
            | Self::ChangeAccess(path)
            | Self::RemoveFile(path)
            | Self::Issue { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Whether new content is put in place.
    pub(super) fn writes(&self) -> bool {
        matches!(
            self,
            Self::CreateFile(_) | Self::ReplaceFile(_) | Self::Issue { .. }
        )
    }

    /// The file whose present content a change replaces.
    pub fn replaces(&self) -> Option<&str> {
        match self {
            Self::ReplaceFile(path) => Some(path),
            _ => None,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateAccount(name) => write!(f, "create account {name}"),
            Self::CreateDirectory(path) => write!(f, "create directory {path}"),
            Self::ChangeDirectory(path) => write!(f, "set owner and mode of directory {path}"),
            Self::InstallProgram {
                product,
                file,
                version,
            } if product == file => write!(f, "install {product} {version}"),
            Self::InstallProgram {
                product,
                file,
                version,
            } => write!(f, "install {file} of {product} {version}"),
            Self::CreateFile(path) => write!(f, "create {path}"),
            Self::ReplaceFile(path) => write!(f, "replace {path}"),
            Self::ChangeAccess(path) => write!(f, "set owner and mode of {path}"),
            Self::RemoveFile(path) => write!(f, "remove {path}"),
            Self::Issue { path, reason } => write!(f, "issue {path}: {reason}"),
            Self::Link { product, version } => write!(f, "switch {product} to {version}"),
            Self::InstallPackages {
                name,
                version,
                found: None,
            } => write!(f, "install package {name} {version}"),
            Self::InstallPackages {
                name,
                version,
                found: Some(found),
            } => {
                write!(f, "change package {name} from {found} to {version}")
            }
            Self::LoadImage(reference) => write!(f, "load image {reference}"),
            Self::Enable(service) => write!(f, "enable {}", service.name()),
            Self::Start(service) => write!(f, "start {}", service.name()),
        }
    }
}
