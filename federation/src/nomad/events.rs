//! What the servers' event stream says of some allocations and jobs.
//!
//! A server keeps the last changes in memory: a hundred, if its option
//! `event_buffer_size` is not set. Whoever asks from index 1 on is told all of
//! them that are still there, and what comes after. So of an allocation that is
//! in no list any more this tells what became of it.

use std::fmt::Write as _;

use serde::Deserialize;

use super::placed::{Placed, PlacedJob};
use crate::http::{Api, Call, Method};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Every allocation, on any node of the region.
    Allocations,
    /// An allocation, by its ID.
    Allocation(String),
    /// A job by its ID, in whatever namespace.
    Job(String),
    /// The evaluations of a job, by the job's ID, in whatever namespace.
    Evaluations(String),
}

impl Topic {
    /// Whether Nomad takes it: what is behind a second colon it does not understand, and refuses all.
    pub fn can_be_asked_for(&self) -> bool {
        match self {
            Self::Allocations => true,
            Self::Allocation(id) | Self::Job(id) | Self::Evaluations(id) => {
                !id.is_empty() && !id.contains(':')
            }
        }
    }
}

/// One line of the stream: what one write to the servers' state has changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct Events {
    /// The Raft index of the change; 0 in a line that only says that the stream lives.
    #[serde(default)]
    pub index: u64,
    /// What changed, of what was asked for.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// A changed thing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// What it is now, or was before it was removed.
    pub payload: Payload,
}

/// What a changed thing is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct Payload {
    /// An allocation, without its job.
    #[serde(default)]
    pub allocation: Option<Placed>,
    /// A job: the last that was known of it, when it was removed.
    #[serde(default)]
    pub job: Option<PlacedJob>,
    /// Why servers looked anew at what is to run of a job.
    #[serde(default)]
    pub evaluation: Option<Evaluated>,
}

/// A look of the servers at what is to run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Evaluated {
    /// Job ID.
    #[serde(rename = "JobID", default)]
    pub job_id: String,
    /// Namespace.
    #[serde(default)]
    pub namespace: String,
    /// Its reason, such as `job-register`.
    #[serde(default)]
    pub triggered_by: String,
    /// The Raft index at which it was made.
    #[serde(default)]
    pub create_index: u64,
    /// When it was made, by a server's clock, in ns since 1970 UTC.
    #[serde(default)]
    pub create_time: i64,
}

impl Evaluated {
    /// Whether its reason is that somebody stopped the job or, what no other event tells, purged it.
    pub fn is_of_a_stop(&self) -> bool {
        self.triggered_by == "job-deregister"
    }
}

/// All that the servers still remember of some things, a line each, and then whatever they do, without an end.
///
/// Needs `read-job` in every namespace. What [cannot be asked for](Topic::can_be_asked_for) is left
/// out, and where nothing else is there is no call: without a topic Nomad reads all topics, and refuses.
pub fn events(topics: impl IntoIterator<Item = Topic>) -> Option<Call<Events>> {
    let mut path = "/v1/event/stream?namespace=*&index=1".to_owned();
    let none = path.len();
    for topic in topics.into_iter().filter(Topic::can_be_asked_for) {
        let (kind, id) = match &topic {
            Topic::Allocations => ("Allocation", None),
            Topic::Allocation(id) => ("Allocation", Some(id)),
            Topic::Job(id) => ("Job", Some(id)),
            Topic::Evaluations(id) => ("Evaluation", Some(id)),
        };
        path.push_str("&topic=");
        path.push_str(kind);
        path.push(':');
        match id {
            Some(id) => escape(&mut path, id),
            None => path.push('*'),
        }
    }
    (path.len() > none).then(|| Call::json(Api::Nomad, Method::Get, path))
}

/// A job with all that it asks for, if it is there.
pub fn whole_job(id: &str, namespace: &str) -> Call<Option<PlacedJob>> {
    let mut path = "/v1/job/".to_owned();
    escape(&mut path, id);
    path.push_str("?namespace=");
    escape(&mut path, namespace);
    Call::find(Api::Nomad, path)
}

/// A job's ID may hold almost anything.
fn escape(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_asked_for_by_an_id_that_may_hold_anything() {
        let topics = [
            Topic::Allocation("0a1b-2c".to_owned()),
            Topic::Job("a/periodic-1&x".to_owned()),
            Topic::Job("a:b".to_owned()),
            Topic::Evaluations("a/b".to_owned()),
        ];
        assert_eq!(
            events(topics).unwrap().path,
            "/v1/event/stream?namespace=*&index=1&topic=Allocation:0a1b-2c&topic=Job:a%2Fperiodic-1%26x&topic=Evaluation:a%2Fb"
        );
        assert_eq!(
            events([Topic::Allocations]).unwrap().path,
            "/v1/event/stream?namespace=*&index=1&topic=Allocation:*"
        );
        assert_eq!(whole_job("a/b", "n").path, "/v1/job/a%2Fb?namespace=n");
    }

    /// Nomad reads no topic as all of them.
    #[test]
    fn nothing_that_can_be_asked_for_is_no_question() {
        assert!(events([]).is_none());
        assert!(events([Topic::Job("a:b".to_owned())]).is_none());
    }
}
