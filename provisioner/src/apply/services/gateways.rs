//! Traefik on the gateways: what it reads, and that it runs.

use std::collections::BTreeMap;

use federation::nomad;
use jiff::Timestamp;

use super::region::register;
use super::{Services, ServicesError, doing};
use crate::apply::health::{Unmet, until};
use crate::host::Endpoint;
use crate::pki::{self, Verdict};
use crate::plan::{Gateway, Leaf, TraefikAcme, Wildcards};
use crate::render::RenderedGateway;

/// A certificate and its key, as items of a gateway's variable.
struct Issued {
    items: [(String, String); 2],
    renew_after: Option<Timestamp>,
}

impl Services<'_> {
    /// The variable that the job's templates read: the token and the certificates.
    pub(super) fn variable(
        &self,
        nomad: &Endpoint,
        gateway: &Gateway,
    ) -> Result<Vec<Timestamp>, ServicesError> {
        let path = gateway.variable.clone();
        let found = nomad
            .ask(&nomad::variable(&path))
            .map_err(doing(format!("read the variable {path}")))?;
        let old = found.map(|variable| variable.items).unwrap_or_default();
        let (mut items, mut due) = (BTreeMap::new(), Vec::new());
        items.insert(
            "consul_token".to_owned(),
            self.secret(&gateway.consul_token)?.to_owned(),
        );
        match &gateway.certificates {
            Wildcards::Issued(leaves) => {
                for (name, leaf) in leaves {
                    let issued = self.issued(name, leaf, &old)?;
                    items.extend(issued.items);
                    due.extend(issued.renew_after);
                }
            }
            Wildcards::Given(given) => {
                for (name, given) in given {
                    let [cert, key] = [&given.certificate, &given.key].map(|of| self.secret(of));
                    items.insert(format!("cert_{name}"), cert?.to_owned());
                    items.insert(format!("key_{name}"), key?.to_owned());
                }
            }
            Wildcards::Acme(acme) => must_be_there(nomad, acme)?,
        }
        if items != old {
            let variable = nomad::Variable {
                namespace: "default".to_owned(),
                path: path.clone(),
                items,
            };
            nomad
                .ask(&nomad::put_variable(&variable))
                .map_err(doing(format!("write the variable {path}")))?;
        }
        Ok(due)
    }

    /// A certificate that is still good, or a new one.
    fn issued(
        &self,
        name: &str,
        leaf: &Leaf,
        old: &BTreeMap<String, String>,
    ) -> Result<Issued, ServicesError> {
        let (item, key_item) = (format!("cert_{name}"), format!("key_{name}"));
        let authority = self
            .store
            .authority(leaf.authority)
            .ok_or(ServicesError::NoAuthority(leaf.authority))?;
        let examined = |certificate: &str| {
            pki::examine(certificate, &authority.certificate_pem, leaf, self.now)
        };
        let kept = old
            .get(&item)
            .zip(old.get(&key_item))
            .filter(|(certificate, _)| matches!(examined(certificate), Verdict::Good { .. }));
        let (certificate, key) = if let Some((certificate, key)) = kept {
            (certificate.clone(), key.clone())
        } else {
            let issued = pki::issue(authority, leaf, self.now)?;
            (issued.certificate_pem, issued.key_pem)
        };
        let renew_after = match examined(&certificate) {
            Verdict::Good { renew_after } => Some(renew_after),
            Verdict::Replace(_) => None,
        };
        Ok(Issued {
            items: [(item, certificate), (key_item, key)],
            renew_after,
        })
    }
}

/// Nobody but the operator knows what the provider of a DNS zone asks for. Without it, Nomad would
/// wait for the variable before it starts the task, and say nothing.
fn must_be_there(nomad: &Endpoint, acme: &TraefikAcme) -> Result<(), ServicesError> {
    let path = &acme.variable;
    let found = nomad
        .ask(&nomad::variable(path))
        .map_err(doing(format!("read the variable {path}")))?;
    match found {
        Some(variable) if !variable.items.is_empty() => Ok(()),
        _ => Err(ServicesError::NoCredentials {
            provider: acme.dns_provider.clone(),
            variable: path.clone(),
        }),
    }
}

/// Registers a gateway's job if it differs, and waits until it runs.
pub(super) fn run_gateway(
    nomad: &Endpoint,
    gateway: &Gateway,
    rendered: &RenderedGateway,
) -> Result<(), ServicesError> {
    let id = gateway.job_id.as_str();
    register(nomad, id, &rendered.job)?;
    until("Traefik does not run", || {
        let allocations = nomad.ask(&nomad::allocations(id, "default"))?;
        let wanted = allocations
            .iter()
            .filter(|allocation| allocation.desired_status == "run");
        let states: Vec<&str> = wanted
            .map(|allocation| allocation.client_status.as_str())
            .collect();
        if states.contains(&"running") {
            Ok(())
        } else {
            Err(Unmet(why_not(&allocations, &states)))
        }
    })?;
    Ok(())
}

/// What Nomad says of allocations that do not run.
fn why_not(allocations: &[nomad::Allocation], states: &[&str]) -> String {
    let events = allocations
        .iter()
        .filter_map(|allocation| allocation.task_states.as_ref())
        .flat_map(BTreeMap::values);
    let last = events
        .filter_map(|task| task.events.last())
        .map(|event| event.display_message.clone())
        .next_back();
    match (states, last) {
        ([], _) => "Nomad has not placed it".to_owned(),
        (states, Some(last)) => format!("{}: {last}", states.join(", ")),
        (states, None) => states.join(", "),
    }
}
