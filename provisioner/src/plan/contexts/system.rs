//! What the templates of systemd's and the kernel's files see.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// `preferences.d/10-atoll.pref` of apt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AptPreferences {
    /// What stays at its version.
    pub packages: Vec<HeldPackage>,
}

/// A package and the version at which it stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldPackage {
    /// The package.
    pub name: &'static str,
    /// Its exact version, in the words of the package manager.
    pub version: String,
}

/// `mnt-data.mount`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataMount {
    /// The name of the partition (GPT).
    pub label: String,
    /// Where it is mounted.
    pub mount: &'static str,
}

/// `journald.conf.d/10-atoll.conf`: the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JournaldConfig {}

/// `timesyncd.conf.d/10-atoll.conf`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimesyncdConfig {
    /// The site's time servers; never empty.
    pub servers: Vec<String>,
}

/// A file that sets up the kernel of a Nomad client: the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelFile {
    /// `modules-load.d/nomad.conf`.
    Modules,
    /// `sysctl.d/98-nomad.conf`.
    Limits,
    /// `sysctl.d/99-nomad-cni.conf`.
    Bridges,
}

impl KernelFile {
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Modules => "modules-load.d/nomad.conf.tera",
            Self::Limits => "sysctl.d/98-nomad.conf.tera",
            Self::Bridges => "sysctl.d/99-nomad-cni.conf.tera",
        }
    }
}

/// Its template sees nothing.
impl Serialize for KernelFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_map(Some(0))?.end()
    }
}
