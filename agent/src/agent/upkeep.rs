//! What goes on beside reading: heartbeats, snapshots, the archiver's answers, deletion, status.

use super::{Agent, RunError};
use crate::agent::status_file::{SourceLine, Status, StreamLine, VERSION};
use crate::bounds::{
    SNAPSHOT_EVERY, STATUS_EVERY, STATUS_SOURCES_MAX, UPKEEP_EVERY, UPKEEP_EVERY_FULL,
};
use crate::now::{Now, millis};
use crate::recovery::snapshot::{Snapshot, SnapshotError};
use crate::sealing::stream_state::SealedState;
use crate::spool::receipts::{Hold, Keep, prune};
use ledger::name::{Epoch, Name};
use std::collections::BTreeMap;
use std::time::Duration;

/// When what was done last.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// Batches were sealed since the last snapshot.
    pub(super) unsaved: bool,
    /// `status.json` is out of date.
    pub(super) changed: bool,
    looked_boot_ms: u64,
    saved_boot_ms: u64,
    told_boot_ms: u64,
    /// Newest batch of each stream in the newest snapshot, and in the one before.
    saved: Heads,
    covered: Heads,
}

/// By stream, its newest batch.
pub(super) type Heads = BTreeMap<Name, (Epoch, u64)>;

/// The newest batch of each of these streams.
pub(super) fn heads<'a>(states: impl IntoIterator<Item = &'a SealedState>) -> Heads {
    let head = |state: &SealedState| (state.stream.clone(), (state.epoch, state.head.seq));
    states.into_iter().map(head).collect()
}

impl Upkeep {
    /// For an agent that starts from a snapshot with these heads.
    pub(super) fn new(saved: Heads) -> Self {
        Self {
            saved,
            ..Self::default()
        }
    }
}

impl Agent {
    /// Everything that is due now beside reading.
    pub(super) fn keep_up(&mut self, now: Now) -> Result<(), RunError> {
        if !self.is_waiting(now) {
            self.seal_due(now)?;
            self.beat(now)?;
        }
        self.finish_leaving();
        let full = self.streams.iter().any(|stream| stream.full);
        let every = if full {
            UPKEEP_EVERY_FULL
        } else {
            UPKEEP_EVERY
        };
        if is_due(self.upkeep.looked_boot_ms, every, now) {
            self.upkeep.looked_boot_ms = now.boot_ms;
            self.look_for_notes();
            self.delete_old(now);
        }
        if self.upkeep.unsaved && is_due(self.upkeep.saved_boot_ms, SNAPSHOT_EVERY, now) {
            self.save(now);
        }
        if self.upkeep.changed && is_due(self.upkeep.told_boot_ms, STATUS_EVERY, now) {
            self.write_status(now, true);
        }
        Ok(())
    }

    /// How long an agent with nothing to read may sleep.
    pub(super) fn idle_for(&self, now: Now) -> Duration {
        let due = Duration::from_millis(self.due_in_ms(now));
        let full = self.streams.iter().any(|stream| stream.full);
        let every = if full {
            UPKEEP_EVERY_FULL
        } else {
            UPKEEP_EVERY
        };
        match &self.retry {
            // What is due has to wait for the spool.
            Some(retry) if self.is_waiting(now) => {
                every.min(Duration::from_millis(retry.at_boot_ms - now.boot_ms))
            }
            _ => every.min(due),
        }
    }

    /// Looks how far the archiver has come, and whether it holds a stream.
    fn look_for_notes(&mut self) {
        for stream in &mut self.streams {
            let Some(head) = stream.head(&self.config.agent) else {
                continue;
            };
            let hold = match stream.progress.look(self.spool.layout(), &head) {
                Ok(hold) => hold,
                Err(error) => {
                    tracing::warn!(stream = %stream.name, %error, "receipts cannot be read");
                    continue;
                }
            };
            if hold == stream.hold {
                continue;
            }
            self.upkeep.changed = true;
            match &hold {
                Some(Hold { slot, why }) => {
                    tracing::error!(%slot, %why, "stream held: nothing of it is read");
                }
                None => tracing::info!(stream = %stream.name, "stream no longer held"),
            }
            stream.hold = hold;
        }
    }

    fn newest(&self) -> Heads {
        let open = self
            .streams
            .iter()
            .filter_map(|stream| stream.sealed_state());
        heads(open.chain(&self.closed))
    }

    /// Deletes what may go; whether anything went.
    pub(super) fn delete_old(&mut self, now: Now) -> bool {
        let full = self.streams.iter().any(|stream| stream.full);
        // Old batches can only go once both kept snapshots know what came after them.
        let newest = self.newest();
        if full && (self.upkeep.saved != newest || self.upkeep.covered != newest) {
            self.save(now);
        }
        let keep = Keep {
            agent: &self.config.agent,
            covered: &self.upkeep.covered,
            newest: &newest,
            keep: if full {
                Duration::ZERO
            } else {
                self.config.spool_keep
            },
            now: now.wall,
        };
        match prune(&mut self.spool, &keep) {
            Ok(0) => return false,
            Ok(gone) => {
                tracing::info!(gone, "batches that are in the store were deleted");
                self.upkeep.changed = true;
                return true;
            }
            Err(error) => {
                tracing::warn!(%error, "old batches cannot be deleted; tried again later");
            }
        }
        false
    }

    /// Writes a snapshot. Without one nothing is lost: the next start reads more of the spool, and
    /// old batches stay until it can be written.
    pub(super) fn save(&mut self, now: Now) {
        self.upkeep.saved_boot_ms = now.boot_ms;
        if let Err(error) = self.write_snapshot() {
            tracing::warn!(%error, "no snapshot now; tried again later");
        }
    }

    fn write_snapshot(&mut self) -> Result<(), SnapshotError> {
        let open = self
            .streams
            .iter()
            .filter_map(|stream| stream.sealed_state().cloned());
        let snapshot = Snapshot {
            spool_id: self.spool.id().to_owned(),
            states: open.chain(self.closed.iter().cloned()).collect(),
            checkpoints: self.tracker.checkpoints(),
        };
        self.snapshots.write(&snapshot)?;
        self.upkeep.unsaved = false;
        let newest = self.newest();
        self.upkeep.covered = std::mem::replace(&mut self.upkeep.saved, newest);
        Ok(())
    }

    /// Writes `status.json`. Nothing depends on it but people's view, so a failure is only told.
    pub(super) fn write_status(&mut self, now: Now, running: bool) {
        self.upkeep.changed = false;
        self.upkeep.told_boot_ms = now.boot_ms;
        let status = self.describe(now, running);
        if let Err(error) = status.write(&self.config.state) {
            tracing::warn!(%error, "status.json cannot be written");
        }
    }

    pub(super) fn describe(&self, now: Now, running: bool) -> Status {
        let mut sources: Vec<SourceLine> =
            self.tracker.status().iter().map(SourceLine::of).collect();
        let count = sources.len();
        sources.sort_by_key(|source| (source.fault.is_none(), std::cmp::Reverse(source.unread)));
        sources.truncate(STATUS_SOURCES_MAX);
        let streams = self.streams.iter().map(|stream| StreamLine {
            stream: stream.name.clone(),
            epoch: stream.next.epoch(),
            seq: stream.sealed_state().map(|state| state.head.seq),
            head: stream.sealed_state().map(|state| state.head.sha256),
            entries: stream.next.next_entry(),
            waiting: stream
                .head(&self.config.agent)
                .map_or(0, |head| stream.progress.waiting(&head)),
            full: stream.full,
            held: stream
                .hold
                .as_ref()
                .map(|hold| format!("{}: {}", hold.slot, hold.why)),
        });
        Status {
            v: VERSION,
            agent: self.config.agent.clone(),
            running,
            started: self.started.wall,
            written: now.wall,
            spool_used: self.spool.used(),
            spool_cap: self.spool.cap(),
            disk_free: self.spool.free(),
            trouble: self.retry.as_ref().map(|retry| retry.why.clone()),
            streams: streams.collect(),
            files: self
                .troubles
                .iter()
                .map(|(path, why)| (path.clone(), why.to_string()))
                .collect(),
            source_count: count,
            sources,
        }
    }
}

fn is_due(last_boot_ms: u64, every: Duration, now: Now) -> bool {
    now.boot_ms.saturating_sub(last_boot_ms) >= millis(every)
}
