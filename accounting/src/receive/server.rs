//! Connections: accepted within bounds, asked for their certificate, served, and drained.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::{Extension, Router};
use federation::names::RegionName;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Limits;
use super::caller::Caller;
use super::routes::{Calling, Desk, router};
use super::seldom::Seldom;
use crate::ledger::Ledger;
use crate::tls::{Keeper, uris};

/// What is waited after the system refused a connection, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Receives deliveries.
pub struct Receiver {
    federation: RegionName,
    keeper: Keeper,
    desk: Arc<Desk>,
    limits: Limits,
}

/// How the receiver stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request in hand was answered.
    All,
    /// So many connections were cut, as they took too long.
    Cut(usize),
}

/// What all connections share.
struct Shared {
    federation: RegionName,
    router: Router,
    limits: Limits,
    failures: Seldom,
}

impl Receiver {
    /// Receives for a federation, into a ledger.
    pub fn new(federation: RegionName, keeper: Keeper, ledger: Ledger, limits: Limits) -> Self {
        Self {
            federation,
            keeper,
            desk: Arc::new(Desk::new(ledger, limits)),
            limits,
        }
    }

    /// Receives until `stop`, and then ends the requests in hand.
    pub async fn run(mut self, listener: TcpListener, stop: impl Future<Output = ()>) -> Drained {
        let shared = Arc::new(Shared {
            federation: self.federation,
            router: router(self.desk),
            limits: self.limits,
            failures: Seldom::default(),
        });
        let slots = Arc::new(Semaphore::new(
            usize::try_from(self.limits.connections).unwrap_or(Semaphore::MAX_PERMITS),
        ));
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            while connections.try_join_next().is_some() {}
            let (slot, accepted) = tokio::select! {
                biased;
                () = &mut stop => break,
                next = next(&listener, &slots) => next,
            };
            match accepted {
                Ok(stream) => {
                    let config = self.keeper.current(Instant::now());
                    let connection =
                        serve(Arc::clone(&shared), config, stream, stopped.clone(), slot);
                    connections.spawn(connection);
                }
                Err(error) => {
                    shared.say(&format!("a connection could not be accepted: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop(listener);
        stopping.send_replace(true);
        drain(connections, self.limits.drain).await
    }
}

/// A slot first, so that what cannot be served waits outside.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, std::io::Result<TcpStream>) {
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    (slot, listener.accept().await.map(|(stream, _)| stream))
}

async fn drain(mut connections: JoinSet<()>, limit: Duration) -> Drained {
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(limit, all).await.is_ok() {
        return Drained::All;
    }
    let cut = connections.len();
    connections.shutdown().await;
    Drained::Cut(cut)
}

impl Shared {
    fn say(&self, what: &str) {
        if let Some(unsaid) = self.failures.say(Instant::now()) {
            tracing::info!(unsaid, "{what}");
        }
    }

    fn calling(&self, stream: &TlsStream<TcpStream>) -> Calling {
        let shown = stream.get_ref().1.peer_certificates();
        let leaf = shown.and_then(<[_]>::first);
        // What rustls has verified can be read; should it not, it names nobody.
        let found = leaf.and_then(|leaf| uris(leaf).ok()).unwrap_or_default();
        Caller::named(&found, &self.federation)
    }
}

async fn serve(
    shared: Arc<Shared>,
    config: Arc<ServerConfig>,
    stream: TcpStream,
    mut stopped: watch::Receiver<bool>,
    _slot: Option<OwnedSemaphorePermit>,
) {
    let limits = shared.limits;
    let handshake = timeout(limits.handshake, TlsAcceptor::from(config).accept(stream));
    let stream = tokio::select! {
        _ = stopped.wait_for(|&stopped| stopped) => return,
        shaken = handshake => match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return shared.say(&format!("a connection failed: {error}")),
            Err(_) => return shared.say("a connection failed: no certificate in time"),
        },
    };
    let calling: Calling = shared.calling(&stream);
    let service = TowerToHyperService::new(shared.router.clone().layer(Extension(calling)));
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = stopped.wait_for(|&stopped| stopped) => None,
        () = tokio::time::sleep(limits.connection) => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        // The request in hand is answered, and no other one is read.
        connection.as_mut().graceful_shutdown();
        timeout(limits.request, connection).await.unwrap_or(Ok(()))
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {error}");
    }
}
