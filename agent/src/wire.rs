//! Carries the calls of `federation` to Nomad and Consul, over a socket.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use federation::http::{Answer, Api, Call, CallError};
use ureq::config::Config;
use ureq::http::{Request, Response, Uri};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body};

use crate::settings::{Address, Identity};

/// The longest answer that is read: allocations have some 20 KiB each.
const LONGEST: u64 = 64 << 20;

/// The way to one API.
#[derive(Debug)]
pub struct Wire {
    api: Api,
    agent: Agent,
    /// What calls begin with: the name in the certificate, not always the address.
    base: String,
    address: Address,
    token: String,
}

/// What was heard of a stream of lines, which has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// What was wanted.
    Enough,
    /// All that there was to say when the time was over.
    All,
    /// The time was over in the midst of a line.
    Part,
}

/// Why a call got no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The answer is not the wanted one.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There was no answer.
    #[error("cannot ask {api} at {address} for {path}: {reason}")]
    Unreachable {
        /// Which API.
        api: Api,
        /// Where.
        address: Address,
        /// What was asked for.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A stream of lines was opened, and not even the first came.
    #[error(
        "{api} at {address} said nothing to {path}, though it begins with a line at once: see that the token may read jobs in every namespace and has not expired, and that the servers' event broker is enabled"
    )]
    Silent {
        /// Which API.
        api: Api,
        /// Where.
        address: Address,
        /// What was asked for.
        path: String,
    },
    /// A stream of lines ended before its time: what else it had to say is not known.
    #[error("{api} at {address} ended its answer to {path} too early: {reason}")]
    Broken {
        /// Which API.
        api: Api,
        /// Where.
        address: Address,
        /// What was asked for.
        path: String,
        /// How it ended.
        reason: String,
    },
    /// A file that the settings name cannot be used.
    #[error("cannot use the {what} in {}: {reason}", path.display())]
    File {
        /// What should be in it.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl WireError {
    /// The HTTP status, when the API refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Call(error) => error.status(),
            _ => None,
        }
    }
}

/// The way to Consul: the node's own agent, without TLS.
///
/// # Errors
/// When the token's file cannot be read.
pub fn plain(api: Api, address: &Address, token_file: &Path) -> Result<Wire, WireError> {
    Ok(Wire {
        api,
        agent: Agent::new_with_config(config(TlsConfig::default())),
        base: address.as_str().to_owned(),
        address: address.clone(),
        token: token(token_file)?,
    })
}

/// The way to Nomad, with mutual TLS. `server_name` is the name in its certificate, where that is not the address's host.
///
/// # Errors
/// When a file of the identity or the token's cannot be read.
pub fn secure(
    api: Api,
    address: &Address,
    server_name: Option<&str>,
    identity: &Identity,
    token_file: &Path,
) -> Result<Wire, WireError> {
    let port = address.authority().rsplit_once(':').map(|(_, port)| port);
    let base = match (server_name, port) {
        (Some(name), Some(port)) => format!("https://{name}:{port}"),
        (Some(name), None) => format!("https://{name}"),
        (None, _) => address.as_str().to_owned(),
    };
    let resolver = Fixed {
        uri: address.as_str().to_owned(),
    };
    Ok(Wire {
        api,
        agent: Agent::with_parts(config(tls(identity)?), DefaultConnector::new(), resolver),
        base,
        address: address.clone(),
        token: token(token_file)?,
    })
}

/// Our side of mutual TLS, from its files.
///
/// # Errors
/// When one of them cannot be read.
pub fn tls(identity: &Identity) -> Result<TlsConfig, WireError> {
    let ca = certificates("CA certificate", &identity.ca)?;
    let own = certificates("certificate", &identity.certificate)?;
    let what = "private key";
    let key = PrivateKey::from_pem(&read(what, &identity.key)?);
    let key = key.map_err(|error| unusable(what, &identity.key, &error))?;
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(ca)))
        .client_cert(Some(ClientCert::new_with_certs(&own, key)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn config(tls: TlsConfig) -> Config {
    Config::builder()
        .tls_config(tls)
        .http_status_as_error(false)
        // The node's own agents are never behind a proxy.
        .proxy(None)
        .max_redirects(0)
        .build()
}

fn token(path: &Path) -> Result<String, WireError> {
    let what = "token";
    let text = String::from_utf8(read(what, path)?);
    let text = text.map_err(|error| unusable(what, path, &error))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable(what, path, &"it must hold one word"));
    }
    Ok(token.to_owned())
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<Certificate<'static>>, WireError> {
    let text = read(what, path)?;
    let items = ureq::tls::parse_pem(&text).filter_map(|item| match item {
        Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(unusable(what, path, &error))),
    });
    let found = items.collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Err(unusable(what, path, &"there is no certificate in it"));
    }
    Ok(found)
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, WireError> {
    std::fs::read(path).map_err(|error| unusable(what, path, &error))
}

fn unusable(what: &'static str, path: &Path, reason: &dyn std::fmt::Display) -> WireError {
    WireError::File {
        what,
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

impl Wire {
    /// Makes a call and reads its answer, with the index in its header, if there is one.
    ///
    /// # Errors
    /// When there is no answer within `limit`, or not the wanted one.
    pub fn ask<T>(&self, call: &Call<T>, limit: Duration) -> Result<(T, Option<u64>), WireError> {
        let (answer, index) = self
            .send(call, limit)
            .map_err(|reason| self.unreachable(call, reason))?;
        Ok((call.read(&answer)?, index))
    }

    /// Makes a call whose answer is one line after the other, without an end, each an answer for itself.
    ///
    /// Goes on until `wants_more` is false, or `limit` is over.
    ///
    /// # Errors
    /// When there is no answer, or a line is not the wanted one; when it ends before its time; or when
    /// no line comes at all: Nomad has said 200 by the time at which it refuses, and otherwise says
    /// `{}` at once.
    pub fn listen<T>(
        &self,
        call: &Call<T>,
        limit: Duration,
        mut wants_more: impl FnMut(T) -> bool,
    ) -> Result<Heard, WireError> {
        let mut response = self
            .open(call, limit)
            .map_err(|reason| self.unreachable(call, reason))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LONGEST);
        if status != 200 {
            let body = body.read_to_string().unwrap_or_default();
            return call
                .read(&Answer { status, body })
                .map(|_| Heard::Enough)
                .map_err(Into::into);
        }
        let mut lines = BufReader::new(body.reader());
        let mut body = String::new();
        let mut silent = true;
        let end = loop {
            let read = lines.read_line(&mut body);
            if read.is_err() || !body.ends_with('\n') {
                break read;
            }
            silent = false;
            if !wants_more(call.read(&Answer { status, body })?) {
                return Ok(Heard::Enough);
            }
            body = String::new();
        };
        let (api, address, path) = (self.api, self.address.clone(), path_of(call));
        match end {
            _ if silent => Err(WireError::Silent { api, address, path }),
            Err(error) if is_timeout(&error) && body.is_empty() => Ok(Heard::All),
            Err(error) if is_timeout(&error) => Ok(Heard::Part),
            end => Err(WireError::Broken {
                api,
                address,
                path,
                reason: end
                    .map_or_else(|error| error.to_string(), |_| "it said no more".to_owned()),
            }),
        }
    }

    fn unreachable<T>(&self, call: &Call<T>, reason: String) -> WireError {
        WireError::Unreachable {
            api: self.api,
            address: self.address.clone(),
            path: path_of(call),
            reason,
        }
    }

    fn send<T>(&self, call: &Call<T>, limit: Duration) -> Result<(Answer, Option<u64>), String> {
        let mut response = self.open(call, limit)?;
        let index = response.headers().get("X-Nomad-Index");
        let index = index.and_then(|value| value.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(LONGEST)
            .read_to_string()
            .map_err(|error| error.to_string())?;
        Ok((Answer { status, body }, index))
    }

    fn open<T>(&self, call: &Call<T>, limit: Duration) -> Result<Response<Body>, String> {
        let uri = format!("{}{}", self.base, call.path);
        let mut request = Request::builder()
            .method(call.method.as_str())
            .uri(uri)
            .header(self.api.token_header(), &self.token);
        let body = call.body.as_ref().map(ToString::to_string);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .body(body.unwrap_or_default())
            .map_err(|error| error.to_string())?;
        let request = self.agent.configure_request(request);
        let request = request.timeout_global(Some(limit)).build();
        self.agent.run(request).map_err(|error| error.to_string())
    }
}

/// Whether the time was over while something was read.
fn is_timeout(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(ureq::Error::Timeout(_)))
}

/// What is asked for, without what is asked about it.
fn path_of<T>(call: &Call<T>) -> String {
    call.path.split('?').next().unwrap_or_default().to_owned()
}

/// Finds one address, whatever name the certificate has.
#[derive(Debug)]
struct Fixed {
    uri: String,
}

impl Resolver for Fixed {
    fn resolve(
        &self,
        _: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let uri: Uri = self.uri.parse().map_err(|_| ureq::Error::HostNotFound)?;
        DefaultResolver::default().resolve(&uri, config, timeout)
    }
}
