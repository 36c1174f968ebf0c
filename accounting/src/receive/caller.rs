//! Who is calling: the node that the certificate names.

use federation::names::{DatacenterName, NodeName, RegionName};
use federation::usage::identity;

/// A node, by its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its name.
    pub node: NodeName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
}

/// Why a certificate that our authority signed names no node of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// It names none, or more than one.
    #[error(
        "the certificate must name exactly one node as atoll://{federation}/<datacenter>/<node>, and names {}",
        .found.len()
    )]
    NotOne {
        /// Our federation.
        federation: RegionName,
        /// What it names.
        found: Vec<String>,
    },
    /// It names something else, or a node of another federation.
    #[error(
        "the certificate names {found}, and this is no atoll://{federation}/<datacenter>/<node>"
    )]
    Other {
        /// Our federation.
        federation: RegionName,
        /// What it names.
        found: String,
    },
}

impl Caller {
    /// The node that the URIs of a certificate name.
    ///
    /// # Errors
    /// When they do not name exactly one node of the federation.
    pub fn named(uris: &[String], federation: &RegionName) -> Result<Self, Stranger> {
        let ours: Vec<_> = uris
            .iter()
            .filter(|uri| uri.starts_with("atoll:"))
            .collect();
        let [uri] = ours.as_slice() else {
            return Err(Stranger::NotOne {
                federation: federation.clone(),
                found: uris.to_vec(),
            });
        };
        read(uri, federation).ok_or_else(|| Stranger::Other {
            federation: federation.clone(),
            found: (*uri).clone(),
        })
    }
}

fn read(uri: &str, federation: &RegionName) -> Option<Caller> {
    let path = uri.strip_prefix("atoll://")?;
    let (_, names) = path.split_once('/')?;
    let (datacenter, node) = names.split_once('/')?;
    let caller = Caller {
        node: node.parse().ok()?,
        datacenter: datacenter.parse().ok()?,
    };
    let wanted = identity(federation.as_str(), &caller.datacenter, &caller.node);
    (uri == wanted).then_some(caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(uris: &[&str]) -> Result<Caller, Stranger> {
        let uris: Vec<_> = uris.iter().map(|&uri| uri.to_owned()).collect();
        Caller::named(&uris, &"example".parse().unwrap())
    }

    #[test]
    fn a_node_is_named_by_its_only_uri() {
        let caller = named(&["atoll://example/one/one-wn-1"]).unwrap();
        assert_eq!(caller.datacenter.as_str(), "one");
        assert_eq!(caller.node.as_str(), "one-wn-1");
        assert!(named(&["spiffe://other/x", "atoll://example/one/one-wn-1"]).is_ok());
    }

    #[test]
    fn anything_else_is_a_stranger() {
        for uris in [
            [].as_slice(),
            &["spiffe://example/one/a"],
            &["atoll://example/one/a", "atoll://example/one/b"],
            &["atoll://other/one/a"],
            &["atoll://example/one"],
            &["atoll://example/one/"],
            &["atoll://example/one/a/b"],
            &["atoll://example/one/A"],
            &["atoll://example//a"],
            &["atoll:example/one/a"],
        ] {
            assert!(named(uris).is_err(), "{uris:?}");
        }
    }
}
