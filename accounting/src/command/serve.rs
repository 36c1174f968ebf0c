//! `serve`: receives until the system asks to stop.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{Ended, Error, while_doing};
use crate::ledger::Ledger;
use crate::receive::{Drained, Limits, Receiver};
use crate::settings::Settings;
use crate::tls::Keeper;

/// How often the certificate files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long a commit in hand may take once all else has ended.
const LAST_COMMIT: Duration = Duration::from_secs(5);

pub(super) fn run(settings: Settings) -> Result<Ended, Error> {
    log_to_stderr();
    let keeper = Keeper::open(settings.tls.clone(), LOOK_EVERY, Instant::now())?;
    let ledger = Ledger::open(&settings.ledger)?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(while_doing("start the runtime"))?;
    let served = runtime.block_on(serve(settings, keeper, ledger));
    end(runtime);
    served.map(|()| Ended::AsWanted)
}

fn end(runtime: Runtime) {
    runtime.shutdown_timeout(LAST_COMMIT);
    tracing::info!("stopped");
}

async fn serve(settings: Settings, keeper: Keeper, ledger: Ledger) -> Result<(), Error> {
    let doing = || while_doing("ask for the system's signals");
    let terminate = signal(SignalKind::terminate()).map_err(doing())?;
    let interrupt = signal(SignalKind::interrupt()).map_err(doing())?;
    let listen = settings.listen;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(while_doing(format!("listen on {listen}")))?;
    let address = listener.local_addr().unwrap_or(listen);
    let receiver = Receiver::new(settings.federation, keeper, ledger, Limits::default());
    tracing::info!(%address, ledger = %settings.ledger.display(), "receiving");
    tell(&[NotifyState::Ready]);
    let watchdog = tokio::spawn(watchdog());
    let drained = receiver.run(listener, asked(terminate, interrupt)).await;
    watchdog.abort();
    if let Drained::Cut(connections) = drained {
        tracing::warn!(
            connections,
            "connections were cut, as they took too long to end"
        );
    }
    Ok(())
}

async fn asked(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell(&[NotifyState::Stopping]);
    tracing::info!("asked to stop: the requests in hand are ended");
}

/// Tells systemd that we live, twice in the time it waits for that.
async fn watchdog() {
    let mut limit_us = 0;
    if !sd_notify::watchdog_enabled(false, &mut limit_us) || limit_us == 0 {
        return;
    }
    let mut ticks = tokio::time::interval(Duration::from_micros((limit_us / 2).max(1)));
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

/// Without systemd nobody is told, and nothing is wrong.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::warn!(%error, "systemd could not be told of our state");
    }
}

/// The journal has its own clock; elsewhere each line has a time.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr);
    let set = if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().try_init()
    } else {
        log.try_init()
    };
    // A log that is there already, as in a test, is as good.
    drop(set);
}
