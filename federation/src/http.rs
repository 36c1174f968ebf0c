//! A call to an HTTP API as plain data: what to send, and how to read the answer.
//!
//! The manners are the same for Consul and Nomad (a token in a header, JSON both
//! ways, an error text with a status), the connection is not: the provisioner
//! speaks through an SSH session, the agent through a socket. So a [`Call`] is
//! made here and carried by whoever holds a connection.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An HTTP method of the two APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Writes, in Consul mostly.
    Put,
    /// Writes, in Nomad mostly.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// The HTTP API that a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Consul, which takes its token in `X-Consul-Token`.
    Consul,
    /// Nomad, which takes its token in `X-Nomad-Token`.
    Nomad,
}

impl Api {
    /// The header which carries the token.
    pub fn token_header(self) -> &'static str {
        match self {
            Self::Consul => "X-Consul-Token",
            Self::Nomad => "X-Nomad-Token",
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Consul => "Consul",
            Self::Nomad => "Nomad",
        })
    }
}

/// What to send, and how to read what comes back as a `T`.
pub struct Call<T> {
    /// Which API.
    pub api: Api,
    /// Method.
    pub method: Method,
    /// Path and query, from the leading slash on.
    pub path: String,
    /// JSON body.
    pub body: Option<Value>,
    read: fn(Api, &Answer) -> Result<T, CallError>,
}

/// An answer: its status and its whole body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

/// Why an answer is not what the call wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The API refused.
    #[error("{api} answered {status}: {}", body.trim())]
    Refused {
        /// Which API.
        api: Api,
        /// HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
    /// The API answered with something else than it documents.
    #[error("cannot read the answer of {api}: {reason}")]
    Unreadable {
        /// Which API.
        api: Api,
        /// What the parser said.
        reason: String,
    },
}

impl CallError {
    /// The HTTP status, when the API refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreadable { .. } => None,
        }
    }
}

impl<T> Call<T> {
    /// Reads an answer to this call.
    ///
    /// # Errors
    /// When the API refused, or answered with something unexpected.
    pub fn read(&self, answer: &Answer) -> Result<T, CallError> {
        (self.read)(self.api, answer)
    }
}

impl<T: DeserializeOwned> Call<T> {
    /// A call answered with 200 and JSON.
    pub fn json(api: Api, method: Method, path: impl Into<String>) -> Self {
        Self {
            api,
            method,
            path: path.into(),
            body: None,
            read: read_json,
        }
    }
}

impl<T: DeserializeOwned> Call<Option<T>> {
    /// A call answered with 200 and JSON, or with a status that means "there is none".
    pub fn find(api: Api, path: impl Into<String>) -> Self {
        Self {
            api,
            method: Method::Get,
            path: path.into(),
            body: None,
            read: read_found,
        }
    }
}

impl Call<()> {
    /// A call of whose answer only the status matters.
    pub fn done(api: Api, method: Method, path: impl Into<String>) -> Self {
        Self {
            api,
            method,
            path: path.into(),
            body: None,
            read: read_done,
        }
    }
}

impl<T> Call<T> {
    /// The same call with a JSON body.
    #[must_use]
    pub fn with(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_value(body).ok();
        self
    }
}

fn accepted(api: Api, answer: &Answer) -> Result<(), CallError> {
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    Err(CallError::Refused {
        api,
        status: answer.status,
        body: answer.body.clone(),
    })
}

fn read_done(api: Api, answer: &Answer) -> Result<(), CallError> {
    accepted(api, answer)
}

fn read_json<T: DeserializeOwned>(api: Api, answer: &Answer) -> Result<T, CallError> {
    accepted(api, answer)?;
    serde_json::from_str(&answer.body).map_err(|error| CallError::Unreadable {
        api,
        reason: error.to_string(),
    })
}

/// Consul says 403 "ACL not found" of a token that does not exist, and 404 of the rest.
fn read_found<T: DeserializeOwned>(api: Api, answer: &Answer) -> Result<Option<T>, CallError> {
    let absent =
        answer.status == 404 || (answer.status == 403 && answer.body.contains("does not exist"));
    if absent {
        return Ok(None);
    }
    read_json(api, answer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.to_owned(),
        }
    }

    #[test]
    fn an_answer_is_read_by_its_call() {
        let call: Call<String> = Call::json(Api::Consul, Method::Get, "/v1/status/leader");
        assert_eq!(
            call.read(&answer(200, "\"10.0.0.1:8300\"")),
            Ok("10.0.0.1:8300".to_owned())
        );
        assert_eq!(
            call.read(&answer(500, "no leader\n"))
                .unwrap_err()
                .to_string(),
            "Consul answered 500: no leader"
        );
        assert!(matches!(
            call.read(&answer(200, "<html>")),
            Err(CallError::Unreadable { .. })
        ));
    }

    #[test]
    fn a_missing_thing_is_not_an_error() {
        let call: Call<Option<String>> = Call::find(Api::Consul, "/v1/acl/token/x");
        assert_eq!(call.read(&answer(404, "")), Ok(None));
        assert_eq!(
            call.read(&answer(403, "token does not exist: ACL not found")),
            Ok(None)
        );
        assert!(call.read(&answer(403, "Permission denied")).is_err());
    }
}
