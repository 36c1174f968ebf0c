//! A rendering with its secrets in place, for those who must see the files as hosts get them.

use federation::names::NodeName;

use super::{Body, Rendered, RenderedFile, UnfilledSecret, fill};

/// A file asks for a secret that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot fill in {path} of {node}: {source}; `atoll apply` makes the secrets that are missing"
)]
pub struct Unfilled {
    /// The node.
    pub node: NodeName,
    /// The file.
    pub path: String,
    /// Which secret.
    pub source: UnfilledSecret,
}

/// Puts values in the place of all placeholders in the texts of hosts.
///
/// # Errors
/// When a name is unknown to `lookup`.
pub fn filled(
    mut rendered: Rendered,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Rendered, Unfilled> {
    for (node, files) in &mut rendered.hosts {
        for RenderedFile { path, body, .. } in files {
            if let Body::Text(text) = body {
                let filled = fill(text, &lookup).map_err(|source| Unfilled {
                    node: node.clone(),
                    path: path.clone(),
                    source,
                })?;
                *text = filled.into();
            }
        }
    }
    Ok(rendered)
}
