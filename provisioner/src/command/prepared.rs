//! What `plan`, `apply` and `verify` have in common: the inventory rendered, the
//! secrets opened, and everything that is missing from them made in memory.

use jiff::Timestamp;

use crate::apply::{Desired, Reach, Scope};
use crate::artifacts::Lock;
use crate::cli::Target;
use crate::command::Error;
use crate::command::shell::word;
use crate::host::{Credentials, KnownHosts};
use crate::inventory;
use crate::plan::{self, Given, Plan};
use crate::progress::{Event, Listener};
use crate::render::{self, Overrides, Rendered};
use crate::secrets::{Identity, Store};

/// All that a run needs but the hosts.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) scope: Scope,
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
        let mut plan = plan::plan(&loaded.inventory);
        let chosen = target.on.hosts.as_ref();
        let chosen = chosen.map(|on| on.nodes(&plan)).transpose()?;
        let mut scope = Scope::new(&plan, chosen);
        reachable(&plan, &scope)?;
        let mut rendered = render::render(
            &plan,
            &Overrides::read(&target.inventory.join("templates"))?,
        )?;
        let now = Timestamp::now();
        let identity = Identity::from_file(&target.identity)?;
        let mut store = Store::open(&target.inventory, &identity)?;
        store.ensure_authorities(&plan.region, now)?;
        scope.narrow(&mut plan, &mut rendered, &mut store);
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
            scope,
            rendered,
            store,
            now,
            deep: target.deep,
        })
    }

    /// Refuses to begin without what only people can give, or with something else: no host should be
    /// changed for a site that cannot be finished.
    pub(super) fn must_have_what_is_given(&self) -> Result<(), Error> {
        // A run that sets nothing through the APIs gives no gateway a certificate.
        if !self.scope.sets_shared() {
            return Ok(());
        }
        let wrong: Vec<_> = self.missing().into_iter().chain(self.unfit()).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!(
            "cannot set up the gateways of sites with `certificates: {{ source: files }}`: {}; \
             put the PEM texts into secrets/federation.age under these names, \
             a certificate followed by those of its issuers",
            wrong.join("; ")
        )
        .into())
    }

    fn missing(&self) -> Option<String> {
        let missing: Vec<_> = self
            .plan
            .services
            .given()
            .iter()
            .filter(|secret| self.store.value(secret).is_none())
            .map(ToString::to_string)
            .collect();
        (!missing.is_empty())
            .then(|| format!("secrets/federation.age lacks {}", missing.join(", ")))
    }

    /// What was given and will not do, each with all that is wrong with it.
    pub(super) fn unfit(&self) -> Vec<String> {
        let told = |given: &Given| {
            let unfit = self.store.unfit(given, self.now);
            let unfit: Vec<_> = unfit.iter().map(ToString::to_string).collect();
            let name = &given.certificate;
            (!unfit.is_empty()).then(|| format!("{name} will not do: {}", unfit.join(", ")))
        };
        self.plan
            .services
            .given_certificates()
            .into_iter()
            .filter_map(told)
            .collect()
    }

    /// Whether `verify` has something to do on the chosen hosts: servers are proved by others.
    pub(super) fn proves_something(&self) -> bool {
        let nodes = self.scope.nodes().iter();
        let mut hosts = nodes.filter_map(|node| self.plan.hosts.get(node));
        self.scope.is_whole() || hosts.any(|host| host.agents.nomad_client)
    }

    /// Runs are named by their start, so that they sort.
    pub(super) fn run_name(&self) -> String {
        self.now.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    pub(super) fn desired(&self) -> Desired<'_> {
        Desired {
            plan: &self.plan,
            scope: &self.scope,
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
fn reachable(plan: &Plan, scope: &Scope) -> Result<(), Error> {
    let hosts = plan.hosts.values();
    let hosts = hosts.filter(|host| scope.nodes().contains(&host.node));
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

/// The command that repeats a run or goes on from it, on the same hosts.
pub(super) fn again(verb: &str, target: &Target) -> String {
    let inventory = word(&target.inventory);
    let on = target.on.hosts.as_ref();
    let on = on.map(|on| format!(" --on {}", word(on.to_string())));
    format!("atoll {verb} {inventory}{}", on.unwrap_or_default())
}

/// Says what a run leaves out because of `--on`.
pub(super) fn tell_left_out(what: Vec<String>, listener: &dyn Listener) {
    if !what.is_empty() {
        listener.tell(Event::LeftOut { what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_next_is_about_the_same_hosts() {
        let target = |on: Option<&str>| Target {
            inventory: "folder".into(),
            on: crate::cli::On {
                hosts: on.map(|on| on.parse().unwrap()),
            },
            identity: "identity".into(),
            key: None,
            known_hosts: None,
            deep: false,
        };
        for (on, command) in [
            (None, "atoll apply folder"),
            (Some("@gpu,wn-0"), "atoll apply folder --on @gpu,wn-0"),
            (Some("wn-*"), "atoll apply folder --on 'wn-*'"),
        ] {
            assert_eq!(again("apply", &target(on)), command);
        }
    }
}
