//! What waits in the spool, and whether the archiver keeps up. Pure.

use host::cli::counted;
use host::health::Severity;
use ledger::Moment;
use ledger::name::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A batch without a receipt that is older than this is late.
pub(super) const LATE_S: u64 = 15 * 60;

/// Late batches whose number grew over this long mean that the archiver does not keep up.
pub(super) const GROWN_OVER_S: u64 = 5 * 60;

/// Batches of one stream that wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// When the oldest was sealed, as its folder's time says.
    pub oldest: Option<Moment>,
}

/// One count of the whole spool.
#[derive(Debug, Default)]
pub struct Backlog {
    /// All streams that have a folder.
    pub listed: BTreeSet<Name>,
    /// Those that could be counted.
    pub waiting: BTreeMap<Name, Waiting>,
    /// Why the first one that could not be counted could not.
    pub fault: Option<String>,
}

/// How many batches waited in the last [`GROWN_OVER_S`], as often as they were counted.
#[derive(Debug, Clone, Default)]
pub struct Growth(VecDeque<(u64, u64)>);

impl Growth {
    /// Notes a count at `tick_s`. One that is at least [`GROWN_OVER_S`] old is kept, and none older.
    pub fn add(&mut self, tick_s: u64, count: u64) {
        if self.0.back().is_some_and(|(at, _)| *at == tick_s) {
            self.0.pop_back();
        }
        self.0.push_back((tick_s, count));
        let is_old = |entry: Option<&(u64, u64)>| {
            entry.is_some_and(|(at, _)| tick_s.saturating_sub(*at) >= GROWN_OVER_S)
        };
        while is_old(self.0.get(1)) {
            self.0.pop_front();
        }
    }

    /// Whether more wait than did [`GROWN_OVER_S`] ago.
    fn has_grown(&self) -> bool {
        let (first, last) = (self.0.front(), self.0.back());
        first.zip(last).is_some_and(|((from, old), (to, new))| {
            new > old && to.saturating_sub(*from) >= GROWN_OVER_S
        })
    }

    /// What is to be said of batches that wait.
    pub(super) fn judge(&self, waiting: Waiting, now: Moment) -> Option<(Severity, String)> {
        let age_s = now.since_s(waiting.oldest?);
        if age_s <= LATE_S {
            return None;
        }
        let (batches, minutes) = (
            counted(waiting.count, "batch waits", "batches wait"),
            age_s / 60,
        );
        Some(if self.has_grown() {
            let detail = format!(
                "{batches}, the oldest for {minutes} min, and they become more: the archiver does not keep up"
            );
            (Severity::Error, detail)
        } else {
            let detail = format!("{batches}, the oldest for {minutes} min");
            (Severity::Warning, detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_batches_degrade_and_late_ones_that_become_more_are_unhealthy() {
        let now = Moment::from_micros(10_000_000_000);
        let waiting = |age_s: u64, count| Waiting {
            count,
            oldest: Some(Moment::from_micros((10_000 - age_s) * 1_000_000)),
        };
        for (counts, age_s, expected) in [
            (&[(0, 1), (300, 2)][..], LATE_S, None),
            (&[(0, 1), (300, 2)], LATE_S + 1, Some(Severity::Error)),
            (&[(0, 1), (299, 2)], LATE_S + 1, Some(Severity::Warning)),
            (&[(0, 2), (300, 2)], LATE_S + 1, Some(Severity::Warning)),
            (&[(0, 9), (300, 2)], LATE_S + 1, Some(Severity::Warning)),
            // What matters is 5 minutes ago, not the beginning.
            (
                &[(0, 1), (100, 5), (400, 5)],
                LATE_S + 1,
                Some(Severity::Warning),
            ),
            (
                &[(0, 9), (100, 1), (400, 5)],
                LATE_S + 1,
                Some(Severity::Error),
            ),
        ] {
            let mut growth = Growth::default();
            for (tick_s, count) in counts {
                growth.add(*tick_s, *count);
            }
            let judged = growth.judge(waiting(age_s, 5), now);
            let severity = judged.map(|(severity, _)| severity);
            assert_eq!(severity, expected, "{counts:?} {age_s}");
        }
        let nothing = Waiting::default();
        assert_eq!(Growth::default().judge(nothing, now), None);
    }

    #[test]
    fn counts_are_kept_for_five_minutes() {
        let mut growth = Growth::default();
        for tick_s in 0..10_000 {
            growth.add(tick_s, tick_s);
            growth.add(tick_s, tick_s);
        }
        assert_eq!(growth.0.len(), 301);
    }
}
