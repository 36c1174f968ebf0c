//! Why the store cannot be used, and what an operator can do about it.

use std::io;
use std::path::PathBuf;

use crate::pki::PkiError;

/// Why the store cannot be used. No variant holds a secret, or a line that may be one.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A file could not be written; the one before is still there.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Others could use the identity.
    #[error(
        "cannot use identity {}: its mode {mode:04o} lets others read it; type `chmod 600 {}`, \
         and make a new one if somebody may have read it",
        path.display(), path.display()
    )]
    IdentityReadable {
        /// The identity file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no identity that we understand.
    #[error("cannot use identity {}: {problem}", path.display())]
    NotAnIdentity {
        /// The identity file.
        path: PathBuf,
        /// What is wrong, without the text itself.
        problem: String,
    },
    /// An identity is never overwritten: it may be the only one that opens a store.
    #[error("cannot make identity {}: the file exists", path.display())]
    IdentityExists {
        /// The identity file.
        path: PathBuf,
    },
    /// The store is for others.
    #[error(
        "cannot open {}: it is not encrypted to `{recipient}` yet; ask somebody who can open it to \
         save it with that line in recipients.txt, or name another identity",
        path.display()
    )]
    NotForYou {
        /// The store.
        path: PathBuf,
        /// The recipient of the identity that was used.
        recipient: String,
    },
    /// Two branches changed the store.
    #[error(
        "cannot open {}: git left a merge conflict in it, and an encrypted file has no lines to merge; \
         take one side with `git checkout --ours` or `--theirs`, and make the other's changes anew",
        path.display()
    )]
    Conflict {
        /// The store.
        path: PathBuf,
    },
    /// The store is cut short or was altered.
    #[error(
        "cannot open {}: it is damaged or was altered; take the last good one from git \
         (`git log -- {}`)",
        path.display(), path.display()
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What age found.
        source: age::DecryptError,
    },
    /// A program newer than this one wrote the store.
    #[error("cannot use {}: it has format {format}, and this atoll knows 1 only; use a newer atoll", path.display())]
    NewerFormat {
        /// The store.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// It opens, but holds something else than a store.
    #[error("cannot use {}: what it holds is no store (line {line}, column {column} of its JSON)", path.display())]
    NotAStore {
        /// The store.
        path: PathBuf,
        /// Line of the decrypted text, from 1.
        line: usize,
        /// Column in that line.
        column: usize,
    },
    /// There is a store, and nothing says for whom.
    #[error(
        "cannot use {}: {} is missing, so a saved store would lock the others out; \
         take it from git, or write it anew with one `age1…` a line",
        path.display(), recipients.display()
    )]
    RecipientsMissing {
        /// The store.
        path: PathBuf,
        /// The list of recipients.
        recipients: PathBuf,
    },
    /// A line of the list is no recipient. It is not shown: it may be an identity.
    #[error("cannot use {}: line {line} is not a recipient of the form `age1…`", path.display())]
    NotARecipient {
        /// The list of recipients.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The store would be saved for everybody but its writer.
    #[error(
        "cannot use {}: `{recipient}` is not in it, and you would lock yourself out; \
         add that line, or name another identity",
        path.display()
    )]
    LockedOut {
        /// The list of recipients.
        path: PathBuf,
        /// The recipient of the identity that was used.
        recipient: String,
    },
    /// Somebody else saved in the meantime.
    #[error(
        "cannot save the secrets: {} changed since it was read; nothing was written, \
         run the command again",
        path.display()
    )]
    Changed {
        /// The store or the list of recipients.
        path: PathBuf,
    },
    /// The store could not be encrypted.
    #[error("cannot encrypt {}", path.display())]
    Encrypt {
        /// The store.
        path: PathBuf,
        /// What age answered.
        source: Box<age::EncryptError>,
    },
    /// An authority could not be made.
    #[error("cannot add an authority to the secrets")]
    Authority {
        /// What went wrong.
        source: PkiError,
    },
}
