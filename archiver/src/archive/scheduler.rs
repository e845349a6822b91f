//! The scheduler: which stream's worker runs when. Workers run side by side, each stream in its own order;
//! held streams rest.

use super::worker::{RunEnd, Shared, Worker};
use host::exit;
use ledger::name::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::Instant;

/// Streams uploaded at once: each holds one batch, of at most about 25 MiB, in memory.
const SIDE_BY_SIDE: usize = 8;

/// Shortest time between two writes of the status file.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// Which streams' workers run, are queued, or rest.
pub(super) struct Scheduler<S> {
    shared: Arc<Shared<S>>,
    /// Workers that do not run now, queued and resting ones included.
    idle: BTreeMap<Name, Worker>,
    /// Held streams, and until when they rest: `None` is for good, in a run that ends.
    resting: BTreeMap<Name, Option<Instant>>,
    queue: VecDeque<Name>,
    runs: JoinSet<(Worker, u64, RunEnd)>,
    /// Streams whose worker runs now.
    running: BTreeSet<Name>,
    status_written: Option<Instant>,
    /// The spool could not be listed the last time: told once.
    is_unlisted: bool,
}

impl<S: Store + 'static> Scheduler<S> {
    pub(super) fn new(shared: Arc<Shared<S>>) -> Self {
        Self {
            shared,
            idle: BTreeMap::new(),
            resting: BTreeMap::new(),
            queue: VecDeque::new(),
            runs: JoinSet::new(),
            running: BTreeSet::new(),
            status_written: None,
            is_unlisted: false,
        }
    }

    /// Runs workers until the process ends.
    pub(super) async fn serve(mut self, poll: Duration) -> u8 {
        let mut ticks = tokio::time::interval(poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.enqueue_idle(),
                Some(Ok((worker, _, end))) = self.runs.join_next() => {
                    let rest = self.shared.uploader.terms().retry_held;
                    self.end_run(worker, end, Some(Instant::now() + rest));
                }
            }
            self.start_runs();
            self.write_status(STATUS_EVERY);
        }
    }

    /// Runs workers until a whole pass over the streams uploads nothing; the exit code.
    pub(super) async fn drain(mut self) -> u8 {
        let mut done = exit::CLEAN;
        loop {
            let mut uploaded = 0;
            self.enqueue_idle();
            self.start_runs();
            while let Some(Ok((worker, count, end))) = self.runs.join_next().await {
                uploaded += count;
                match end {
                    RunEnd::Held { damaged: true } => done = exit::DAMAGED,
                    RunEnd::Held { damaged: false } if done == exit::CLEAN => {
                        done = exit::UNFINISHED
                    }
                    RunEnd::Held { .. } | RunEnd::Drained | RunEnd::More => {}
                }
                self.end_run(worker, end, None);
                self.start_runs();
                self.write_status(STATUS_EVERY);
            }
            if uploaded == 0 {
                self.write_status(Duration::ZERO);
                return done;
            }
        }
    }

    fn end_run(&mut self, worker: Worker, end: RunEnd, rest_until: Option<Instant>) {
        let name = worker.stream.clone();
        self.running.remove(&name);
        self.idle.insert(name.clone(), worker);
        match end {
            RunEnd::Drained => {}
            RunEnd::More => self.queue.push_back(name),
            RunEnd::Held { .. } => {
                self.resting.insert(name, rest_until);
            }
        }
    }

    /// Queues every stream whose worker neither runs nor rests.
    fn enqueue_idle(&mut self) {
        match block_in_place(|| self.shared.spool.streams()) {
            Ok(streams) => {
                self.is_unlisted = false;
                for name in streams {
                    if !self.running.contains(&name) {
                        let worker = || Worker::new(name.clone());
                        self.idle.entry(name.clone()).or_insert_with(worker);
                    }
                }
            }
            Err(error) if !self.is_unlisted => {
                self.is_unlisted = true;
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

    fn start_runs(&mut self) {
        while self.runs.len() < SIDE_BY_SIDE {
            let Some(mut worker) = self
                .queue
                .pop_front()
                .and_then(|name| self.idle.remove(&name))
            else {
                return;
            };
            self.running.insert(worker.stream.clone());
            let shared = Arc::clone(&self.shared);
            self.runs.spawn(async move {
                let (uploaded, end) = shared.run(&mut worker).await;
                (worker, uploaded, end)
            });
        }
    }

    /// Writes the status file, if that is due and it has something new to say.
    fn write_status(&mut self, every: Duration) {
        if self.status_written.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        let shared = &self.shared;
        let why = shared.uploader.gate.trouble();
        block_in_place(|| shared.health.save(&shared.spool.receipts(), why));
        self.status_written = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests;
