//! What the template of an operator's own words sees.

use serde::Serialize;

/// `zz-extra-<number>-<level>.hcl`, beside the files of Consul or Nomad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExtraHcl {
    /// Who says it: `federation`, `site` or `host`.
    pub level: &'static str,
    /// The words.
    pub text: String,
}
