//! Which stream has a turn: side by side, each in its own order, the held ones at rest.

use crate::worker::{Archive, End, Stream};
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

/// Which streams have a turn, wait for one, or rest.
pub(super) struct Board<S> {
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
    pub(super) fn new(archive: Arc<Archive<S>>) -> Self {
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
    pub(super) async fn serve(mut self, poll: Duration) -> u8 {
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
    pub(super) async fn drain(mut self) -> u8 {
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
        let archive = &self.archive;
        let why = archive.uploader.gate.trouble();
        block_in_place(|| archive.health.save(&archive.spool.receipts(), why));
        self.status_written = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests;
