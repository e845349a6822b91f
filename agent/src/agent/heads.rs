//! Which other streams a manifest names, so that none can be cut or removed unseen while another one is left.
//! Pure: heads in, heads out.

use crate::now::{Now, millis};
use ledger::limits::HEADS_MAX;
use ledger::manifest::StreamHead;
use ledger::name::Name;
use std::time::Duration;

/// When streams name one another, and where one begins that never did.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadsPace {
    every: Duration,
    roll: usize,
}

impl HeadsPace {
    /// Once in each `heartbeat`, though the next manifest may come up to `seal_age` later. `roll` is a random number.
    pub(super) fn new(heartbeat: Duration, seal_age: Duration, roll: usize) -> Self {
        let every = heartbeat.saturating_sub(seal_age);
        Self { every, roll }
    }

    /// Whether a manifest that is sealed now is to name others, of a stream that did `last`.
    pub(super) fn is_due(self, last: Option<Now>, now: Now) -> bool {
        let waited = |last: Now| now.boot_ms.saturating_sub(last.boot_ms);
        last.is_none_or(|last| waited(last) >= millis(self.every))
    }

    /// The heads that a stream names now, which named `after` last.
    pub(super) fn next(self, heads: Vec<StreamHead>, after: Option<&Name>) -> Vec<StreamHead> {
        next_heads(heads, after, self.roll)
    }
}

/// The heads that a stream names next: of `heads`, in order of their names, those that follow `after`, and from
/// the first again after the last. Where nobody knows which it named last, `roll` decides, so that after many
/// restarts all have been named.
fn next_heads(mut heads: Vec<StreamHead>, after: Option<&Name>, roll: usize) -> Vec<StreamHead> {
    if heads.is_empty() {
        return heads;
    }
    heads.sort_by(|one, other| one.stream.cmp(&other.stream));
    let start = match after {
        Some(after) => heads.partition_point(|head| head.stream <= *after),
        None => roll,
    };
    let start = start % heads.len();
    heads.rotate_left(start);
    heads.truncate(HEADS_MAX);
    heads
}

/// How long a cut in one of so many streams can go unseen by the others: each names [`HEADS_MAX`] of them in each
/// interval. `None` for one stream alone, which nothing vouches for.
#[must_use]
pub(crate) fn window(streams: usize, heartbeat: Duration) -> Option<Duration> {
    let others = streams.checked_sub(1).filter(|others| *others > 0)?;
    let rounds = u32::try_from(others.div_ceil(HEADS_MAX)).unwrap_or(u32::MAX);
    Some(heartbeat.saturating_mul(rounds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;
    use ledger::{Digest, Moment};
    use std::collections::BTreeSet;

    fn head(number: usize) -> StreamHead {
        StreamHead {
            stream: format!("s{number:02}").parse().unwrap(),
            epoch: epoch(1),
            seq: 0,
            sha256: Digest::of(b""),
            sealed_max: Moment::from_micros(0),
            retention_max_s: 86_400,
        }
    }

    #[test]
    fn every_stream_is_named_within_the_window() {
        for others in [1, 2, 15, 16, 17, 19, 40] {
            let all = || (0..others).rev().map(head).collect::<Vec<_>>();
            let beats = window(others + 1, Duration::from_secs(1))
                .unwrap()
                .as_secs();
            for roll in [0, 7, 100] {
                let (mut after, mut named) = (None, BTreeSet::new());
                for _ in 0..beats {
                    let heads = next_heads(all(), after.as_ref(), roll);
                    assert_eq!(heads.len(), others.min(HEADS_MAX));
                    after = heads.last().map(|head| head.stream.clone());
                    named.extend(heads.into_iter().map(|head| head.stream));
                }
                assert_eq!(named.len(), others, "{others} others, roll {roll}");
            }
        }
    }

    #[test]
    fn it_continues_after_a_stream_that_is_gone() {
        let heads = next_heads(vec![head(4), head(1)], Some(&head(2).stream), 0);
        assert_eq!(heads, [head(4), head(1)]);
        assert_eq!(next_heads(Vec::new(), None, 3), []);
        assert_eq!(window(1, Duration::from_secs(300)), None);
        assert_eq!(window(0, Duration::from_secs(300)), None);
    }
}
