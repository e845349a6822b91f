//! How long things wait, which no single look shows: bytes to be sealed, batches to be archived. Pure.

use super::agent_health::OldBytes;
use crate::now::Now;
use crate::track::{SourceKey, SourceStatus};
use ledger::entry::PathBytes;
use ledger::name::Name;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Over how long the number of waiting batches is compared.
const TREND_MS: u64 = 5 * 60 * 1000;

/// Between two numbers that are kept for it: bounds them to some 60.
const TREND_STEP_MS: u64 = 5 * 1000;

/// How old a file may get that is not identified yet: a copy in progress, a packed file being looked through. What
/// it holds is mostly in a source as well.
const UNIDENTIFIED_MAX: Duration = Duration::from_secs(600);

/// A source, or the path of a file that is not identified.
type Which = (Option<SourceKey>, PathBytes);

/// All that a source held at some time, of which not all is sealed.
#[derive(Debug, Clone, Copy)]
struct Mark {
    since_ms: u64,
    size: u64,
}

/// Since when bytes wait to be sealed. Only what has unsealed bytes is remembered.
#[derive(Debug, Default)]
pub(super) struct UnsealedAges(BTreeMap<Which, Mark>);

impl UnsealedAges {
    /// Takes note of a look at all sources. The age of a byte counts from the look that first showed it, or from when
    /// all that was there before it was sealed: never too long, and without an end while nothing is sealed.
    pub(super) fn update(&mut self, sources: &[SourceStatus], now: Now) {
        let mut marks = BTreeMap::new();
        for source in sources.iter().filter(|it| it.stream.is_some()) {
            if source.size <= source.sealed {
                continue;
            }
            let which = (source.key, source.path.clone());
            let mark = match self.0.get(&which) {
                Some(mark) if source.sealed < mark.size => *mark,
                _ => Mark {
                    since_ms: now.boot_ms,
                    size: source.size,
                },
            };
            marks.insert(which, mark);
        }
        self.0 = marks;
    }

    /// By stream, what has waited for longer than `max`.
    pub(super) fn older_than(
        &self,
        max: Duration,
        sources: &[SourceStatus],
        now: Now,
    ) -> BTreeMap<Name, OldBytes> {
        let mut old: BTreeMap<Name, OldBytes> = BTreeMap::new();
        for source in sources {
            let which = (source.key, source.path.clone());
            let (Some(stream), Some(mark)) = (&source.stream, self.0.get(&which)) else {
                continue;
            };
            let max = match source.key {
                Some(_) => max,
                None => max.max(UNIDENTIFIED_MAX),
            };
            let age = Duration::from_millis(now.boot_ms.saturating_sub(mark.since_ms));
            if age <= max {
                continue;
            }
            let here = old.entry(stream.clone()).or_insert_with(|| OldBytes {
                sources: 0,
                path: source.path.display(),
                age,
            });
            here.sources += 1;
            if age > here.age {
                (here.age, here.path) = (age, source.path.display());
            }
        }
        old
    }
}

/// Whether more and more batches wait.
#[derive(Debug, Default)]
pub(super) struct Trend {
    counts: VecDeque<(u64, u64)>,
    is_growing: bool,
}

impl Trend {
    /// Takes note of how many wait, and says whether they have become more within [`TREND_MS`], and not fewer since.
    pub(super) fn update(&mut self, count: u64, now: Now) -> bool {
        let now_ms = now.boot_ms;
        let is_due = |(last_ms, _): &(u64, u64)| now_ms >= last_ms + TREND_STEP_MS;
        if self.counts.back().is_none_or(is_due) {
            self.counts.push_back((now_ms, count));
        }
        let is_old = |at: Option<&(u64, u64)>| at.is_some_and(|(at, _)| at + TREND_MS <= now_ms);
        while is_old(self.counts.get(1)) {
            self.counts.pop_front();
        }
        if is_old(self.counts.front())
            && let Some((_, before)) = self.counts.front()
        {
            self.is_growing = match count.cmp(before) {
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Equal => self.is_growing,
                std::cmp::Ordering::Less => false,
            };
        }
        self.is_growing &= count > 0;
        self.is_growing
    }
}

/// The same for each stream.
#[derive(Debug, Default)]
pub(super) struct Trends(BTreeMap<Name, Trend>);

impl Trends {
    pub(super) fn update(&mut self, stream: &Name, count: u64, now: Now) -> bool {
        self.0.entry(stream.clone()).or_default().update(count, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(seconds: u64) -> Now {
        Now {
            wall: ledger::Moment::from_micros(0),
            boot_ms: seconds * 1000,
            suspended_ms: 0,
        }
    }

    fn source(key: Option<u64>, sealed: u64, size: u64) -> SourceStatus {
        SourceStatus {
            key: key.map(SourceKey),
            stream: Some("auth".parse().unwrap()),
            path: PathBytes(b"/l/a".to_vec()),
            sealed,
            read: sealed,
            size,
            fault: None,
            missing_ms: None,
        }
    }

    #[test]
    fn bytes_age_while_nothing_is_sealed_and_not_while_it_keeps_up() {
        let max = Duration::from_secs(60);
        // Looks at (second, sealed, size); whether the last one shows old bytes.
        for (looks, is_old) in [
            (&[(0, 0, 0), (100, 0, 10), (160, 0, 10)][..], false),
            (&[(0, 0, 10), (61, 0, 10)], true),
            (&[(0, 0, 10), (30, 5, 20), (61, 9, 30)], true),
            // Never at rest, and never late.
            (
                &[
                    (0, 0, 10),
                    (30, 10, 20),
                    (60, 20, 30),
                    (90, 30, 40),
                    (120, 40, 50),
                ],
                false,
            ),
            // What came after the first is late in its turn.
            (&[(0, 0, 10), (30, 10, 20), (91, 10, 90)], true),
            (&[(0, 0, 10), (61, 10, 10)], false),
        ] {
            for (key, is_old) in [(Some(1), is_old), (None, false)] {
                let mut ages = UnsealedAges::default();
                let mut sources = Vec::new();
                let mut last = 0;
                for (second, sealed, size) in looks {
                    sources = vec![source(key, *sealed, *size)];
                    ages.update(&sources, now(*second));
                    last = *second;
                }
                let old = ages.older_than(max, &sources, now(last));
                assert_eq!(!old.is_empty(), is_old, "{key:?} {looks:?}");
            }
        }
    }

    #[test]
    fn the_longest_wait_of_a_stream_is_told() {
        let mut ages = UnsealedAges::default();
        let (one, two) = (source(Some(1), 0, 5), source(Some(2), 0, 5));
        ages.update(std::slice::from_ref(&one), now(0));
        let both = [two, one];
        ages.update(&both, now(10));
        let old = ages.older_than(Duration::from_secs(60), &both, now(100));
        let old = &old[&"auth".parse().unwrap()];
        assert_eq!((old.sources, old.age), (2, Duration::from_secs(100)));
    }

    #[test]
    fn waiting_batches_grow_over_five_minutes() {
        // Numbers at seconds; whether they grow at the last one.
        for (counts, is_growing) in [
            (&[(0, 0), (299, 50)][..], false),
            (&[(0, 0), (300, 1)], true),
            (&[(0, 3), (300, 3), (600, 3)], false),
            // A heartbeat every six minutes: it stays so between two of them, and ends with the first receipts.
            (&[(0, 1), (360, 2), (700, 2), (719, 2)], true),
            (&[(0, 1), (360, 2), (700, 2), (719, 1)], false),
            (&[(0, 1), (360, 2), (361, 0)], false),
        ] {
            let mut trend = Trend::default();
            let mut last = false;
            for (second, count) in counts {
                last = trend.update(*count, now(*second));
            }
            assert_eq!(last, is_growing, "{counts:?}");
        }
        let mut trend = Trend::default();
        for second in 0..10_000 {
            trend.update(1, now(second));
            assert!(trend.counts.len() < 70);
        }
    }
}
