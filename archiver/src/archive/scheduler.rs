//! The scheduler: which stream's worker runs when. Workers run side by side, each stream in its own order;
//! held streams rest.

use super::worker::{RunEnd, Shared, Worker};
use crate::health::HoldKind;
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

/// How often in a row a run that ends may fail to see what is in the spool before it ends unfinished.
const BLIND_MAX: u32 = 3;

/// How long it waits before it looks again; the longest rest of a stream that could not be read, too.
const BLIND_REST: Duration = Duration::from_secs(1);

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
            is_unlisted: false,
        }
    }

    /// Runs workers until the process ends.
    pub(super) async fn serve(mut self, poll: Duration) -> u8 {
        let mut ticks = tokio::time::interval(poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.enqueue_idle();
                }
                Some(Ok((worker, _, end))) = self.runs.join_next() => {
                    let held = self.shared.uploader.terms().retry_held;
                    let rest = match end {
                        RunEnd::Held(HoldKind::Unreadable) => held.min(BLIND_REST),
                        _ => held,
                    };
                    self.end_run(worker, end, Some(Instant::now() + rest));
                }
            }
            self.start_runs();
        }
    }

    /// Runs workers until a whole pass over the streams uploads nothing; the exit code. A pass in which something
    /// could not be looked at proves nothing: it is made again, and after [`BLIND_MAX`] of them in a row the run
    /// ends unfinished.
    pub(super) async fn drain(mut self) -> u8 {
        let mut done = exit::CLEAN;
        let mut blind = 0;
        loop {
            let mut uploaded = 0;
            let mut all_seen = self.enqueue_idle();
            self.start_runs();
            while let Some(Ok((worker, count, end))) = self.runs.join_next().await {
                uploaded += count;
                match end {
                    RunEnd::Held(HoldKind::Unreadable) => all_seen = false,
                    RunEnd::Held(kind) if kind.is_damage() => done = exit::DAMAGED,
                    RunEnd::Held(_) if done == exit::CLEAN => done = exit::UNFINISHED,
                    RunEnd::Held(_) | RunEnd::Drained | RunEnd::More => {}
                }
                self.end_run(worker, end, None);
                self.start_runs();
            }
            if uploaded > 0 {
                blind = 0;
                continue;
            }
            if all_seen {
                return done;
            }
            blind += 1;
            if blind >= BLIND_MAX {
                // Damage that was seen is worse than what was not seen.
                return if done == exit::CLEAN {
                    exit::UNFINISHED
                } else {
                    done
                };
            }
            tokio::time::sleep(BLIND_REST).await;
        }
    }

    fn end_run(&mut self, worker: Worker, end: RunEnd, rest_until: Option<Instant>) {
        let name = worker.stream.clone();
        self.running.remove(&name);
        self.idle.insert(name.clone(), worker);
        match end {
            RunEnd::Drained => {}
            RunEnd::More => self.queue.push_back(name),
            // In a run that ends it is the next pass that looks again.
            RunEnd::Held(HoldKind::Unreadable) if rest_until.is_none() => {}
            RunEnd::Held(_) => {
                self.resting.insert(name, rest_until);
            }
        }
    }

    /// Queues every stream whose worker neither runs nor rests; whether the spool could be listed.
    fn enqueue_idle(&mut self) -> bool {
        let listed = block_in_place(|| self.shared.spool.streams());
        let is_listed = listed.is_ok();
        match listed {
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
        is_listed
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
}

#[cfg(test)]
mod tests;
