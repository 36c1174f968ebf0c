//! When a restarted agent counts as healthy: it is asked itself, and servers are
//! counted against the inventory. Autopilot says "healthy" of dead servers for up
//! to a minute, so it is not asked.

use std::time::{Duration, Instant};

use federation::http::CallError;
use federation::names::NodeName;
use federation::{consul, nomad};
use jiff::Timestamp;

use crate::apply::wanted::WantedError;
use crate::host::{ApiError, Identity, Session};
use crate::pki;
use crate::plan::{Authority, Leaf, Secret, Wave};
use crate::secrets::Store;

/// How long an agent may take to become healthy.
const LIMIT: Duration = Duration::from_secs(90);
/// How long to wait between two questions.
const PAUSE: Duration = Duration::from_millis(250);

/// What must be true before a wave is kept.
#[derive(Clone)]
pub(super) struct Health {
    /// Which wave.
    pub wave: Wave,
    /// How many servers of the wave's kind must be peers.
    pub servers: usize,
    /// The version that Consul must run.
    pub consul_version: String,
    /// Who the operator is to Nomad.
    pub identity: Identity,
    /// Consul's management token, once ACLs have been bootstrapped.
    pub consul_token: Option<String>,
    /// Nomad's management token, once ACLs have been bootstrapped.
    pub nomad_token: Option<String>,
}

/// What did not become true.
#[derive(Debug, thiserror::Error)]
#[error("{what} after {seconds} s: {last}")]
pub struct HealthError {
    what: &'static str,
    seconds: u64,
    last: String,
}

/// Who the operator is to Nomad: a certificate made for this run, which names nobody else.
///
/// # Errors
/// When the store has no Nomad CA or nothing can be issued.
pub fn operator_identity(store: &Store, now: Timestamp) -> Result<Identity, WantedError> {
    let authority = store
        .authority(Authority::Nomad)
        .ok_or(WantedError::NoAuthority(Authority::Nomad))?;
    let leaf = Leaf {
        authority: Authority::Nomad,
        common_name: "atoll operator".to_owned(),
        dns_names: Vec::new(),
        addresses: Vec::new(),
        uris: Vec::new(),
        serves: false,
    };
    let issued = pki::issue(authority, &leaf, now)?;
    Ok(Identity {
        authority_pem: authority.certificate_pem.clone(),
        certificate_pem: issued.certificate_pem,
        key_pem: issued.key_pem,
    })
}

impl Health {
    /// The tokens that a store knows. Whether ACLs know them too is found out by asking.
    pub(super) fn with_tokens(mut self, store: &Store) -> Self {
        self.consul_token = store
            .value(&Secret::ConsulManagementToken)
            .map(str::to_owned);
        self.nomad_token = store
            .value(&Secret::NomadManagementToken)
            .map(str::to_owned);
        self
    }

    /// Asks until the wave's rule holds, or time is up.
    ///
    /// # Errors
    /// When it does not hold in time: what was wanted, and the last answer.
    pub(super) fn wait(&self, session: &Session, node: &NodeName) -> Result<(), HealthError> {
        let (what, rule): (_, Rule) = match self.wave {
            Wave::Base | Wave::Services => return Ok(()),
            Wave::ConsulServers => (
                "Consul has no leader, or not all its servers,",
                Self::consul_server,
            ),
            Wave::ConsulClients => ("the Consul client does not work", Self::consul_client),
            Wave::NomadServers => (
                "Nomad has no leader, or not all its servers,",
                Self::nomad_server,
            ),
            Wave::NomadClients => ("the Nomad client is not ready", Self::nomad_client),
        };
        until(what, || rule(self, session, node))
    }

    fn consul_server(&self, session: &Session, _: &NodeName) -> Result<(), Unmet> {
        let consul = session.consul(None);
        let leader = consul.ask(&consul::leader())?;
        let peers = consul.ask(&consul::peers())?;
        self.count(&leader, peers.len())
    }

    fn consul_client(&self, session: &Session, node: &NodeName) -> Result<(), Unmet> {
        let consul = session.consul(self.consul_token.as_deref());
        let own = consul.ask(&consul::agent_self())?;
        if own.config.version != self.consul_version {
            return Err(Unmet(format!(
                "it runs version {}, not {}",
                own.config.version, self.consul_version
            )));
        }
        let members = consul.ask(&consul::members())?;
        let alive = |member: &&consul::Member| member.status == 1;
        if !members
            .iter()
            .filter(alive)
            .any(|member| member.name == node.as_str())
        {
            return Err(Unmet(
                "it is not an alive member of its datacenter".to_owned(),
            ));
        }
        // Only an agent that reaches a server with a token that is known answers this.
        consul.ask(&consul::service("consul"))?;
        Ok(())
    }

    fn nomad_server(&self, session: &Session, _: &NodeName) -> Result<(), Unmet> {
        let nomad = session.nomad(&self.identity, None)?;
        let leader = nomad.ask(&nomad::leader())?;
        let peers = nomad.ask(&nomad::peers())?;
        nomad.ask(&nomad::health("server"))?;
        self.count(&leader, peers.len())
    }

    fn nomad_client(&self, session: &Session, node: &NodeName) -> Result<(), Unmet> {
        let nomad = session.nomad(&self.identity, self.nomad_token.as_deref())?;
        nomad.ask(&nomad::health("client"))?;
        let own = nomad.ask(&nomad::agent_self())?;
        let nodes = nomad.ask(&nomad::nodes())?;
        let stub = nodes
            .iter()
            .find(|stub| Some(stub.id.as_str()) == own.node_id());
        match stub {
            Some(stub) if stub.status == "ready" && stub.name == node.as_str() => Ok(()),
            Some(stub) => Err(Unmet(format!(
                "the servers say that {} is {}",
                stub.name, stub.status
            ))),
            None => Err(Unmet("it is not registered with the servers".to_owned())),
        }
    }

    fn count(&self, leader: &str, peers: usize) -> Result<(), Unmet> {
        if leader.is_empty() {
            return Err(Unmet("there is no leader".to_owned()));
        }
        if peers < self.servers {
            return Err(Unmet(format!(
                "{peers} of {} servers are there",
                self.servers
            )));
        }
        Ok(())
    }
}

type Rule = fn(&Health, &Session, &NodeName) -> Result<(), Unmet>;

/// What is not yet as it should be.
pub(super) struct Unmet(pub(super) String);

impl From<ApiError> for Unmet {
    fn from(error: ApiError) -> Self {
        Self(error.to_string())
    }
}

impl From<CallError> for Unmet {
    fn from(error: CallError) -> Self {
        Self(error.to_string())
    }
}

/// Asks until an answer is good, or time is up.
pub(super) fn until<T>(
    what: &'static str,
    mut ask: impl FnMut() -> Result<T, Unmet>,
) -> Result<T, HealthError> {
    let started = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(Unmet(last)) if started.elapsed() > LIMIT => {
                return Err(HealthError {
                    what,
                    seconds: LIMIT.as_secs(),
                    last,
                });
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
