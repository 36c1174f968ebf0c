//! What `plan`, `apply` and `verify` have in common: the inventory rendered, the
//! secrets opened, and everything that is missing from them made in memory.

use std::path::Path;

use jiff::Timestamp;

use crate::apply::{Desired, Reach};
use crate::artifacts::Lock;
use crate::cli::Target;
use crate::command::Error;
use crate::host::{Credentials, KnownHosts};
use crate::inventory;
use crate::plan::{self, Plan};
use crate::render::{self, Overrides, Rendered};
use crate::secrets::{Identity, Store};

/// All that a run needs but the hosts.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) rendered: Rendered,
    pub(super) store: Store,
    pub(super) lock: Lock,
    pub(super) now: Timestamp,
    deep: bool,
    credentials: Credentials,
    known_hosts: KnownHosts,
}

impl Prepared {
    /// Reads everything. Nothing is written, whatever had to be made.
    pub(super) fn new(target: &Target) -> Result<Self, Error> {
        let loaded = inventory::load(&target.inventory)?;
        let plan = plan::plan(&loaded.inventory);
        reachable(&plan)?;
        let rendered = render::render(
            &plan,
            &Overrides::read(&target.inventory.join("templates"))?,
        )?;
        let now = Timestamp::now();
        let identity = Identity::from_file(&target.identity)?;
        let mut store = Store::open(&target.inventory, &identity)?;
        store.ensure_authorities(&plan.region, now)?;
        store.ensure(&plan.secrets().into_iter().collect::<Vec<_>>());
        let known_hosts = target
            .known_hosts
            .clone()
            .unwrap_or_else(|| target.inventory.join("known_hosts"));
        Ok(Self {
            lock: Lock::read(&target.inventory)?,
            known_hosts: KnownHosts::read(&known_hosts)?,
            credentials: Credentials {
                key: target.key.clone(),
            },
            plan,
            rendered,
            store,
            now,
            deep: target.deep,
        })
    }

    /// Refuses to begin without what only people can give: no host should be changed for a site
    /// that cannot be finished.
    pub(super) fn must_have_what_is_given(&self) -> Result<(), Error> {
        let given = self.plan.given().into_iter();
        let missing: Vec<_> = given
            .filter(|secret| self.store.value(secret).is_none())
            .map(|secret| secret.to_string())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "cannot set up the gateways of sites with `certificates: {{ source: files }}`: \
             secrets/federation.age lacks {}; put the PEM texts there under these names, \
             a certificate followed by those of its issuers",
            missing.join(", ")
        )
        .into())
    }

    /// Runs are named by their start, so that they sort.
    pub(super) fn run_name(&self) -> String {
        self.now.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    pub(super) fn desired(&self) -> Desired<'_> {
        Desired {
            plan: &self.plan,
            rendered: &self.rendered,
            store: &self.store,
            lock: &self.lock,
            now: self.now,
            deep: self.deep,
        }
    }

    pub(super) fn reach(&self) -> Reach<'_> {
        Reach {
            credentials: &self.credentials,
            known_hosts: &self.known_hosts,
        }
    }
}

/// Refuses hosts behind others, before anything is opened, made or asked.
fn reachable(plan: &Plan) -> Result<(), Error> {
    let hosts = plan.hosts.values();
    let behind = hosts.filter(|host| !host.login.jump.is_empty());
    let behind: Vec<&str> = behind.map(|host| host.node.as_str()).collect();
    if behind.is_empty() {
        return Ok(());
    }
    Err(format!(
        "cannot reach {}: they are behind jump hosts (ssh.jump), which atoll does not go through yet; \
         run it on a machine that reaches them itself, with an inventory without ssh.jump",
        behind.join(", ")
    )
    .into())
}

/// The command that repeats a run, for a summary that says what to do next.
pub(super) fn again(verb: &str, inventory: &Path) -> String {
    format!("atoll {verb} {}", inventory.display())
}
