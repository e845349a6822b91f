//! How archiving stands, for people and monitors: `receipts/.status.json`, written at least every
//! [`WRITE_EVERY`](host::health::WRITE_EVERY).
//!
//! It tells; nothing is decided by it. What is known is noted by whoever learns it; [`reasons`] judges it, purely.

mod backlog;
mod hold;

use crate::upload::gate::Trouble;
use host::folder::Folder;
use host::health::{Reason, ReasonLog, Severity, StatusHead};
use host::terminal::quoted;
use ledger::Moment;
use ledger::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use backlog::{Backlog, Growth, Waiting};
pub use hold::{Hold, HoldKind};

/// The file in the archiver's half of the spool, under a name that no stream can have.
pub const STATUS_FILE: &str = ".status.json";

/// Who writes it.
pub const PROGRAM: &str = "holdfast archive";

/// Longest file that is read: as many streams as a spool may have, and all reasons with every character spelled out.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// How archiving stands.
#[derive(Debug)]
pub struct Health(Mutex<Known>);

/// What is known of it.
#[derive(Debug)]
struct Known {
    store: String,
    started: Moment,
    uploaded: UploadTotals,
    streams: BTreeMap<Name, StreamFacts>,
    /// Why the spool could not be listed or counted at the last look.
    spool: Option<String>,
    /// How far the store's clock is from this host's, if it is far.
    clock: Option<String>,
    log: ReasonLog,
    written: Option<Status>,
}

/// What is known of one stream.
#[derive(Debug, Clone, Default)]
struct StreamFacts {
    waiting: Waiting,
    growth: Growth,
    hold: Option<Hold>,
    last_success: Option<Moment>,
    /// Its worker has seen since the last count that nothing waits.
    is_drained: bool,
}

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Health, reasons, when it was written.
    #[serde(flatten)]
    pub head: StatusHead,
    /// The store's URL.
    pub store: String,
    /// When the archiver started.
    pub started: Moment,
    /// What was uploaded since the start.
    pub uploaded: UploadTotals,
    /// The streams in the spool.
    pub streams: BTreeMap<Name, StreamStatus>,
}

/// One stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// Batches in the spool without a receipt.
    pub backlog: u64,
    /// When the oldest of them was sealed.
    pub oldest: Option<Moment>,
    /// When its last batch since the start was seen locked.
    pub last_success: Option<Moment>,
}

/// What was uploaded since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadTotals {
    /// Batches.
    pub batches: u64,
    /// Their stored bytes.
    pub bytes: u64,
}

impl Health {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(store: &str, started: Moment) -> Self {
        Self(Mutex::new(Known {
            store: store.to_owned(),
            started,
            uploaded: UploadTotals::default(),
            streams: BTreeMap::new(),
            spool: None,
            clock: None,
            log: ReasonLog::default(),
            written: None,
        }))
    }

    /// A batch of `bytes` stored bytes has its receipt.
    pub fn uploaded(&self, stream: &Name, bytes: u64, at: Moment) {
        let mut known = self.known();
        known.uploaded.batches += 1;
        known.uploaded.bytes += bytes;
        let facts = known.facts(stream);
        facts.last_success = Some(at);
        // The next count knows better.
        facts.waiting.count = facts.waiting.count.saturating_sub(1);
        if facts.waiting.count == 0 {
            facts.waiting.oldest = None;
        }
    }

    /// A stream was seen with nothing left to upload.
    pub fn drained(&self, stream: &Name) {
        let mut known = self.known();
        let facts = known.facts(stream);
        facts.waiting = Waiting::default();
        facts.is_drained = true;
    }

    /// Whether [`Health::drained`] was said since this was asked last: then there is nothing to count.
    pub fn take_drained(&self, stream: &Name) -> bool {
        let mut known = self.known();
        let facts = known.streams.get_mut(stream);
        facts.is_some_and(|facts| std::mem::take(&mut facts.is_drained))
    }

    /// A stream was looked at or tried; true if what holds it (or that nothing does) is new.
    pub fn looked(&self, stream: &Name, hold: Option<&Hold>) -> bool {
        let mut known = self.known();
        let facts = known.facts(stream);
        let is_new = facts.hold.as_ref() != hold;
        facts.hold = hold.cloned();
        is_new
    }

    /// What waits in the spool, by stream, or why it cannot be told. `tick_s` counts seconds and never goes back.
    pub fn counted(&self, counted: Result<Backlog, String>, tick_s: u64) {
        let mut known = self.known();
        match counted {
            Ok(backlog) => {
                known.spool = backlog.fault;
                // A stream that has left the spool, all receipted or not ours to judge, holds nothing any more.
                let gone: BTreeSet<Name> = known.streams.keys().cloned().collect();
                for name in gone.difference(&backlog.listed) {
                    known.streams.remove(name);
                }
                for (name, waiting) in backlog.waiting {
                    let facts = known.facts(&name);
                    facts.waiting = waiting;
                    facts.growth.add(tick_s, waiting.count);
                }
            }
            Err(fault) => known.spool = Some(fault),
        }
    }

    /// Notes how far the store's clock is from this host's, if it is far.
    pub fn note_clock(&self, odd: Option<String>) {
        self.known().clock = odd;
    }

    /// What was uploaded since the start.
    #[must_use]
    pub fn totals(&self) -> UploadTotals {
        self.known().uploaded
    }

    /// What waits, in words: for a run that ends without having uploaded it.
    #[must_use]
    pub fn what_waits(&self, troubles: &[Trouble], now: Moment) -> Vec<String> {
        let status = self.known().status(troubles, now);
        let waiting = status.streams.iter().filter(|(_, line)| line.backlog > 0);
        let waiting = waiting.map(|(name, line)| line.describe(name));
        let reasons = status.head.reasons.iter().map(ToString::to_string);
        waiting.chain(reasons).collect()
    }

    /// Writes the file in `receipts`, if it says something new or `is_due`; whether it was written.
    ///
    /// # Errors
    /// What the system says; then the status becomes stale, which whoever asks is told.
    pub fn write(
        &self,
        receipts: &Folder,
        troubles: &[Trouble],
        now: Moment,
        is_due: bool,
    ) -> io::Result<bool> {
        let (status, old) = {
            let mut known = self.known();
            (known.status(troubles, now), known.written.take())
        };
        // The same but for when it was written.
        let is_old = old.is_some_and(|mut old| {
            old.head.written = now;
            old == status
        });
        if is_old && !is_due {
            self.known().written = Some(status);
            return Ok(false);
        }
        let mut bytes = serde_json::to_vec(&status)?;
        bytes.push(b'\n');
        receipts.replace(STATUS_FILE, &bytes)?;
        self.known().written = Some(status);
        Ok(true)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn facts(&mut self, stream: &Name) -> &mut StreamFacts {
        self.streams.entry(stream.clone()).or_default()
    }

    fn status(&mut self, troubles: &[Trouble], now: Moment) -> Status {
        let reasons = reasons(self, troubles, host::logging::lost(), now);
        let reasons = self.log.update(reasons);
        let streams = self.streams.iter().map(|(name, facts)| {
            let line = StreamStatus {
                backlog: facts.waiting.count,
                oldest: facts.waiting.oldest,
                last_success: facts.last_success,
            };
            (name.clone(), line)
        });
        Status {
            head: StatusHead::new(PROGRAM, reasons, now),
            store: self.store.clone(),
            started: self.started,
            uploaded: self.uploaded,
            streams: streams.collect(),
        }
    }
}

/// Judges what is known. The table is in docs/operations.md, "Health".
fn reasons(known: &Known, troubles: &[Trouble], lost_lines: u64, now: Moment) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for trouble in troubles {
        let (code, severity) = (trouble.cause.code(), trouble.cause.severity());
        let reason = Reason::new(code, severity, &*trouble.why, now);
        reasons.push(match &trouble.stream {
            Some(stream) => reason.of_stream(stream),
            None => reason,
        });
    }
    if let Some(fault) = &known.spool {
        let code = HoldKind::Unreadable.code();
        reasons.push(Reason::new(code, Severity::Error, &**fault, now));
    }
    for (stream, facts) in &known.streams {
        if let Some(hold) = &facts.hold {
            let reason = Reason::new(hold.kind.code(), Severity::Error, &*hold.why, now);
            reasons.push(reason.of_stream(stream));
        }
        if let Some((severity, detail)) = facts.growth.judge(facts.waiting, now) {
            let reason = Reason::new("backlog", severity, detail, now);
            reasons.push(reason.of_stream(stream));
        }
    }
    if let Some(odd) = &known.clock {
        reasons.push(Reason::new("clock", Severity::Warning, &**odd, now));
    }
    if lost_lines > 0 {
        let detail = format!(
            "{lost_lines} lines of the program's own log could not be written: see what is behind its stderr"
        );
        reasons.push(Reason::new("log_lost", Severity::Warning, detail, now));
    }
    reasons
}

impl Status {
    /// Reads the file that an archiver left in `receipts`. It is as hostile as anything that others
    /// may write to.
    ///
    /// # Errors
    /// What the system says; `NotFound` if no archiver ever ran here, `InvalidData` if it is no status.
    pub fn read(receipts: &Folder) -> io::Result<Self> {
        let bytes = receipts.read(STATUS_FILE, FILE_MAX)?;
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
        let status: Self =
            serde_json::from_slice(&bytes).map_err(|error| invalid(quoted(&error.to_string())))?;
        let expected = host::health::STATUS_VERSION;
        if status.head.v == expected {
            return Ok(status);
        }
        let found = status.head.v;
        Err(invalid(format!(
            "version {found} where {expected} is expected"
        )))
    }
}

impl StreamStatus {
    /// The line about the stream `name`.
    #[must_use]
    pub fn describe(&self, name: &Name) -> String {
        let waiting = host::cli::counted(self.backlog, "batch", "batches");
        let mut line = format!("stream {name}: {waiting} waiting");
        if let Some(at) = self.oldest {
            line += &format!(", the oldest sealed at {at}");
        }
        if let Some(at) = self.last_success {
            line += &format!(", last one locked at {at}");
        }
        line
    }
}

#[cfg(test)]
mod tests;
