//! What is known of the products' versions: which options a line reads, and which step leads
//! from one version to another.
//!
//! A *line* is what a product promises to keep alike: 1.22 of Consul 1.22.3, 28 of Docker 28.5.1.
//! Versions are compared as numbers, never as text.

mod options;
mod steps;
mod tables;

use std::fmt;

use federation::names::Version;

pub use options::{Kind, Options, UnknownLine, lines};
pub use steps::{Reason, Refusal, Way, reachable, way};

/// A product whose versions differ in what they read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is called as its makers call it")]
pub enum Product {
    Consul,
    Nomad,
    Docker,
    Traefik,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Consul => "Consul",
            Self::Nomad => "Nomad",
            Self::Docker => "Docker",
            Self::Traefik => "Traefik",
        })
    }
}

/// The product's own version in that of a Debian package: 20.10.24 of `5:20.10.24+dfsg1-1`.
/// Nothing, if it begins with no version.
pub fn upstream(package: &str) -> Option<Version> {
    let past_epoch = package.split_once(':').map_or(package, |(_, rest)| rest);
    let end = past_epoch.find(|c: char| !c.is_ascii_digit() && c != '.');
    past_epoch[..end.unwrap_or(past_epoch.len())].parse().ok()
}

/// Numbers as people write a version: `[1, 22]` is `1.22`.
fn dotted(numbers: &[u32]) -> String {
    let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
    numbers.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_tells_the_version_that_it_holds() {
        for (package, expected) in [
            ("20.10.24+dfsg1-1+deb12u1", Some("20.10.24")),
            ("5:29.0.1-1~debian.12~bookworm", Some("29.0.1")),
            ("26.1.5+dfsg1-9+b4", Some("26.1.5")),
            ("1.22.3", Some("1.22.3")),
            ("unknown", None),
        ] {
            let told = upstream(package).map(String::from);
            assert_eq!(told.as_deref(), expected, "{package}");
        }
    }
}
