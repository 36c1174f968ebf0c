//! The operator's secrets: one file that is safe to commit.
//!
//! `secrets/federation.age` in the inventory folder holds the authorities and
//! every token and key with a name ([`Secret`]), encrypted with age
//! (<https://age-encryption.org/v1>) to all who stand in
//! `secrets/recipients.txt`. The tool `age` opens it too, so nobody depends on
//! this program for their own secrets.
//!
//! ```text
//! Identity ──Store::open──▶ Store ──ensure──▶ values by name ──▶ apply ──▶ hosts
//!                             └──save──▶ the same file, replaced as a whole
//! ```
//!
//! Values leave through [`Store::value`] and [`Store::authority`] only: no error,
//! `Debug` or `Display` of this room holds one. They are not wiped from memory:
//! they pass through templates, TLS and SSH, which keep copies of their own, and
//! the process ends with the command. What a value is used for is decided by
//! [`crate::plan`].
//!
//! [`Secret`]: crate::plan::Secret

mod contents;
mod error;
mod file;
mod identity;
mod recipients;
mod seal;
mod store;

pub use error::SecretsError;
pub use identity::{Identity, keygen};
pub use store::Store;
