//! `holdfast archive`: the edge. Here alone clocks, signals and the terminal are asked; streams are
//! uploaded side by side, each in its own order.

mod progress;
mod turn;

use crate::cli::ArchiveArgs;
use crate::config::Config;
use crate::health::{Health, STATUS_FILE};
use crate::retry::{Ruling, rule};
use crate::spool::Spool;
use crate::store::{SetupFault, Store, StoreOptions};
use crate::upload::{Terms, Uploader};
use host::disk;
use host::exit;
use host::lock::{Lock, LockError};
use ledger::name::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::Instant;
use turn::{Archive, End, Stream};

/// Streams uploaded at once: each holds one batch, of at most about 25 MiB, in memory.
const SIDE_BY_SIDE: usize = 8;

/// Shortest time between two writes of the status file.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// How long an upload that was cut short may take to come to rest at the end.
const REST: Duration = Duration::from_secs(2);

/// The archiver's own lock, under a name that no stream can have.
const LOCK_FILE: &str = ".lock";

/// Why archiving did not begin.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Config(#[from] host::settings::SettingsError),
    #[error("{0}; expected a spool made by `holdfast-agent init`, which this user may read")]
    Spool(io::Error),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Open(#[from] crate::store::OpenError),
    #[error(transparent)]
    Setup(SetupFault),
    #[error("held: {0}")]
    Held(SetupFault),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    fn exit(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Spool(_) | Self::Open(_) | Self::Setup(_) => exit::USAGE,
            Self::Lock(_) | Self::Held(_) | Self::System(_) => exit::UNFINISHED,
        }
    }
}

/// Runs the command; its exit code.
#[must_use]
pub fn run(args: &ArchiveArgs) -> u8 {
    let done = start(args).unwrap_or_else(|error| {
        crate::complain(&error);
        error.exit()
    });
    tracing::debug!(exit = done, "done");
    done
}

fn start(args: &ArchiveArgs) -> Result<u8, StartError> {
    let config = Config::read(&args.config)?;
    let spool = Spool::open(&config.spool).map_err(StartError::Spool)?;
    let _lock = Lock::take(&spool.receipts().join(LOCK_FILE))?;
    disk::sweep_temporaries(&spool.receipts())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(archive(&config, spool, args.once));
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
        let store = crate::store::open(&config.store, &options).await?;
        check(&store, terms).await?;
        let health = Health::new(store.url(), host::clock::now());
        let archive = Arc::new(Archive {
            uploader: Uploader::new(store, spool.clone(), terms),
            spool,
            health,
        });
        tracing::info!(store = config.store, spool = %config.spool.display(), "archiving");
        Ok(if once {
            let progress = progress::show(Arc::clone(&archive));
            let done = Board::new(archive).drain().await;
            progress.finish();
            done
        } else {
            Board::new(archive).serve(config.poll).await
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

/// Sees that the store is set up to keep evidence, before anything is sent to it. An outage is
/// waited for; a store that is not set up is refused.
async fn check<S: Store>(store: &S, terms: Terms) -> Result<(), StartError> {
    let mut failures = 0;
    loop {
        let fault = match store.check().await {
            Ok(()) => return Ok(()),
            Err(fault) => fault,
        };
        let SetupFault::Unknown { cause, .. } = &fault else {
            return Err(StartError::Setup(fault));
        };
        let roll = getrandom::u64().unwrap_or_default();
        let wait = match rule(cause, failures, roll, terms.retry_held) {
            Ruling::Again(wait) | Ruling::Recheck(wait) => wait,
            Ruling::Hold(..) if terms.once => return Err(StartError::Held(fault)),
            Ruling::Hold(_, wait) => wait,
        };
        tracing::error!(?wait, "everything is held: {fault}");
        failures += 1;
        tokio::time::sleep(wait).await;
    }
}

/// Which streams have a turn, wait for one, or rest.
struct Board<S> {
    archive: Arc<Archive<S>>,
    /// Streams that have no turn now.
    idle: BTreeMap<Name, Stream>,
    /// Held streams, and until when they rest: for good in a run that ends.
    resting: BTreeMap<Name, Option<Instant>>,
    queue: VecDeque<Name>,
    turns: JoinSet<(Stream, u64, End)>,
    /// Streams that have a turn.
    running: BTreeSet<Name>,
    status_written: Option<Instant>,
    /// The spool could not be listed the last time.
    is_blind: bool,
}

impl<S: Store + 'static> Board<S> {
    fn new(archive: Arc<Archive<S>>) -> Self {
        Self {
            archive,
            idle: BTreeMap::new(),
            resting: BTreeMap::new(),
            queue: VecDeque::new(),
            turns: JoinSet::new(),
            running: BTreeSet::new(),
            status_written: None,
            is_blind: false,
        }
    }

    /// Gives turns until the process ends.
    async fn serve(mut self, poll: Duration) -> u8 {
        let mut ticks = tokio::time::interval(poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.enqueue_idle(),
                Some(Ok((stream, _, end))) = self.turns.join_next() => {
                    let rest = self.archive.uploader.terms().retry_held;
                    self.end_turn(stream, end, Some(Instant::now() + rest));
                }
            }
            self.start_turns();
            self.write_status(STATUS_EVERY);
        }
    }

    /// Gives turns until a whole round uploads nothing; the exit code.
    async fn drain(mut self) -> u8 {
        let mut done = exit::CLEAN;
        loop {
            let mut uploaded = 0;
            self.enqueue_idle();
            self.start_turns();
            while let Some(Ok((stream, count, end))) = self.turns.join_next().await {
                uploaded += count;
                match end {
                    End::Held { damaged: true } => done = exit::DAMAGED,
                    End::Held { damaged: false } if done == exit::CLEAN => done = exit::UNFINISHED,
                    End::Held { .. } | End::Drained | End::More => {}
                }
                self.end_turn(stream, end, None);
                self.start_turns();
                self.write_status(STATUS_EVERY);
            }
            if uploaded == 0 {
                self.write_status(Duration::ZERO);
                return done;
            }
        }
    }

    fn end_turn(&mut self, stream: Stream, end: End, rest_until: Option<Instant>) {
        let name = stream.name.clone();
        self.running.remove(&name);
        self.idle.insert(name.clone(), stream);
        match end {
            End::Drained => {}
            End::More => self.queue.push_back(name),
            End::Held { .. } => {
                self.resting.insert(name, rest_until);
            }
        }
    }

    /// Puts every stream that has no turn and does not rest in the queue.
    fn enqueue_idle(&mut self) {
        match block_in_place(|| self.archive.spool.streams()) {
            Ok(streams) => {
                self.is_blind = false;
                for name in streams {
                    if !self.running.contains(&name) {
                        let stream = || Stream::new(name.clone());
                        self.idle.entry(name.clone()).or_insert_with(stream);
                    }
                }
            }
            Err(error) if !self.is_blind => {
                self.is_blind = true;
                tracing::error!("the spool can't be listed: {error}; trying again");
            }
            Err(_) => {}
        }
        let now = Instant::now();
        self.resting
            .retain(|_, until| until.is_none_or(|until| until > now));
        for name in self.idle.keys() {
            if !self.resting.contains_key(name) && !self.queue.contains(name) {
                self.queue.push_back(name.clone());
            }
        }
    }

    fn start_turns(&mut self) {
        while self.turns.len() < SIDE_BY_SIDE {
            let Some(mut stream) = self
                .queue
                .pop_front()
                .and_then(|name| self.idle.remove(&name))
            else {
                return;
            };
            self.running.insert(stream.name.clone());
            let archive = Arc::clone(&self.archive);
            self.turns.spawn(async move {
                let (uploaded, end) = archive.turn(&mut stream).await;
                (stream, uploaded, end)
            });
        }
    }

    /// Writes the status file, if that is due and it has something new to say.
    fn write_status(&mut self, every: Duration) {
        if self.status_written.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        let Some(bytes) = self
            .archive
            .health
            .to_write(self.archive.uploader.gate.why())
        else {
            return;
        };
        self.status_written = Some(Instant::now());
        let receipts = self.archive.spool.receipts();
        let written = block_in_place(|| disk::write_durable(&receipts, STATUS_FILE, &bytes));
        if let Err(error) = written {
            tracing::warn!("{}/{STATUS_FILE}: {error}", receipts.display());
        }
    }
}

#[cfg(test)]
mod tests;
