//! What a host should have, down to the byte: the rendered files with their
//! secrets, certificates that are still good kept, and artifacts pinned.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::apply::facts::{Facts, Query, client_id};
use crate::artifacts::{Artifact, ArtifactError, Lock};
use crate::pki::{self, PkiError, Verdict};
use crate::plan::{
    Access, Account, Directory, HostPlan, Leaf, NomadUser, OnChange, Service, Storage, Unit, Wave,
};
use crate::render::{self, Body, RenderedFile, UnfilledSecret};
use crate::secrets::Store;

/// What a host should have, down to the byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// System accounts.
    pub accounts: Vec<Account>,
    /// Directories.
    pub directories: Vec<Directory>,
    /// Files.
    pub files: Vec<WantedFile>,
    /// Services that run and start at boot.
    pub units: Vec<Unit>,
    /// Programs.
    pub programs: Vec<WantedProgram>,
    /// Sets of packages.
    pub packages: Vec<WantedPackages>,
    /// Docker images.
    pub images: Vec<WantedImage>,
    /// Where the host keeps what grows.
    pub storage: Storage,
}

/// A file, with its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct WantedFile {
    /// Absolute path.
    pub path: String,
    /// Who may do what.
    pub access: Access,
    /// When it is put in place.
    pub wave: Wave,
    /// What the host must do when it changes.
    pub on_change: OnChange,
    /// What it should hold.
    pub wish: Wish,
}

/// What a file should hold.
#[derive(Clone, PartialEq, Eq)]
pub enum Wish {
    /// This text.
    Text(String),
    /// A newly issued certificate or its key, and why the present one does not do.
    Issued {
        /// The certificate or key, in PEM.
        pem: String,
        /// Why it is issued.
        reason: String,
        /// Whether it is a private key.
        is_key: bool,
    },
    /// A token that Nomad makes when the file is written, and why the present one does not do.
    NomadToken {
        /// Its policy.
        policy: &'static str,
        /// Why it is made.
        reason: String,
    },
    /// What is there: a certificate that is good, its key, or a token.
    Kept,
}

/// Never shows what a file holds: it may be a secret.
impl std::fmt::Debug for WantedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WantedFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A program and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedProgram {
    /// Product.
    pub product: &'static str,
    /// The file's name.
    pub file: &'static str,
    /// Whether `/usr/local/bin` has a link to it.
    pub linked: bool,
    /// Its version.
    pub version: String,
    /// The service that runs it.
    pub service: Service,
    /// The pinned file.
    pub artifact: Artifact,
}

/// A set of packages and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPackages {
    /// Folder of the artifact store.
    pub set: &'static str,
    /// The package that tells whether the set is installed.
    pub name: &'static str,
    /// Its exact version.
    pub version: String,
    /// The pinned files.
    pub artifacts: Vec<Artifact>,
}

/// A Docker image and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedImage {
    /// Its name and tag.
    pub reference: String,
    /// The pinned file.
    pub artifact: Artifact,
}

/// Why it cannot be said what a host should have.
#[derive(Debug, thiserror::Error)]
pub enum WantedError {
    /// An artifact is not pinned.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A file names a secret that nobody knows.
    #[error("cannot fill in {path}: {source}")]
    Secret {
        /// The file.
        path: String,
        /// Which one.
        source: UnfilledSecret,
    },
    /// A certificate could not be issued.
    #[error("cannot issue a certificate: {0}")]
    Pki(#[from] PkiError),
    /// The store has no key of an authority.
    #[error("the operator's store has no {0:?} authority")]
    NoAuthority(crate::plan::Authority),
}

impl WantedProgram {
    /// Where it lies on the host.
    pub fn path(&self) -> String {
        format!("/opt/atoll/{}/{}/{}", self.product, self.version, self.file)
    }

    /// Its link on the host.
    pub fn link(&self) -> String {
        format!("/usr/local/bin/{}", self.product)
    }
}

/// What to ask a host for, to compare it with its plan.
///
/// `deep` asks for the digests of programs too, which otherwise are trusted by inode, size and change time.
pub fn query(host: &HostPlan, files: &[RenderedFile], deep: bool) -> Query {
    let mut paths: BTreeSet<String> = host
        .directories
        .iter()
        .map(|directory| directory.path.to_owned())
        .collect();
    paths.extend(files.iter().map(|file| file.path.clone()));
    let mut digests: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
    for program in &host.programs {
        let path = program.path();
        if deep {
            digests.insert(path.clone());
        }
        paths.insert(path);
        if program.linked {
            paths.insert(format!("/usr/local/bin/{}", program.product));
        }
    }
    paths.insert(client_id(host.storage));
    Query {
        paths,
        digests,
        certificates: files
            .iter()
            .filter(|file| matches!(file.body, Body::Certificate(_)))
            .map(|file| file.path.clone())
            .collect(),
        accounts: host
            .accounts
            .iter()
            .map(|account| account.name.to_owned())
            .collect(),
        packages: host
            .packages
            .iter()
            .map(|package| package.name.to_owned())
            .collect(),
        services: host.units.iter().map(|unit| unit.service).collect(),
        images: (!host.images.is_empty()).then_some(host.storage.docker),
    }
}

/// Makes a host's plan concrete.
///
/// # Errors
/// When an artifact is not pinned, a secret is unknown, or a certificate cannot be issued.
pub fn wanted(
    host: &HostPlan,
    files: &[RenderedFile],
    store: &Store,
    lock: &Lock,
    facts: &Facts,
    now: Timestamp,
) -> Result<Wanted, WantedError> {
    let issuer = Issuer {
        store,
        facts,
        files,
        now,
    };
    Ok(Wanted {
        accounts: host.accounts.clone(),
        directories: host.directories.clone(),
        files: issuer.all()?,
        units: host.units.clone(),
        programs: host
            .programs
            .iter()
            .map(|program| pinned_program(program, lock))
            .collect::<Result<_, _>>()?,
        packages: host
            .packages
            .iter()
            .map(|package| pinned_packages(package, lock))
            .collect::<Result<_, _>>()?,
        images: host
            .images
            .iter()
            .map(|reference| {
                Ok(WantedImage {
                    reference: reference.clone(),
                    artifact: lock.image(reference)?,
                })
            })
            .collect::<Result<_, ArtifactError>>()?,
        storage: host.storage,
    })
}

fn pinned_program(
    program: &crate::plan::Program,
    lock: &Lock,
) -> Result<WantedProgram, ArtifactError> {
    Ok(WantedProgram {
        product: program.product,
        file: program.file,
        linked: program.linked,
        version: program.version.to_string(),
        service: program.service,
        artifact: lock.program(program.product, program.version.as_str(), program.file)?,
    })
}

fn pinned_packages(
    package: &crate::plan::Package,
    lock: &Lock,
) -> Result<WantedPackages, ArtifactError> {
    Ok(WantedPackages {
        set: package.set,
        name: package.name,
        version: package.version.clone(),
        artifacts: lock.packages(package.set, &package.version)?,
    })
}

/// Gives each file its bytes.
struct Issuer<'a> {
    store: &'a Store,
    facts: &'a Facts,
    files: &'a [RenderedFile],
    now: Timestamp,
}

impl Issuer<'_> {
    fn all(&self) -> Result<Vec<WantedFile>, WantedError> {
        let mut wanted = Vec::with_capacity(self.files.len());
        for file in self.files {
            match &file.body {
                Body::Text(text) => {
                    let text = render::fill(text, |name| {
                        self.store.value_by_name(name).map(str::to_owned)
                    })
                    .map_err(|source| WantedError::Secret {
                        path: file.path.clone(),
                        source,
                    })?;
                    wanted.push(with(file, Wish::Text(text)));
                }
                Body::Authority(authority) => {
                    let known = self
                        .store
                        .authority(*authority)
                        .ok_or(WantedError::NoAuthority(*authority))?;
                    wanted.push(with(file, Wish::Text(known.certificate_pem.clone())));
                }
                Body::Certificate(leaf) => wanted.extend(self.pair(file, leaf)?),
                // Comes with its certificate.
                Body::PrivateKey(_) => {}
                Body::NomadToken(user) => wanted.push(with(file, self.token(file, *user))),
            }
        }
        Ok(wanted)
    }

    /// A token is known from the run that put it there: only its host keeps it.
    fn token(&self, file: &RenderedFile, user: NomadUser) -> Wish {
        let reason = match self.facts.digests.get(&file.path) {
            Some(_) if self.is_untouched(file) => return Wish::Kept,
            Some(_) => "the token was changed on the host",
            None => "the host has none",
        };
        Wish::NomadToken {
            policy: user.name(),
            reason: reason.to_owned(),
        }
    }

    /// Whether a file is what an earlier run has put there.
    fn is_untouched(&self, file: &RenderedFile) -> bool {
        let noted = self.facts.manifest.files.get(&file.path);
        noted.is_some() && noted == self.facts.digests.get(&file.path)
    }

    /// A certificate and the key that belongs to it.
    fn pair(
        &self,
        certificate: &RenderedFile,
        leaf: &Leaf,
    ) -> Result<Vec<WantedFile>, WantedError> {
        let key = self
            .files
            .iter()
            .find(|file| matches!(&file.body, Body::PrivateKey(other) if **other == *leaf));
        let authority = self
            .store
            .authority(leaf.authority)
            .ok_or(WantedError::NoAuthority(leaf.authority))?;
        let Some(reason) = self.present(certificate, key, leaf, &authority.certificate_pem) else {
            let kept = [Some(certificate), key]
                .into_iter()
                .flatten()
                .map(|file| with(file, Wish::Kept));
            return Ok(kept.collect());
        };
        let issued = pki::issue(authority, leaf, self.now)?;
        let mut files = vec![with(
            certificate,
            Wish::Issued {
                pem: issued.certificate_pem,
                reason: reason.clone(),
                is_key: false,
            },
        )];
        files.extend(key.map(|key| {
            with(
                key,
                Wish::Issued {
                    pem: issued.key_pem,
                    reason,
                    is_key: true,
                },
            )
        }));
        Ok(files)
    }

    /// Why the pair on the host does not do, or nothing when it does.
    fn present(
        &self,
        certificate: &RenderedFile,
        key: Option<&RenderedFile>,
        leaf: &Leaf,
        ca: &str,
    ) -> Option<String> {
        let Some(pem) = self.facts.certificates.get(&certificate.path) else {
            return Some("the host has none".to_owned());
        };
        // The key never leaves the host: that it is the one which came with the
        // certificate is known from the digests of the run that put both there.
        let pair = [Some(certificate), key].into_iter().flatten();
        if !pair.into_iter().all(|file| self.is_untouched(file)) {
            return Some("the certificate or its key was changed on the host".to_owned());
        }
        match pki::examine(pem, ca, leaf, self.now) {
            Verdict::Good { .. } => None,
            Verdict::Replace(reason) => Some(reason.to_string()),
        }
    }
}

fn with(file: &RenderedFile, wish: Wish) -> WantedFile {
    WantedFile {
        path: file.path.clone(),
        access: file.access,
        wave: file.wave,
        on_change: file.on_change,
        wish,
    }
}
