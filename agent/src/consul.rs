//! The door to the node's own Consul agent.

use std::time::Duration;

use federation::consul::{self as api, Health, Service};
use federation::http::Api;

use crate::settings;
use crate::wire::{self, Wire, WireError};

/// How long an answer may take: shorter than the pause between two beats.
const LIMIT: Duration = Duration::from_secs(10);

/// What came of a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// It was heard.
    Heard,
    /// Consul does not know the check any more.
    Unknown,
}

/// Where a node's service is registered.
pub trait Registry {
    /// Registers a service in place of what was known of it.
    ///
    /// # Errors
    /// When Consul does not answer, or refuses.
    fn register(&self, service: &Service) -> Result<(), WireError>;

    /// Tells a check how things are.
    ///
    /// # Errors
    /// When Consul does not answer, or refuses.
    fn beat(&self, check: &str, status: Health, text: &str) -> Result<Beat, WireError>;
}

/// The node's Consul agent.
#[derive(Debug)]
pub struct Consul {
    wire: Wire,
}

impl Consul {
    /// The way to the agent; opens no connection.
    ///
    /// # Errors
    /// When the token's file cannot be read.
    pub fn new(settings: &settings::Consul) -> Result<Self, WireError> {
        let wire = wire::plain(Api::Consul, &settings.address, &settings.token_file)?;
        Ok(Self { wire })
    }

    /// Whether Consul knows the token.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub fn token_is_known(&self) -> Result<(), WireError> {
        self.wire.ask(&api::own_token(), LIMIT).map(|_| ())
    }
}

impl Registry for Consul {
    fn register(&self, service: &Service) -> Result<(), WireError> {
        let call = api::register_service(service);
        self.wire.ask(&call, LIMIT).map(|_| ())
    }

    fn beat(&self, check: &str, status: Health, text: &str) -> Result<Beat, WireError> {
        let call = api::update_check(check, status, text);
        match self.wire.ask(&call, LIMIT) {
            Ok(_) => Ok(Beat::Heard),
            Err(error) if error.status() == Some(404) => Ok(Beat::Unknown),
            Err(error) => Err(error),
        }
    }
}
