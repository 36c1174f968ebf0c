//! The HTTP APIs of a host's own Consul and Nomad, through the SSH session.

use std::fmt;
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use federation::http::{Answer, Api, Call, CallError};
use ssh2::Channel;
use ureq::config::Config;
use ureq::http::Request;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, RustlsConnector, Transport,
};

use crate::host::session::write_all;
use crate::host::{HostError, Session};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Who the operator is to Nomad: a certificate of its CA.
#[derive(Clone)]
pub struct Identity {
    /// The CA that signs the servers.
    pub authority_pem: String,
    /// The operator's certificate.
    pub certificate_pem: String,
    /// Its key.
    pub key_pem: String,
}

/// One API of one host.
pub struct Endpoint<'a> {
    session: &'a Session,
    api: Api,
    agent: ureq::Agent,
    token: Option<String>,
}

/// Who answers calls: an API, or what a test has written down of one.
pub trait Ask {
    /// Makes a call and reads its answer.
    ///
    /// # Errors
    /// When there is no answer, or not the wanted one.
    fn ask<T>(&self, call: &Call<T>) -> Result<T, ApiError>;
}

impl Ask for Endpoint<'_> {
    fn ask<T>(&self, call: &Call<T>) -> Result<T, ApiError> {
        Endpoint::ask(self, call)
    }
}

/// Why a call got no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The answer is not the wanted one.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There was no answer.
    #[error("cannot ask {api} on {address} for {path}: {reason}")]
    Unreachable {
        /// Which API.
        api: Api,
        /// The host.
        address: String,
        /// What was asked for.
        path: String,
        /// Why not.
        reason: String,
    },
}

impl ApiError {
    /// The HTTP status, when the API refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Call(error) => error.status(),
            Self::Unreachable { .. } => None,
        }
    }
}

impl Session {
    /// Consul's API, on the host's loopback.
    pub fn consul(&self, token: Option<&str>) -> Endpoint<'_> {
        self.endpoint(Api::Consul, Config::builder().build(), token)
    }

    /// Nomad's API, on the host's loopback, with mutual TLS.
    ///
    /// # Errors
    /// When a certificate of the identity cannot be read.
    pub fn nomad(
        &self,
        identity: &Identity,
        token: Option<&str>,
    ) -> Result<Endpoint<'_>, ApiError> {
        let unreadable = |what: &str, error: &ureq::Error| ApiError::Unreachable {
            api: Api::Nomad,
            address: self.address().to_string(),
            path: "/".to_owned(),
            reason: format!("{what}: {error}"),
        };
        let root = Certificate::from_pem(identity.authority_pem.as_bytes())
            .map_err(|e| unreadable("CA certificate", &e))?;
        let own = Certificate::from_pem(identity.certificate_pem.as_bytes())
            .map_err(|e| unreadable("own certificate", &e))?;
        let key = PrivateKey::from_pem(identity.key_pem.as_bytes())
            .map_err(|e| unreadable("own key", &e))?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(vec![root])))
            .client_cert(Some(ClientCert::new_with_certs(&[own], key)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        Ok(self.endpoint(Api::Nomad, Config::builder().tls_config(tls).build(), token))
    }

    fn endpoint(&self, api: Api, config: Config, token: Option<&str>) -> Endpoint<'_> {
        let mut config = config;
        config = Config::builder()
            .tls_config(config.tls_config().clone())
            .http_status_as_error(false)
            .timeout_global(Some(LIMIT))
            .max_idle_connections(1)
            .build();
        let connector = Tunnel {
            session: self.handle(),
            port: port(api),
        }
        .chain(RustlsConnector::default());
        Endpoint {
            session: self,
            api,
            agent: ureq::Agent::with_parts(config, connector, DefaultResolver::default()),
            token: token.map(str::to_owned),
        }
    }
}

fn port(api: Api) -> u16 {
    match api {
        Api::Consul => 8500,
        Api::Nomad => 4646,
    }
}

impl Endpoint<'_> {
    /// Makes a call and reads its answer.
    ///
    /// # Errors
    /// When there is no answer, or not the wanted one.
    pub fn ask<T>(&self, call: &Call<T>) -> Result<T, ApiError> {
        let answer = self.send(call).map_err(|reason| ApiError::Unreachable {
            api: self.api,
            address: self.session.address().ip().to_string(),
            path: call.path.split('?').next().unwrap_or_default().to_owned(),
            reason,
        })?;
        Ok(call.read(&answer)?)
    }

    fn send<T>(&self, call: &Call<T>) -> Result<Answer, String> {
        let scheme = match self.api {
            Api::Consul => "http",
            Api::Nomad => "https",
        };
        let uri = format!("{scheme}://127.0.0.1:{}{}", port(self.api), call.path);
        let mut request = Request::builder().method(call.method.as_str()).uri(uri);
        if let Some(token) = &self.token {
            request = request.header(self.api.token_header(), token);
        }
        let body = call
            .body
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body).map_err(|error| error.to_string())?;
        let mut response = self.agent.run(request).map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .map_err(|error| error.to_string())?;
        Ok(Answer { status, body })
    }
}

/// Connects by opening a channel of the SSH session.
struct Tunnel {
    session: Session,
    port: u16,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tunnel to port {}", self.port)
    }
}

impl<In: Transport> Connector<In> for Tunnel {
    type Out = Stream;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<In>,
    ) -> Result<Option<Stream>, ureq::Error> {
        let channel = self.session.stream(self.port).map_err(|error: HostError| {
            ureq::Error::Io(std::io::Error::new(
                std::io::ErrorKind::ConnectionRefused,
                error.to_string(),
            ))
        })?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Stream { channel, buffers }))
    }
}

/// A channel to a port of the host's loopback.
struct Stream {
    channel: Channel,
    buffers: LazyBuffers,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stream through SSH")
    }
}

impl Transport for Stream {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        write_all(&mut self.channel, output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let deadline = Instant::now() + timeout.not_zero().map_or(LIMIT, |left| *left);
        let input = self.buffers.input_append_buf();
        loop {
            match self.channel.read(input) {
                Ok(0) if !self.channel.eof() && Instant::now() < deadline => {}
                Ok(length) => {
                    self.buffers.input_appended(length);
                    return Ok(length > 0);
                }
                Err(error)
                    if error.kind() == std::io::ErrorKind::TimedOut
                        && Instant::now() < deadline => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_open(&mut self) -> bool {
        !self.channel.eof()
    }
}
