//! One run of the archiver: the spool is locked, the store admitted, the streams scheduled, until all is
//! uploaded or a signal comes.

mod admit;
mod drain_progress;
mod scheduler;
mod start_error;
mod worker;

use crate::config::Config;
use crate::health::Health;
use crate::spool::Spool;
use crate::upload::{Terms, Uploader};
use admit::admit;
use host::disk;
use host::exit;
use host::lock::Lock;
use scheduler::Scheduler;
use std::sync::Arc;
use std::time::Duration;
use store::StoreOptions;
use tokio::signal::unix::{SignalKind, signal};
use worker::Shared;

pub use start_error::StartError;

/// How long an upload that was cut short may take to come to rest at the end.
const REST: Duration = Duration::from_secs(2);

/// The archiver's own lock, under a name that no stream can have.
pub(crate) const LOCK_FILE: &str = ".lock";

/// Why uploads are paused until the store has answered for the first time.
const STARTING: &str = "starting: the store has not been seen to keep evidence yet";

/// Uploads what is in the spool: with `once` until it is drained, else until a signal. Returns the exit
/// code.
///
/// # Errors
/// [`StartError`]: nothing was uploaded.
pub fn run(config: &Config, once: bool) -> Result<u8, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let spool = Spool::open(&config.spool)?;
    let _lock = Lock::take(&spool.receipts().join(LOCK_FILE))?;
    disk::sweep_temporaries(&spool.receipts())?;
    let done = runtime.block_on(archive(config, spool, once));
    runtime.shutdown_timeout(REST);
    done
}

async fn archive(config: &Config, spool: Spool, once: bool) -> Result<u8, StartError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let options = StoreOptions {
        force_path_style: config.force_path_style,
        ..StoreOptions::default()
    };
    let terms = Terms {
        max_retention_s: config.max_retention_s,
        retry_held: config.retry_held,
        once,
    };
    let work = async {
        let health = Health::new(&config.store, host::clock::now());
        let save = |held| health.save(&spool.receipts(), held);
        // What an earlier run left must not be taken for this one's.
        save(Some(STARTING.into()));
        let opened = store::open(&config.store, &options).await;
        let store = opened.inspect_err(|fault| save(Some(fault.to_string())))?;
        admit(&store, terms, save).await?;
        let shared = Arc::new(Shared {
            uploader: Uploader::new(store, spool.clone(), terms),
            spool,
            health,
        });
        tracing::info!(store = config.store, spool = %config.spool.display(), "archiving");
        Ok(if once {
            let progress = drain_progress::show(Arc::clone(&shared));
            let done = Scheduler::new(shared).drain().await;
            progress.finish().await;
            done
        } else {
            Scheduler::new(shared).serve(config.poll).await
        })
    };
    tokio::select! {
        done = work => done,
        // Wherever an upload is cut short, the next start sends the same bytes again.
        _ = terminate.recv() => Ok(stopped(once)),
        _ = interrupt.recv() => Ok(stopped(once)),
    }
}

/// A run that was to drain the spool and was stopped has not finished.
fn stopped(once: bool) -> u8 {
    tracing::info!("stopped by a signal");
    if once { exit::UNFINISHED } else { exit::CLEAN }
}
