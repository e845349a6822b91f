//! The agent as a whole: files are followed, batches sealed, the spool kept in order.
//!
//! The edge: clocks are read here, all below takes time as an argument. One thread does it all, so
//! a source's position, its batch and its chain can never disagree.

mod backpressure;
mod intake;
mod scan_pace;
mod startup;
pub(crate) mod status_file;
mod stream;
mod streams;
mod upkeep;
pub(crate) mod wake;

use crate::agent::wake::Waker;
use crate::bounds::{RETRY_MAX, RETRY_MIN, STOP_MAX};
use crate::config::Config;
use crate::now::{Now, millis};
use crate::read::buffer::ReadBuffer;
use crate::recovery::snapshot::Snapshots;
use crate::sealing::seal_error::SealError;
use crate::sealing::sealer::Sealer;
use crate::sealing::stream_state::SealedState;
use crate::spool::Spool;
use crate::track::{Mode, Tracker};
use host::clock;
use host::lock::Lock;
use host::progress::Progress;
use scan_pace::Look;
pub use startup::RunError;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stream::Stream;
use upkeep::Upkeep;

/// Looks of a drain at all files, whatever is left undecided then.
const DRAIN_LOOKS_MAX: usize = 8;

/// Asks a running agent to stop: it seals what it has read and says `stop`.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks. A sleeping agent looks within one poll interval.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for a signal handler.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// What an agent that ended by itself or was asked to did not get done, each for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfinished(pub Vec<String>);

/// A running agent.
pub struct Agent {
    config: Config,
    sealer: Sealer,
    spool: Spool,
    snapshots: Snapshots,
    tracker: Tracker,
    streams: Vec<Stream>,
    /// Whose turn to be read it is.
    next_stream: usize,
    closed: Vec<SealedState>,
    buffer: ReadBuffer,
    retry: Option<Retry>,
    upkeep: Upkeep,
    troubles: BTreeMap<String, Trouble>,
    started: Now,
    progress: Progress,
    #[expect(dead_code, reason = "held as long as the agent lives")]
    lock: Lock,
}

/// What keeps a file or a pattern from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// No file matches.
    Unmatched,
    /// What the system said.
    Unreadable(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmatched => f.write_str("matches no file yet; it waits"),
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// The spool could not be written: nothing is read until it is tried again.
#[derive(Debug)]
struct Retry {
    wait: Duration,
    at_boot_ms: u64,
    why: String,
}

impl Agent {
    /// Follows the files until asked to stop.
    ///
    /// # Errors
    /// [`RunError`]: it had to end by itself; a restart goes on from what is sealed.
    pub fn run(&mut self, stop: &Stop) -> Result<Unfinished, RunError> {
        let mut waker = Waker::new();
        let mut look = Look::default();
        tracing::info!(
            agent = %self.config.agent,
            streams = self.streams.len(),
            spool = %self.config.spool.display(),
            "following"
        );
        while !stop.is_asked() {
            let now = Now::read();
            if look.is_due(now, self.config.poll) {
                self.scan(now);
                waker.watch(self.tracker.folders());
                look.done(now, clock::boot_ms());
            }
            let took = self.turn(Mode::Follow)?;
            self.keep_up(now)?;
            if !took && !stop.is_asked() {
                let longest = self.idle_for(now).min(look.wait(now, self.config.poll));
                if look.woken {
                    // One change is enough to look again; more of them must not keep it awake.
                    waker.pause(longest);
                } else {
                    look.woken = waker.sleep(longest);
                }
            }
        }
        self.finish()
    }

    /// One pass over what is there, unfinished last lines included; then it stops.
    ///
    /// # Errors
    /// As [`Agent::run`].
    pub fn drain(&mut self) -> Result<Unfinished, RunError> {
        self.tracker.wait_no_longer();
        let mut begun = None;
        for look in 1..=DRAIN_LOOKS_MAX {
            let undecided = self.scan(Now::read());
            self.tell_progress(&mut begun);
            loop {
                while self.turn(Mode::Drain)? {
                    self.keep_up(Now::read())?;
                    self.tell_progress(&mut begun);
                }
                // A full spool may hold what has long been in the store.
                let full = self.streams.iter().any(|stream| stream.full);
                if !full || !self.delete_old(Now::read()) {
                    break;
                }
            }
            // A second look in any case, for a rotation that the first look fell into.
            if look >= 2 && undecided == 0 {
                break;
            }
        }
        self.progress = Progress::default();
        let mut unfinished = self.undone();
        unfinished.0.extend(self.finish()?.0);
        Ok(unfinished)
    }

    /// Has `drain` tell how far it is.
    pub fn show(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// Tells how many of the bytes that were to be read are. `begun`: what had been read before.
    fn tell_progress(&self, begun: &mut Option<u64>) {
        if !self.progress.is_shown() {
            return;
        }
        let sources = self.tracker.status();
        let read = sources.iter().map(|source| source.read).sum();
        let size: u64 = sources.iter().map(|source| source.size).sum();
        let begun = *begun.get_or_insert(read);
        self.progress.expect(size.saturating_sub(begun));
        self.progress.reach(read.saturating_sub(begun));
    }

    /// Seals what is read and says `stop`, in a bounded time.
    fn finish(&mut self) -> Result<Unfinished, RunError> {
        let until = clock::boot_ms().saturating_add(millis(STOP_MAX));
        let mut unfinished = Unfinished::default();
        // The first stream comes last: its heartbeat says where the others ended.
        for index in (0..self.streams.len()).rev() {
            if clock::boot_ms() > until {
                let name = &self.streams[index].name;
                unfinished
                    .0
                    .push(format!("stream {name}: no time left to say stop"));
            } else if let Some(why) = self.stop_stream(index)? {
                unfinished.0.push(why);
            }
        }
        self.save(Now::read());
        self.write_status(Now::read(), false);
        Ok(unfinished)
    }

    /// Looks at all files; how many of them a further look will judge.
    fn scan(&mut self, now: Now) -> usize {
        let report = self.tracker.scan(now);
        let mut troubles = BTreeMap::new();
        for pattern in report.unmatched {
            troubles.insert(pattern, Trouble::Unmatched);
        }
        for (path, what) in report.faults {
            troubles.insert(path.display(), Trouble::Unreadable(what));
        }
        for source in self.tracker.status() {
            if let Some(fault) = source.fault {
                troubles.insert(source.path.display(), Trouble::Unreadable(fault));
            }
        }
        for (path, trouble) in &troubles {
            if self.troubles.get(path) != Some(trouble) {
                tracing::warn!(%path, "{trouble}");
            }
        }
        for path in self.troubles.keys() {
            if !troubles.contains_key(path) {
                tracing::info!(%path, "is well again");
            }
        }
        self.upkeep.changed |= self.troubles != troubles;
        self.troubles = troubles;
        report.undecided
    }

    /// What a drain leaves undone, and why.
    fn undone(&self) -> Unfinished {
        let mut undone = Vec::new();
        for (path, trouble) in &self.troubles {
            if let Trouble::Unreadable(why) = trouble {
                undone.push(format!("{path}: {why}"));
            }
        }
        for source in self.tracker.status() {
            let left = source.size.saturating_sub(source.read);
            if left > 0 && source.fault.is_none() && source.stream.is_some() {
                undone.push(format!("{}: {left} bytes not read", source.path.display()));
            }
        }
        for stream in &self.streams {
            let name = &stream.name;
            match &stream.hold {
                Some(hold) => undone.push(format!(
                    "stream {name}: held at {}: {}",
                    hold.slot, hold.why
                )),
                None if stream.full => undone.push(format!("stream {name}: the spool is full")),
                None => {}
            }
        }
        undone.extend(self.retry.as_ref().map(|retry| retry.why.clone()));
        Unfinished(undone)
    }

    /// The spool cannot be written: reading stops until it is tried again.
    fn back_off(&mut self, why: &SealError, now: Now) {
        let wait = self
            .retry
            .as_ref()
            .map_or(RETRY_MIN, |retry| retry.wait * 2);
        let wait = wait.min(RETRY_MAX);
        let why = why.to_string();
        tracing::error!(
            ?wait,
            "cannot seal, reading stops, every place is kept: {why}"
        );
        self.retry = Some(Retry {
            wait,
            at_boot_ms: now.boot_ms.saturating_add(millis(wait)),
            why,
        });
        self.upkeep.changed = true;
    }
}

#[cfg(test)]
mod agent_tests;
