//! The receiver's TLS: certificates from files, renewed without a restart, and what a certificate names.
//!
//! Callers must show a certificate that one of the configured authorities has
//! signed. Sessions are not resumed: each connection shows its certificate anew,
//! so that one that is replaced or over is not good any longer.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::settings::TlsFiles;

/// Why the receiver has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or has not what is needed in it.
    #[error("cannot read {what} from {}", path.display())]
    Read {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A certificate of the authority file cannot be one.
    #[error("{} has a certificate that cannot be an authority", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The authorities cannot judge callers.
    #[error("{} cannot be used to judge callers", path.display())]
    Verifier {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
    /// The certificate and its key cannot be used, together or at all.
    #[error("{} and {} cannot be used together", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why, such as a key that is another certificate's.
        source: rustls::Error,
    },
    /// What a caller shows, or a file has, is no certificate.
    #[error("a certificate cannot be read: {reason}")]
    Certificate {
        /// Why.
        reason: String,
    },
}

/// Reads the files into what a connection is answered with.
///
/// # Errors
/// When a file cannot be read, or the key is not the certificate's.
pub fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let chain = certificates("a certificate", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::Read {
        what: "a private key",
        path: files.key.clone(),
        source,
    })?;
    let mut authorities = RootCertStore::empty();
    for authority in certificates("an authority's certificate", &files.authority)? {
        authorities
            .add(authority)
            .map_err(|source| TlsError::Authority {
                path: files.authority.clone(),
                source,
            })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider.clone())
            .build()
            .map_err(|source| TlsError::Verifier {
                path: files.authority.clone(),
                source,
            })?;
    let pair = |source| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Read {
        what,
        path: path.to_owned(),
        source,
    };
    let read: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(failed)?;
    if read.is_empty() {
        return Err(failed(pem::Error::NoItemsFound));
    }
    Ok(read)
}

/// The URIs among the alternative names of a certificate.
///
/// # Errors
/// When it cannot be read.
pub fn uris(certificate: &CertificateDer<'_>) -> Result<Vec<String>, TlsError> {
    let certificate = parsed(certificate)?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| TlsError::Certificate {
            reason: error.to_string(),
        })?;
    let names = names.iter().flat_map(|names| &names.value.general_names);
    Ok(names
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        })
        .collect())
}

/// The end of the first certificate that is over first in a file, in seconds since 1970 UTC.
///
/// # Errors
/// When the file has no certificate that can be read.
pub fn ends_s(path: &Path) -> Result<i64, TlsError> {
    let mut ends = Vec::new();
    for certificate in certificates("a certificate", path)? {
        ends.push(parsed(&certificate)?.validity().not_after.timestamp());
    }
    Ok(ends.into_iter().min().unwrap_or(i64::MIN))
}

fn parsed<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, TlsError> {
    X509Certificate::from_der(certificate)
        .map(|(_, certificate)| certificate)
        .map_err(|error| TlsError::Certificate {
            reason: error.to_string(),
        })
}

/// What connections are answered with, read again when the files have changed.
#[derive(Debug)]
pub struct Keeper {
    files: TlsFiles,
    every: Duration,
    config: Arc<ServerConfig>,
    stamps: [Option<Stamp>; 3],
    looked: Instant,
}

/// What tells that a file is another one than before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified_ns: (i64, i64),
    inode: u64,
    bytes: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file: Metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            modified_ns: (file.mtime(), file.mtime_nsec()),
            inode: file.ino(),
            bytes: file.len(),
        })
    }
}

impl Keeper {
    /// Reads the files, and looks for other ones at most once in `every`.
    ///
    /// # Errors
    /// When a file cannot be read, or the key is not the certificate's.
    pub fn open(files: TlsFiles, every: Duration, now: Instant) -> Result<Self, TlsError> {
        let stamps = stamps(&files);
        let config = Arc::new(server_config(&files)?);
        Ok(Self {
            files,
            every,
            config,
            stamps,
            looked: now,
        })
    }

    /// What to answer the next connection with. Files that cannot be used leave the earlier ones in use.
    pub fn current(&mut self, now: Instant) -> Arc<ServerConfig> {
        if now.saturating_duration_since(self.looked) >= self.every {
            self.looked = now;
            self.look();
        }
        Arc::clone(&self.config)
    }

    fn look(&mut self) {
        // Before the files: what is written meanwhile is seen the next time.
        let stamps = stamps(&self.files);
        if stamps == self.stamps {
            return;
        }
        self.stamps = stamps;
        match server_config(&self.files) {
            Ok(config) => {
                self.config = Arc::new(config);
                tracing::info!("new connections are answered with the renewed certificate");
            }
            Err(error) => {
                let why = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(
                    why = why.as_deref().unwrap_or("no more is known"),
                    "{error}: the earlier certificate stays in use"
                );
            }
        }
    }
}

fn stamps(files: &TlsFiles) -> [Option<Stamp>; 3] {
    [&files.certificate, &files.key, &files.authority].map(|path| Stamp::of(path))
}
