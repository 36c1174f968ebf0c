//! What is set through the APIs of Consul and Nomad: ACLs, namespaces, Traefik.
//!
//! Each step asks first and writes only what differs, so it can be repeated.

mod gateways;
mod region;

use std::fmt::Write as _;

use federation::{consul, nomad};
use jiff::Timestamp;
use uuid::Uuid;

use crate::apply::health::{HealthError, Unmet, until};
use crate::artifacts::digest_of;
use crate::host::{ApiError, Endpoint, Identity, Session};
use crate::pki::PkiError;
use crate::plan::{self, ConsulToken, Plan, Secret};
use crate::render::{Rendered, RenderedServices};
use crate::secrets::Store;

use gateways::run_gateway;
use region::{namespaces, nomad_policy, register, scheduler};

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
    /// What Traefik needs to get certificates is not there.
    #[error(
        "Traefik cannot get certificates: Nomad has no variable {variable} with what the DNS provider \
         `{provider}` asks for; write it with `nomad var put {variable} NAME=value …`, \
         NAME as lego's page of the provider has it"
    )]
    NoCredentials {
        /// The provider, as lego names it.
        provider: String,
        /// The variable's path.
        variable: String,
    },
    /// Somebody else changed something at the same moment.
    #[error("cannot set the scheduler's configuration: somebody has just changed it; apply again")]
    Raced,
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
pub(super) fn services_digest(
    services: &plan::Services,
    rendered: &RenderedServices,
    store: &Store,
) -> String {
    let mut text = format!(
        "{:?}\n{:?}\n{:?}\n",
        services.namespaces, services.scheduler, rendered
    );
    for token in &services.consul_tokens {
        let value = store.value(&token.secret).unwrap_or_default();
        let _ = writeln!(text, "{token:?} {}", digest_of(value.as_bytes()));
    }
    for secret in services.given() {
        let value = store.value(&secret).unwrap_or_default();
        let _ = writeln!(text, "{secret} {}", digest_of(value.as_bytes()));
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

    /// Makes those of some tokens that Consul does not know, and changes none that it does.
    ///
    /// # Errors
    /// When Consul refuses.
    pub fn missing_tokens(
        &self,
        session: &Session,
        tokens: &[&ConsulToken],
    ) -> Result<(), ServicesError> {
        let management = self.secret(&Secret::ConsulManagementToken)?;
        let consul = session.consul(Some(management));
        for token in tokens {
            let wanted = self.wanted_token(token)?;
            let what = format!("make Consul's token `{}`", token.description);
            let found = consul.ask(&consul::token(&wanted.accessor_id));
            if found.map_err(doing(&what))?.is_none() {
                let made = consul.ask(&consul::create_token(&wanted));
                made.map_err(doing(&what))?;
            }
        }
        Ok(())
    }

    fn consul_token(&self, consul: &Endpoint, token: &ConsulToken) -> Result<(), ServicesError> {
        let wanted = self.wanted_token(token)?;
        let what = format!("set Consul's token `{}`", token.description);
        match consul
            .ask(&consul::token(&wanted.accessor_id))
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

    fn wanted_token(&self, token: &ConsulToken) -> Result<consul::Token, ServicesError> {
        let accessor = Uuid::new_v5(&ACCESSORS, token.secret.to_string().as_bytes());
        let policies = token.policies.iter().map(|name| consul::PolicyLink {
            name: (*name).to_owned(),
        });
        let node = token.node.iter();
        let node = node.map(|(node, datacenter)| consul::NodeIdentity {
            node_name: node.to_string(),
            datacenter: datacenter.to_string(),
        });
        Ok(consul::Token {
            accessor_id: accessor.to_string(),
            secret_id: self.secret(&token.secret)?.to_owned(),
            description: token.description.clone(),
            policies: policies.collect(),
            node_identities: node.collect(),
        })
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

    /// A new token for each node and policy, in their order. One that a node had before is withdrawn.
    ///
    /// # Errors
    /// When Nomad refuses.
    pub fn nomad_tokens<'n>(
        &self,
        session: &Session,
        wanted: impl Iterator<Item = (&'n str, &'static str)>,
    ) -> Result<Vec<String>, ServicesError> {
        let token = self.secret(&Secret::NomadManagementToken)?;
        let nomad = session
            .nomad(self.identity, Some(token))
            .map_err(doing("speak with Nomad"))?;
        let there = nomad
            .ask(&nomad::tokens())
            .map_err(doing("list Nomad's tokens"))?;
        let mut made = Vec::new();
        for (node, policy) in wanted {
            let name = format!("{policy} {node}");
            for old in there.iter().filter(|token| token.name == name) {
                nomad
                    .ask(&nomad::delete_token(&old.accessor_id))
                    .map_err(doing(format!("withdraw Nomad's old token `{name}`")))?;
            }
            let token = nomad
                .ask(&nomad::create_token(&name, policy))
                .map_err(doing(format!("make Nomad's token `{name}`")))?;
            made.push(token.secret_id);
        }
        Ok(made)
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

    /// Sets Nomad's namespaces and scheduler, and runs our jobs and Traefik on every gateway. Says when
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
        namespaces(&nomad, &self.plan.services.namespaces)?;
        scheduler(&nomad, &self.plan.services.scheduler)?;
        for (id, job) in &self.rendered.services.jobs {
            register(&nomad, id, job)?;
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
    match outdated(found, name, rules) {
        None => Ok(()),
        Some(wanted) => consul
            .ask(&consul::put_policy(&wanted))
            .map_err(doing(&what)),
    }
}

/// What to write so that a policy has these rules, or nothing when it has them.
fn outdated(found: Option<consul::Policy>, name: &str, rules: &str) -> Option<consul::Policy> {
    let id = match found {
        Some(policy) if policy.rules == rules => return None,
        Some(policy) => policy.id,
        None => String::new(),
    };
    Some(consul::Policy {
        id,
        name: name.to_owned(),
        description: "set by atoll".to_owned(),
        rules: rules.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_made_or_gets_the_rules_it_lacks() {
        let made = outdated(None, "dns-read", "new").unwrap();
        assert_eq!((made.id.as_str(), made.rules.as_str()), ("", "new"));
        let found = consul::Policy {
            id: "7".to_owned(),
            rules: "old".to_owned(),
            ..made
        };
        let updated = outdated(Some(found), "dns-read", "new").unwrap();
        assert_eq!((updated.id.as_str(), updated.rules.as_str()), ("7", "new"));
        assert_eq!(outdated(Some(updated), "dns-read", "new"), None);
    }
}
