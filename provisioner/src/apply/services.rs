//! What is set through the APIs of Consul and Nomad: ACLs, namespaces, Traefik.
//!
//! Each step asks first and writes only what differs, so it can be repeated.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use federation::{consul, nomad};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::apply::health::{HealthError, Unmet, until};
use crate::artifacts::digest_of;
use crate::host::{ApiError, Endpoint, Identity, Session};
use crate::pki::{self, PkiError, Verdict};
use crate::plan::{ConsulToken, Gateway, Plan, Secret};
use crate::render::{Rendered, RenderedGateway};
use crate::secrets::Store;

/// Accessors are derived from the secret's name, so that a token is found again.
const ACCESSORS: Uuid = Uuid::from_u128(0x8f1d_3c5e_7a90_4b6b_9d35_6a1c_20e4_f7b2);

/// Why something could not be set.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// The API refused or did not answer.
    #[error("cannot {doing}: {source}")]
    Api {
        /// What was being done.
        doing: String,
        /// The answer.
        source: ApiError,
    },
    /// Something did not become true.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// A certificate could not be issued.
    #[error("cannot issue the gateway's certificate: {0}")]
    Pki(#[from] PkiError),
    /// A secret is missing.
    #[error("the operator's store has no {0}; was it made by another federation?")]
    NoSecret(Secret),
    /// ACLs were bootstrapped with a token that the store does not have.
    #[error(
        "{api} was bootstrapped before, with a management token that is not in the operator's store; \
         restore the store from the inventory's history, or reset the bootstrap on the leader"
    )]
    Foreign {
        /// Which product.
        api: &'static str,
    },
    /// No host that could be asked was reached.
    #[error("no server was reached that could be asked")]
    NoServer,
    /// What was set could not be noted.
    #[error("cannot note on the first server what was set: {reason}")]
    Note {
        /// Why.
        reason: String,
    },
    /// A certificate is wanted of an authority that is not in the store.
    #[error("the operator's store has no {0:?} authority")]
    NoAuthority(crate::plan::Authority),
}

fn doing(what: impl Into<String>) -> impl FnOnce(ApiError) -> ServicesError {
    let doing = what.into();
    move |source| ServicesError::Api { doing, source }
}

/// What the APIs are told, and by whom.
pub struct Services<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its texts.
    pub rendered: &'a Rendered,
    /// The operator's secrets.
    pub store: &'a Store,
    /// Who the operator is to Nomad.
    pub identity: &'a Identity,
    /// The time, for certificates.
    pub now: Timestamp,
}

/// A digest of everything that is set through the APIs, to know whether it has changed.
pub fn services_digest(plan: &Plan, rendered: &Rendered, store: &Store) -> String {
    let mut text = format!("{:?}\n{:?}\n", plan.services.namespaces, rendered.services);
    for token in &plan.services.consul_tokens {
        let value = store.value(&token.secret).unwrap_or_default();
        let _ = writeln!(text, "{token:?} {}", digest_of(value.as_bytes()));
    }
    digest_of(text.as_bytes())
}

impl Services<'_> {
    fn secret(&self, secret: &Secret) -> Result<&str, ServicesError> {
        self.store
            .value(secret)
            .ok_or_else(|| ServicesError::NoSecret(secret.clone()))
    }

    /// Bootstraps Consul's ACLs, and sets policies and tokens.
    ///
    /// # Errors
    /// When Consul refuses, or belongs to somebody else.
    pub fn consul(&self, session: &Session) -> Result<(), ServicesError> {
        let token = self.secret(&Secret::ConsulManagementToken)?;
        let consul = session.consul(Some(token));
        until("Consul's ACL system does not start", || {
            bootstrap_consul(session, &consul, token)
        })?
        .then_some(())
        .ok_or(ServicesError::Foreign { api: "Consul" })?;
        for (name, rules) in &self.rendered.services.consul_policies {
            consul_policy(&consul, name, rules)?;
        }
        for token in &self.plan.services.consul_tokens {
            self.consul_token(&consul, token)?;
        }
        Ok(())
    }

    fn consul_token(&self, consul: &Endpoint, token: &ConsulToken) -> Result<(), ServicesError> {
        let accessor = Uuid::new_v5(&ACCESSORS, token.secret.to_string().as_bytes()).to_string();
        let wanted = consul::Token {
            accessor_id: accessor.clone(),
            secret_id: self.secret(&token.secret)?.to_owned(),
            description: token.description.clone(),
            policies: token
                .policies
                .iter()
                .map(|name| consul::PolicyLink {
                    name: (*name).to_owned(),
                })
                .collect(),
            node_identities: token
                .node
                .iter()
                .map(|(node, datacenter)| consul::NodeIdentity {
                    node_name: node.to_string(),
                    datacenter: datacenter.to_string(),
                })
                .collect(),
        };
        let what = format!("set Consul's token `{}`", token.description);
        match consul
            .ask(&consul::token(&accessor))
            .map_err(doing(&what))?
        {
            None => consul
                .ask(&consul::create_token(&wanted))
                .map_err(doing(&what)),
            Some(found) if found != wanted => consul
                .ask(&consul::update_token(&wanted))
                .map_err(doing(&what)),
            Some(_) => Ok(()),
        }
    }

    /// Bootstraps Nomad's ACLs.
    ///
    /// # Errors
    /// When Nomad refuses, or belongs to somebody else.
    pub fn nomad_acls(&self, session: &Session) -> Result<(), ServicesError> {
        let token = self.secret(&Secret::NomadManagementToken)?;
        let nomad = session
            .nomad(self.identity, Some(token))
            .map_err(doing("speak with Nomad"))?;
        let anonymous = session
            .nomad(self.identity, None)
            .map_err(doing("speak with Nomad"))?;
        let ours = until("Nomad's ACL system does not start", || {
            if nomad.ask(&nomad::own_token()).is_ok() {
                return Ok(true);
            }
            match anonymous.ask(&nomad::bootstrap(token)) {
                Ok(()) => Ok(true),
                Err(error) if error.to_string().contains("already done") => {
                    Ok(nomad.ask(&nomad::own_token()).is_ok())
                }
                Err(error) => Err(Unmet::from(error)),
            }
        })?;
        ours.then_some(())
            .ok_or(ServicesError::Foreign { api: "Nomad" })?;
        // Before any node gets a token with one of them.
        for (name, rules) in &self.rendered.services.nomad_policies {
            nomad_policy(&nomad, name, rules)?;
        }
        Ok(())
    }

    /// A new token for a node. One that it had before is withdrawn.
    ///
    /// # Errors
    /// When Nomad refuses.
    pub fn nomad_token(
        &self,
        session: &Session,
        node: &str,
        policy: &str,
    ) -> Result<String, ServicesError> {
        let nomad = session
            .nomad(
                self.identity,
                Some(self.secret(&Secret::NomadManagementToken)?),
            )
            .map_err(doing("speak with Nomad"))?;
        let name = format!("{policy} {node}");
        let tokens = nomad
            .ask(&nomad::tokens())
            .map_err(doing("list Nomad's tokens"))?;
        for old in tokens.iter().filter(|token| token.name == name) {
            nomad
                .ask(&nomad::delete_token(&old.accessor_id))
                .map_err(doing(format!("withdraw Nomad's old token `{name}`")))?;
        }
        let token = nomad
            .ask(&nomad::create_token(&name, policy))
            .map_err(doing(format!("make Nomad's token `{name}`")))?;
        Ok(token.secret_id)
    }

    /// A token with which a node may introduce itself to Nomad, for ten minutes.
    ///
    /// # Errors
    /// When Nomad refuses.
    pub fn introduction(&self, session: &Session, node: &str) -> Result<String, ServicesError> {
        let token = self.secret(&Secret::NomadManagementToken)?;
        let nomad = session
            .nomad(self.identity, Some(token))
            .map_err(doing("speak with Nomad"))?;
        // Signing keys come a moment after the leader, and the ACLs after them.
        let introduction = until("Nomad introduces nobody", || {
            Ok(nomad.ask(&nomad::introduction(node, 600))?)
        })?;
        Ok(introduction.jwt)
    }

    /// Sets Nomad's policies and namespaces, and runs Traefik on every gateway. Says when
    /// the first of the gateways' certificates is to be renewed.
    ///
    /// # Errors
    /// When Nomad refuses, or Traefik does not become healthy.
    pub fn nomad(
        &self,
        session: &Session,
        tell: &dyn Fn(String),
    ) -> Result<Option<Timestamp>, ServicesError> {
        let token = self.secret(&Secret::NomadManagementToken)?;
        let nomad = session
            .nomad(self.identity, Some(token))
            .map_err(doing("speak with Nomad"))?;
        let there = nomad
            .ask(&nomad::namespaces())
            .map_err(doing("list Nomad's namespaces"))?;
        for (name, description) in &self.plan.services.namespaces {
            if !there
                .iter()
                .any(|other| other.name == name.as_str() && &other.description == description)
            {
                nomad
                    .ask(&nomad::put_namespace(name.as_str(), description))
                    .map_err(doing(format!("set namespace {name}")))?;
            }
        }
        let mut due = Vec::new();
        for gateway in &self.plan.services.gateways {
            let rendered = self
                .rendered
                .services
                .gateways
                .iter()
                .find(|rendered| rendered.job_id == gateway.job_id);
            if let Some(rendered) = rendered {
                tell(format!("starting Traefik on {}", gateway.node));
                due.extend(self.variable(&nomad, gateway)?);
                run_gateway(&nomad, gateway, rendered)?;
            }
        }
        Ok(due.into_iter().min())
    }

    /// The variable that the job's templates read: the token and the certificates.
    fn variable(
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
        for (name, leaf) in &gateway.certificates {
            let (item, key_item) = (format!("cert_{name}"), format!("key_{name}"));
            let authority = self
                .store
                .authority(leaf.authority)
                .ok_or(ServicesError::NoAuthority(leaf.authority))?;
            let kept = old
                .get(&item)
                .zip(old.get(&key_item))
                .filter(|(certificate, _)| {
                    matches!(
                        pki::examine(certificate, &authority.certificate_pem, leaf, self.now),
                        Verdict::Good { .. }
                    )
                });
            let (certificate, key) = if let Some((certificate, key)) = kept {
                (certificate.clone(), key.clone())
            } else {
                let issued = pki::issue(authority, leaf, self.now)?;
                (issued.certificate_pem, issued.key_pem)
            };
            if let Verdict::Good { renew_after } =
                pki::examine(&certificate, &authority.certificate_pem, leaf, self.now)
            {
                due.push(renew_after);
            }
            items.insert(item, certificate);
            items.insert(key_item, key);
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
}

/// Registers a gateway's job if it differs, and waits until it runs.
fn run_gateway(
    nomad: &Endpoint,
    gateway: &Gateway,
    rendered: &RenderedGateway,
) -> Result<(), ServicesError> {
    let id = gateway.job_id.as_str();
    let job: Value = nomad
        .ask(&nomad::parse_job(&rendered.job))
        .map_err(doing(format!("parse the job {id}")))?;
    let planned = nomad
        .ask(&nomad::plan_job(id, "default", &job))
        .map_err(doing(format!("plan the job {id}")))?;
    let changed = planned.diff.is_none_or(|diff| diff.kind != "None");
    let running = nomad
        .ask(&nomad::job(id, "default"))
        .map_err(doing(format!("read the job {id}")))?;
    if changed || running.is_none_or(|job| job.status == "dead") {
        nomad
            .ask(&nomad::register_job("default", &job))
            .map_err(doing(format!("register the job {id}")))?;
    }
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

/// Whether Consul's ACLs are ours now; `false` when they are somebody else's.
fn bootstrap_consul(session: &Session, consul: &Endpoint, token: &str) -> Result<bool, Unmet> {
    if consul.ask(&consul::own_token()).is_ok() {
        return Ok(true);
    }
    match session.consul(None).ask(&consul::bootstrap(token)) {
        Ok(()) => Ok(true),
        Err(error) if error.to_string().contains("no longer allowed") => {
            Ok(consul.ask(&consul::own_token()).is_ok())
        }
        Err(error) => Err(Unmet::from(error)),
    }
}

fn consul_policy(consul: &Endpoint, name: &str, rules: &str) -> Result<(), ServicesError> {
    let what = format!("set Consul's policy {name}");
    let found = consul.ask(&consul::policy(name)).map_err(doing(&what))?;
    let id = found
        .as_ref()
        .map(|policy| policy.id.clone())
        .unwrap_or_default();
    if found.is_some_and(|policy| policy.rules == rules) {
        return Ok(());
    }
    let wanted = consul::Policy {
        id,
        name: name.to_owned(),
        description: "set by atoll".to_owned(),
        rules: rules.to_owned(),
    };
    consul
        .ask(&consul::put_policy(&wanted))
        .map_err(doing(&what))
}

fn nomad_policy(nomad: &Endpoint, name: &str, rules: &str) -> Result<(), ServicesError> {
    let what = format!("set Nomad's policy {name}");
    if nomad
        .ask(&nomad::policy(name))
        .map_err(doing(&what))?
        .is_some_and(|policy| policy.rules == rules)
    {
        return Ok(());
    }
    let wanted = nomad::Policy {
        name: name.to_owned(),
        description: "set by atoll".to_owned(),
        rules: rules.to_owned(),
    };
    nomad.ask(&nomad::put_policy(&wanted)).map_err(doing(&what))
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
