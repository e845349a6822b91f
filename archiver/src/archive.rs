//! One run of the archiver: the spool is locked, the store admitted, the streams scheduled, until all is
//! uploaded or a signal comes.

mod admit;
mod drain_progress;
mod report;
mod scheduler;
mod start_error;
mod worker;

use crate::config::Config;
use crate::health::Health;
use crate::spool::Spool;
use crate::upload::gate::{Cause, Gate};
use crate::upload::{Terms, Uploader};
use admit::admit;
use host::exit;
use host::lock::Lock;
use ledger::spool::RECEIPTS;
use report::Reporter;
use scheduler::{Runs, Scheduler};
use std::sync::Arc;
use std::time::Duration;
use store::StoreOptions;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use worker::Shared;

pub use start_error::StartError;

/// How long an upload that was cut short may take to come to rest at the end.
const REST: Duration = Duration::from_secs(2);

/// How often a run that ends is looked at for a new receipt, at least.
const STALL_LOOK: Duration = Duration::from_secs(1);

/// How long a run that is to end goes without a new receipt, unless told otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The archiver's own lock, under a name that no stream can have.
pub(crate) const LOCK_FILE: &str = ".lock";

/// Why uploads are paused until the store has answered for the first time.
const STARTING: &str = "starting: the store has not been seen to keep evidence yet";

/// How long to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until a signal.
    Stopped,
    /// Until the spool is drained, or for so long without a new receipt.
    Drained {
        /// Without a new receipt.
        timeout: Duration,
    },
}

/// Uploads what is in the spool. Returns the exit code.
///
/// # Errors
/// [`StartError`]: nothing was uploaded.
pub fn run(config: &Config, until: Until) -> Result<u8, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let spool = Spool::open(&config.spool)?;
    let _lock = Lock::take_in(spool.receipts(), LOCK_FILE, &spool.receipts_path())?;
    spool.close_receipts()?;
    if let Err(error) = spool.sweep() {
        tracing::warn!("what an earlier run left cannot be swept: {error}");
    }
    let done = runtime.block_on(archive(config, spool, until));
    runtime.shutdown_timeout(REST);
    done
}

async fn archive(config: &Config, spool: Spool, until: Until) -> Result<u8, StartError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let health = Arc::new(Health::new(&config.store, host::clock::now()));
    let gate = Arc::new(Gate::default());
    // What an earlier run left must not be taken for this one's.
    gate.close(Cause::Starting, STARTING, Duration::ZERO);
    let mut reporter = Reporter::new(Arc::clone(&health), Arc::clone(&gate), spool.clone());
    let mut runs = Runs::new();
    let known = (Arc::clone(&health), Arc::clone(&gate));
    let done = tokio::select! {
        done = work(config, spool, until, known, &mut runs) => Some(done),
        () = reporter.report() => Some(Ok(replaced(config))),
        () = stalled(&health, until) => Some(Ok(give_up(&health, &gate))),
        // Wherever an upload is cut short, the next start sends the same bytes again.
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    // A task that meets the end of the runtime while it works panics. One that hangs longer than this does not work.
    let ended = tokio::time::timeout(REST, runs.shutdown()).await;
    if ended.is_err() {
        tracing::warn!("an upload does not come to rest");
    }
    let Some(done) = done else {
        // The status stays as it was written last: a spool that hangs must not keep the process.
        return Ok(stopped(until));
    };
    if let Err(refused) = &done {
        gate.close(refused.cause(), &refused.to_string(), Duration::ZERO);
    }
    reporter.finish();
    done
}

/// Opens the store, sees that it keeps evidence, and uploads.
async fn work(
    config: &Config,
    spool: Spool,
    until: Until,
    (health, gate): (Arc<Health>, Arc<Gate>),
    runs: &mut Runs,
) -> Result<u8, StartError> {
    let options = StoreOptions {
        force_path_style: config.force_path_style,
        ..StoreOptions::default()
    };
    let terms = Terms {
        max_retention_s: config.max_retention_s,
        retry_held: config.retry_held,
        once: until != Until::Stopped,
    };
    let store = store::open(&config.store, &options).await?;
    if let Err(error) = store.sweep().await {
        tracing::warn!("what an earlier run left cannot be swept: {error}");
    }
    health.note_clock(admit(&store, terms, &gate).await?);
    let uploader = Uploader::new(store, spool.clone(), terms).behind(gate);
    let shared = Arc::new(Shared {
        uploader,
        spool,
        health,
    });
    tracing::info!(store = config.store, spool = %config.spool.display(), "archiving");
    Ok(if terms.once {
        let progress = drain_progress::show(Arc::clone(&shared));
        let done = Scheduler::new(shared, runs).drain().await;
        progress.finish().await;
        done
    } else {
        Scheduler::new(shared, runs).serve(config.poll).await
    })
}

/// Comes back once a run that is to end has had no new receipt for its time-out.
async fn stalled(health: &Health, until: Until) {
    let Until::Drained { timeout } = until else {
        return std::future::pending().await;
    };
    let (mut receipts, mut since) = (health.totals().batches, Instant::now());
    while since.elapsed() < timeout {
        tokio::time::sleep(timeout.min(STALL_LOOK)).await;
        let now = health.totals().batches;
        if now != receipts {
            (receipts, since) = (now, Instant::now());
        }
    }
}

/// Ends a run that does not come on, and says what it leaves.
fn give_up(health: &Health, gate: &Gate) -> u8 {
    tracing::error!("no new receipt for as long as --timeout allows: not finished");
    for what in health.what_waits(&gate.troubles(), host::clock::now()) {
        tracing::error!("not finished: {what}");
    }
    exit::UNFINISHED
}

/// Ends a run whose half of the spool nobody sees any longer; the next start judges what stands there now.
fn replaced(config: &Config) -> u8 {
    let receipts = config.spool.join(RECEIPTS);
    tracing::error!(
        "{}: another folder stands here since the archiver started; start it again",
        receipts.display()
    );
    exit::UNFINISHED
}

/// A run that was to drain the spool and was stopped has not finished.
fn stopped(until: Until) -> u8 {
    tracing::info!("stopped by a signal");
    match until {
        Until::Stopped => exit::CLEAN,
        Until::Drained { .. } => exit::UNFINISHED,
    }
}
