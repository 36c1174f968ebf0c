//! HTTP to protocol and back: paths, headers, statuses, and nothing decided.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::body::{Body, HttpBody as _};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use federation::usage::Acknowledged;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::caller::{Caller, Stranger};
use super::judge::{DIGEST_HEADER, Delivery, MOST_BYTES, judge};
use super::refusal::Refusal;
use super::seldom::Seldom;
use super::{Limits, MOST_ENTRIES};
use crate::ledger::{Ledger, LedgerError, Owner, Rejection};

/// What every request needs.
pub(super) struct Desk {
    ledger: Mutex<Ledger>,
    deliveries: Arc<Semaphore>,
    limits: Limits,
    faults: Seldom,
}

/// Who is calling, or why nobody knows.
pub(super) type Calling = Result<Caller, Stranger>;

impl Desk {
    pub(super) fn new(ledger: Ledger, limits: Limits) -> Self {
        Self {
            ledger: Mutex::new(ledger),
            deliveries: Arc::new(Semaphore::new(limits.deliveries)),
            limits,
            faults: Seldom::default(),
        }
    }

    fn refuse(&self, refusal: &Refusal, caller: Option<&Caller>) -> Response {
        let node = caller.map_or("unknown", |caller| caller.node.as_str());
        match refusal {
            Refusal::Ledger(error) => {
                if let Some(unsaid) = self.faults.say(Instant::now()) {
                    let source = std::error::Error::source(error).map(ToString::to_string);
                    tracing::error!(node, source, unsaid, "{error}");
                }
            }
            Refusal::Rejected(Rejection::Gap { .. }) => tracing::debug!(node, "{refusal}"),
            other => tracing::warn!(node, "refused: {}", other.answer().error),
        }
        let status =
            StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(refusal.answer())).into_response()
    }

    async fn answer(
        &self,
        caller: Option<&Caller>,
        work: impl Future<Output = Result<Acknowledged, Refusal>>,
    ) -> Response {
        let limit = self.limits.request;
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(acknowledged)) => Json(acknowledged).into_response(),
            Ok(Err(refusal)) => self.refuse(&refusal, caller),
            Err(_) => self.refuse(&Refusal::TooSlow(limit.as_secs()), caller),
        }
    }
}

/// The paths of the receiver.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1/usage", post(deliver))
        .route("/v1/usage/{ledger}", get(ask))
        .route("/healthz", get(async || "ok\n"))
        .with_state(desk)
}

async fn deliver(
    State(desk): State<Arc<Desk>>,
    Extension(calling): Extension<Calling>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let caller = match calling {
        Ok(caller) => caller,
        Err(stranger) => return desk.refuse(&Refusal::Forbidden(stranger.to_string()), None),
    };
    let digest = headers
        .get(DIGEST_HEADER)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let work = async {
        // Held until the delivery is out of memory, also when nobody waits for it any longer.
        let permit = Arc::clone(&desk.deliveries).acquire_owned();
        let permit = tokio::time::timeout(desk.limits.request / 2, permit).await;
        let Ok(Ok(permit)) = permit else {
            return Err(Refusal::Busy);
        };
        let body = whole(body).await?;
        commit(Arc::clone(&desk), permit, caller.clone(), digest, body).await
    };
    desk.answer(Some(&caller), work).await
}

/// The whole body; one that breaks off or is too long is none.
async fn whole(mut body: Body) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame =
            frame.map_err(|error| Refusal::Malformed(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > MOST_BYTES {
            return Err(Refusal::TooLarge(format!(
                "a delivery has at most {MOST_BYTES} bytes and {MOST_ENTRIES} entries"
            )));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Judges and commits on a thread that may wait for the disk.
async fn commit(
    desk: Arc<Desk>,
    permit: OwnedSemaphorePermit,
    caller: Caller,
    digest: Option<String>,
    body: Vec<u8>,
) -> Result<Acknowledged, Refusal> {
    let received_us = now_us();
    let work = move || {
        let _permit = permit;
        let batch = judge(&Delivery {
            caller: &caller,
            digest: digest.as_deref(),
            body: &body,
            received_us,
        })?;
        drop(body);
        let mut ledger = desk.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let acknowledged = ledger.append(&batch)?;
        drop(ledger);
        let (node, entries) = (&caller.node, batch.lines.len());
        tracing::debug!(%node, entries, acknowledged, "received");
        Ok(Acknowledged {
            ledger: batch.header.ledger,
            acknowledged,
        })
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| lost())?
}

async fn ask(
    State(desk): State<Arc<Desk>>,
    Extension(calling): Extension<Calling>,
    Path(ledger): Path<String>,
) -> Response {
    let caller = match calling {
        Ok(caller) => caller,
        Err(stranger) => return desk.refuse(&Refusal::Forbidden(stranger.to_string()), None),
    };
    let work = async {
        let (desk, ledger, caller) = (Arc::clone(&desk), ledger, caller.clone());
        let work = move || standing(&desk, ledger, &caller);
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| lost())?
    };
    desk.answer(Some(&caller), work).await
}

fn standing(desk: &Desk, ledger: String, caller: &Caller) -> Result<Acknowledged, Refusal> {
    let locked = desk.ledger.lock().unwrap_or_else(PoisonError::into_inner);
    let standing = locked.standing(&ledger)?;
    drop(locked);
    let is_callers =
        |owner: &Owner| owner.node == caller.node && owner.datacenter == caller.datacenter;
    match standing.owner {
        Some(owner) if !is_callers(&owner) => Err(Rejection::Owner { ledger, owner }.into()),
        Some(_) | None => Ok(Acknowledged {
            ledger,
            acknowledged: standing.acknowledged,
        }),
    }
}

/// The thread ended without a word: the runtime is stopping, or we have a bug.
fn lost() -> Refusal {
    Refusal::Ledger(LedgerError::Interrupted)
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::body::to_bytes;
    use axum::http::Request;
    use federation::usage::Refused;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use sha2::{Digest as _, Sha256};
    use tower::ServiceExt as _;

    use super::*;
    use crate::ledger::sample::{facts, header, interval};

    fn delivery(entries: &[String]) -> Request<Body> {
        let header = serde_json::to_string(&header("n1", "L", entries.len())).unwrap();
        let text = format!("{header}\n{}\n", entries.join("\n"));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let caller: Calling = Ok(Caller {
            node: "n1".parse().unwrap(),
            datacenter: "one".parse().unwrap(),
        });
        Request::post("/v1/usage")
            .header(DIGEST_HEADER, format!("sha256={:x}", Sha256::digest(text)))
            .extension(caller)
            .body(Body::from(encoder.finish().unwrap()))
            .unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_told_to_the_node_and_the_next_delivery_is_received() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        ledger.limit_pages(1);
        let desk = Arc::new(Desk::new(ledger, Limits::default()));
        let router = router(Arc::clone(&desk));
        let mut entries = vec![facts(1, "a")];
        entries.extend((2..500).map(|seq| interval(seq, "a", seq - 2)));

        let full = router.clone().oneshot(delivery(&entries)).await.unwrap();
        assert_eq!(full.status().as_u16(), 507);
        let said = to_bytes(full.into_body(), 10_000).await.unwrap();
        let said: Refused = serde_json::from_slice(&said).unwrap();
        assert!(said.error.contains("disk"), "{}", said.error);

        desk.ledger.lock().unwrap().limit_pages(100_000);
        let received = router.oneshot(delivery(&entries)).await.unwrap();
        assert_eq!(received.status().as_u16(), 200);
    }

    #[tokio::test]
    async fn more_deliveries_than_fit_in_memory_are_asked_to_come_again() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        let limits = Limits {
            deliveries: 1,
            request: std::time::Duration::from_millis(200),
            ..Limits::default()
        };
        let desk = Arc::new(Desk::new(ledger, limits));
        let _other = Arc::clone(&desk.deliveries).try_acquire_owned().unwrap();
        let answer = router(desk).oneshot(delivery(&[facts(1, "a")])).await;
        assert_eq!(answer.unwrap().status().as_u16(), 503);
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_not_kept_in_memory() {
        let read = whole(Body::from(vec![0; MOST_BYTES])).await;
        assert_eq!(read.unwrap().len(), MOST_BYTES);
        let read = whole(Body::from(vec![0; MOST_BYTES + 1])).await;
        assert_eq!(read.unwrap_err().status(), 413);
    }
}
