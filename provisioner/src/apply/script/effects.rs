//! What the changes of a wave do to services.

use std::collections::BTreeSet;

use crate::apply::changes::{Change, What};
use crate::plan::{OnChange, Service};

/// What is done to services, once each.
pub(super) struct Effects {
    pub(super) enable: BTreeSet<Service>,
    pub(super) start: BTreeSet<Service>,
    pub(super) restart: BTreeSet<Service>,
    pub(super) reload: BTreeSet<Service>,
}

impl Effects {
    pub(super) fn of(changes: &[&Change]) -> Self {
        let asked = |wanted: fn(&What) -> Option<Service>| -> BTreeSet<Service> {
            let changes = changes.iter();
            changes.filter_map(|change| wanted(&change.what)).collect()
        };
        let start = asked(|what| match what {
            What::Start(service) => Some(*service),
            _ => None,
        });
        let effect = |wanted: fn(OnChange) -> Option<Service>| -> BTreeSet<Service> {
            changes
                .iter()
                .filter_map(|change| wanted(change.effect))
                .filter(|service| !start.contains(service))
                .collect()
        };
        let restart = effect(|effect| match effect {
            OnChange::Restart(service) => Some(service),
            _ => None,
        });
        let mut reload = effect(|effect| match effect {
            OnChange::Reload(service) => Some(service),
            _ => None,
        });
        reload.retain(|service| !restart.contains(service));
        Self {
            enable: asked(|what| match what {
                What::Enable(service) => Some(*service),
                _ => None,
            }),
            start,
            restart,
            reload,
        }
    }

    /// Services that run anew.
    pub(super) fn running(&self) -> BTreeSet<Service> {
        self.start.union(&self.restart).copied().collect()
    }

    /// Those of some services.
    pub(super) fn only(&self, of: impl Fn(Service) -> bool) -> Self {
        let some = |services: &BTreeSet<Service>| {
            let services = services.iter().copied();
            services.filter(|service| of(*service)).collect()
        };
        Self {
            enable: some(&self.enable),
            start: some(&self.start),
            restart: some(&self.restart),
            reload: some(&self.reload),
        }
    }
}
