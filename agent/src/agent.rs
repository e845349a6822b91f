//! The agent as a whole: files are followed, batches sealed, the spool kept in order.
//!
//! One thread does it all, so a source's position, its batch and its stream's state can never
//! disagree. Together with the commands this is the edge: it reads the clock, all else is told.

pub(crate) mod status_file;
pub(crate) mod wake;

mod agent_health;
mod descriptor_pressure;
mod overdue;

mod spool_retry;
mod stream;
mod streams;

mod backpressure;
mod due;
pub(crate) mod heads;
mod intake;
mod line_budget;

mod resuming;
mod scan_pace;
mod standing;
mod startup;
mod upkeep;

pub use self::startup::RunError;

use self::backpressure::check_room;
use self::due::Waits;
use self::intake::Intake;
use self::scan_pace::ScanPace;
use self::standing::{Circumstances, Standing};
use self::startup::Started;
use self::status_file::AgentStatus;
use self::streams::Streams;
use self::upkeep::Upkeep;
use self::wake::Waker;
use crate::bounds::STOP_MAX;
use crate::config::Config;
use crate::now::{Now, millis};
use crate::track::Mode;
use crate::track::scan::ScanReport;
use host::lock::Lock;
use host::progress::Progress;
use ledger::signature::Key;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Scans of a drain, whatever is left undecided then.
const DRAIN_SCANS_MAX: usize = 8;

/// Further scans that only pass a part of large packed files: 128 GiB of their content, at least.
const DRAIN_PASSES_MAX: usize = 4096;

/// Asks a running agent to stop: it seals what it has read and says `stop`.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks. A sleeping agent sees it within one poll interval.
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
    waits: Waits,
    streams: Streams,
    intake: Intake,
    upkeep: Upkeep,
    standing: Standing,
    /// Why `status.json` could not be written last.
    status_fault: Option<String>,
    started: Now,
    progress: Progress,
    #[expect(dead_code, reason = "held as long as the agent lives")]
    lock: Lock,
}

impl Agent {
    /// Takes spool and state, finds out where everything stands, and says `start`.
    ///
    /// # Errors
    /// Something that it needs is not there, not readable, or another agent's.
    pub fn open(config: &Config) -> Result<Self, RunError> {
        let Started {
            streams,
            upkeep,
            started,
            lock,
        } = startup::start(config)?;
        let waits = Waits::of(config);
        let mut agent = Self {
            config: config.clone(),
            waits,
            streams,
            intake: Intake::new(waits),
            upkeep,
            standing: Standing::default(),
            status_fault: None,
            started,
            progress: Progress::default(),
            lock,
        };
        agent.begin()?;
        Ok(agent)
    }

    /// Follows the files until asked to stop.
    ///
    /// # Errors
    /// It had to end by itself; a restart continues from what is sealed.
    pub fn run(&mut self, stop: &Stop) -> Result<Unfinished, RunError> {
        let mut waker = Waker::new();
        let mut pace = ScanPace::default();
        tracing::info!(
            agent = %self.config.agent,
            streams = self.streams.count(),
            spool = %self.config.spool.display(),
            "following"
        );
        while !stop.is_asked() {
            let now = Now::read();
            if pace.is_due(now, self.config.poll) {
                self.scan(now);
                waker.watch(self.streams.tracker().folders());
                pace.done(now, Now::read());
            }
            let took = self.turn(Mode::Follow)? | self.keep_up(now)?;
            if !took && !stop.is_asked() {
                let longest = self.idle_for(now).min(pace.wait(now, self.config.poll));
                if pace.woken {
                    // One change is enough to scan again; more of them must not keep it awake.
                    waker.pause(longest);
                } else {
                    pace.woken = waker.sleep(longest);
                }
            }
        }
        self.finish(None)
    }

    /// One pass over what is there, unfinished last lines included; then it stops.
    ///
    /// # Errors
    /// As [`Agent::run`].
    pub fn drain(&mut self) -> Result<Unfinished, RunError> {
        self.streams.tracker_mut().wait_no_longer();
        let mut begun = None;
        let (mut scan, mut passes, mut unopened) = (0, 0, 0);
        while scan < DRAIN_SCANS_MAX && passes < DRAIN_PASSES_MAX {
            let report = self.scan(Now::read());
            unopened = report.unopened;
            // A large packed file takes many scans, and each passes a part of it.
            scan += usize::from(report.passing == 0);
            passes += usize::from(report.passing > 0);
            self.tell_progress(&mut begun);
            loop {
                while self.turn(Mode::Drain)? | self.keep_up(Now::read())? {
                    self.tell_progress(&mut begun);
                }
                // A full spool may hold what has long been in the store.
                let full = self.streams.any_is_full();
                if !full || !self.upkeep.delete_old(&mut self.streams, Now::read()) {
                    break;
                }
            }
            // A second scan in any case, for a rotation that the first one fell into.
            if scan >= 2 && report.undecided == 0 {
                break;
            }
        }
        self.progress = Progress::default();
        let mut unfinished = self.standing.undone(&self.streams);
        if unopened > 0 {
            unfinished.push(format!("{unopened} files not opened: too many open files"));
        }
        unfinished.extend(self.finish(None)?.0);
        Ok(Unfinished(unfinished))
    }

    /// The line by which auditors will know the key that [`Agent::rotate_key`] goes over to. It is to be told first:
    /// whatever ends a rotation, nothing is signed by a key that nobody was told of.
    ///
    /// # Errors
    /// The key cannot be made.
    pub(crate) fn next_key_line(&mut self) -> Result<String, RunError> {
        let (_, line) = self.streams.keys_mut().begin(&self.config.agent)?;
        Ok(line)
    }

    /// Goes over to a new signing key, in every stream: the old key's last manifest names it. Where something is in
    /// the way, which is returned, the new key has not taken the old one's place, and it can be run again.
    ///
    /// # Errors
    /// As [`Agent::run`].
    pub(crate) fn rotate_key(mut self) -> Result<Unfinished, RunError> {
        let (next, _) = self.streams.keys_mut().begin(&self.config.agent)?;
        // A stream that has gone over before a crash says it once.
        let mut unfinished = Unfinished::default();
        for index in 0..self.streams.count() {
            let stream = self.streams.get(index);
            let said = stream.next().next_key() == Some(next);
            let why =
                self.streams
                    .stop_stream(&self.config.agent, index, (!said).then_some(next))?;
            unfinished.0.extend(why);
            let stream = self.streams.get(index);
            if stream.next().next_key() != Some(next) {
                let name = stream.name();
                unfinished
                    .0
                    .push(format!("stream {name} has not gone over to the new key"));
            }
        }
        self.upkeep.save(&mut self.streams, Now::read());
        self.write_status(Now::read(), false);
        if unfinished.0.is_empty() {
            self.streams.into_keys().finish()?;
        }
        Ok(unfinished)
    }

    /// Has `drain` tell how far it is.
    pub fn show(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// Says what a start has to say, or leaves it for when there is room.
    fn begin(&mut self) -> Result<(), RunError> {
        // First, for the snapshot and other streams' manifests tell what is stored.
        self.upkeep.look_for_receipts(&mut self.streams);
        for index in (0..self.streams.count()).rev() {
            check_room(&mut self.streams, index)?;
        }
        self.streams.finish_leaving();
        self.upkeep.save(&mut self.streams, Now::read());
        self.write_status(Now::read(), true);
        Ok(())
    }

    fn turn(&mut self, mode: Mode) -> Result<bool, RunError> {
        Ok(self.intake.turn(&mut self.streams, mode)?)
    }

    /// Everything that is due now beside reading; whether there is more of it.
    fn keep_up(&mut self, now: Now) -> Result<bool, RunError> {
        if !self.streams.is_waiting(now) {
            self.waits.seal_due(&mut self.streams, now)?;
            self.waits.seal_pressed(&mut self.streams)?;
            self.waits.seal_heartbeats(&mut self.streams, now)?;
        }
        self.streams.finish_leaving();
        self.upkeep.keep_up(&mut self.streams, now);
        let busy = self.streams.answer(&self.config.agent, now)?;
        if self.upkeep.status_is_due(self.streams.is_changed(), now) {
            self.write_status(now, true);
        }
        Ok(busy)
    }

    /// How long an agent with nothing to read may sleep.
    fn idle_for(&self, now: Now) -> Duration {
        let due = Duration::from_millis(self.waits.due_in_ms(&self.streams, now));
        // What is due has to wait for the spool, if that cannot be written.
        let retry = self.streams.retry().and_then(|retry| retry.left(now));
        let status = self.upkeep.status_due_in(self.streams.is_changed(), now);
        upkeep::every(&self.streams)
            .min(status)
            .min(retry.unwrap_or(due))
    }

    /// Tells how many of the bytes that were to be read are. `begun`: what had been read before.
    fn tell_progress(&self, begun: &mut Option<u64>) {
        if !self.progress.is_shown() {
            return;
        }
        let sources = self.streams.tracker().status();
        let read = sources.iter().map(|source| source.read).sum();
        let size: u64 = sources.iter().map(|source| source.size).sum();
        let begun = *begun.get_or_insert(read);
        self.progress.expect(size.saturating_sub(begun));
        self.progress.reach(read.saturating_sub(begun));
    }

    /// Seals what is read and says `stop`, in a bounded time.
    fn finish(&mut self, next_key: Option<Key>) -> Result<Unfinished, RunError> {
        let until_ms = Now::read().boot_ms.saturating_add(millis(STOP_MAX));
        let mut unfinished = Unfinished::default();
        for index in 0..self.streams.count() {
            if Now::read().boot_ms > until_ms {
                let name = self.streams.get(index).name();
                unfinished
                    .0
                    .push(format!("stream {name}: no time left to say stop"));
                continue;
            }
            let agent = &self.config.agent;
            unfinished
                .0
                .extend(self.streams.stop_stream(agent, index, next_key)?);
        }
        self.upkeep.save(&mut self.streams, Now::read());
        self.write_status(Now::read(), false);
        Ok(unfinished)
    }

    /// Looks at all files.
    fn scan(&mut self, now: Now) -> ScanReport {
        let report = self.streams.tracker_mut().scan(now);
        let sources = self.streams.tracker().status();
        let streams = &self.config.streams;
        if self.standing.update(&report, &sources, streams, now) {
            self.streams.change();
        }
        report
    }

    /// Writes `status.json`. One that cannot be written is soon too old, which `status` says. Told once.
    fn write_status(&mut self, now: Now, running: bool) {
        let status = self.describe(now, running);
        self.streams.told();
        self.upkeep.status_is_told(now);
        let fault = status.write(&self.config.state).err();
        let fault = fault.map(|error| error.to_string());
        if fault != self.status_fault {
            match &fault {
                Some(error) => tracing::error!(%error, "status.json cannot be written"),
                None => tracing::info!("status.json can be written again"),
            }
        }
        self.status_fault = fault;
    }

    fn describe(&mut self, now: Now, running: bool) -> AgentStatus {
        let of = Circumstances {
            config: &self.config,
            started: self.started,
            snapshot_fault: self.upkeep.snapshot_fault(),
        };
        self.standing.describe(&of, &self.streams, now, running)
    }
}

#[cfg(test)]
mod agent_tests;
