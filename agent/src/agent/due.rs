//! What is due as time goes by: batches that are old enough, events that waited as long, heartbeats.

use super::streams::Streams;
use crate::config::Config;
use crate::now::{Now, millis};
use crate::sealing::seal_error::SealError;
use std::time::Duration;

/// How long things may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// A line that is read, until it is sealed.
    pub(super) seal_age: Duration,
    /// A stream that has nothing to say, until it says so.
    pub(super) heartbeat: Duration,
}

impl Waits {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            seal_age: config.seal_age,
            heartbeat: config.heartbeat,
        }
    }

    /// Seals every batch that is old enough, and events that waited as long.
    pub(super) fn seal_due(self, streams: &mut Streams, now: Now) -> Result<(), SealError> {
        let age = millis(self.seal_age);
        for index in 0..streams.count() {
            let since = streams.get(index).waits_since_ms();
            if since.is_some_and(|since| now.boot_ms.saturating_sub(since) >= age) {
                streams.seal_batch(index)?;
            }
        }
        Ok(())
    }

    /// Seals what keeps files open that have no name any more, where there are too many of them.
    pub(super) fn seal_pressed(self, streams: &mut Streams) -> Result<(), SealError> {
        for index in 0..streams.count() {
            let stream = streams.get(index);
            if stream.may_speak() && streams.tracker().is_pressed(stream.name()) {
                streams.seal_batch(index)?;
            }
        }
        Ok(())
    }

    /// Notes events that wait, and seals heartbeats that are due.
    pub(super) fn seal_heartbeats(self, streams: &mut Streams, now: Now) -> Result<(), SealError> {
        let interval = millis(self.heartbeat);
        for index in 0..streams.count() {
            let waits = streams.tracker().has_events(streams.get(index).name());
            let stream = streams.get_mut(index);
            if !stream.may_speak() {
                continue;
            }
            stream.events_wait(waits, now);
            let last = stream.sealed_at();
            if now.boot_ms.saturating_sub(last.boot_ms) < interval {
                continue;
            }
            if stream.has_entries() && !streams.seal_batch(index)? {
                continue;
            }
            streams.seal_batch(index)?;
        }
        Ok(())
    }

    /// How long until the next batch or heartbeat is due, in milliseconds.
    pub(super) fn due_in_ms(self, streams: &Streams, now: Now) -> u64 {
        let (age, interval) = (millis(self.seal_age), millis(self.heartbeat));
        let until = |since: u64, wait: u64| (since + wait).saturating_sub(now.boot_ms);
        let due = streams.iter().flat_map(|stream| {
            let seal = stream.waits_since_ms().map(|since| until(since, age));
            let last = stream.sealed_at();
            let beat = stream.may_speak().then(|| until(last.boot_ms, interval));
            seal.into_iter().chain(beat)
        });
        due.min().unwrap_or(interval)
    }
}
