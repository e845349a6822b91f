//! What a failed request leads to. [`rule`] decides for uploads, which never give up: the same again later,
//! one stream held, or all uploads paused. [`with_retries`] repeats reads and attacks a bounded number of times.
//!
//! [`rule`] is pure: the caller gives the attempt's number and a random roll, and does the waiting.

use crate::StoreError;
use std::future::Future;
use std::time::Duration;

/// The first wait after a failure that may pass by itself.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);

/// No wait for such a failure is longer, however long the outage: a store that is back is noticed
/// within a minute.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// How often the wait for a store that answers nonsense doubles. Each try of a put may leave one
/// more locked version, so they become rare: 64 times the configured wait.
const NONSENSE_DOUBLINGS_MAX: u32 = 6;

/// How much of the archive a failure holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The stream whose object was refused.
    Stream,
    /// Every stream: the next object would fare no better.
    Everything,
}

/// What to do about a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// The same request with the same bytes, after this wait. There is no last attempt.
    Again(Duration),
    /// Hash the local bytes: if they are still good, the same request after this wait.
    Recheck(Duration),
    /// Be unhealthy, say what to check, and try again after this wait.
    Hold(Scope, Duration),
}

/// Rules on a failure. `attempt` counts the failures in a row from 0, `roll` is random and
/// `hold_wait` is how long the configuration lets something held rest.
#[must_use]
pub fn rule(error: &StoreError, attempt: u32, roll: u64, hold_wait: Duration) -> Ruling {
    match error {
        StoreError::Busy(_) | StoreError::Conflict(_) | StoreError::Skew { .. } => {
            let asked = Duration::from_secs(error.answer().retry_after_s.into());
            Ruling::Again(backoff(attempt, roll).max(asked.min(BACKOFF_MAX)))
        }
        StoreError::BadDigest(_) => Ruling::Recheck(backoff(attempt, roll)),
        StoreError::Denied(_)
        | StoreError::Certificate(_)
        | StoreError::NoBucket(_)
        | StoreError::Missing(_) => Ruling::Hold(Scope::Everything, hold_wait),
        StoreError::Broken(_) => {
            let factor = 1 << attempt.min(NONSENSE_DOUBLINGS_MAX);
            Ruling::Hold(Scope::Everything, hold_wait.saturating_mul(factor))
        }
        StoreError::Refused(_) | StoreError::Exists(_) | StoreError::TooLarge { .. } => {
            Ruling::Hold(Scope::Stream, hold_wait)
        }
    }
}

/// Doubling waits up to [`BACKOFF_MAX`], of which the upper half is random: a fleet that lost its
/// store together must not come back together.
fn backoff(attempt: u32, roll: u64) -> Duration {
    let full = 1_u32
        .checked_shl(attempt)
        .and_then(|factor| BACKOFF_FIRST.checked_mul(factor))
        .map_or(BACKOFF_MAX, |wait| wait.min(BACKOFF_MAX));
    let half = full / 2;
    let half_us = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
    half + Duration::from_micros(roll % half_us.saturating_add(1))
}

/// How long a bounded caller waits for a failure to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Calls at most.
    pub tries: u32,
    /// The wait after the first failure.
    pub first_wait: Duration,
    /// What each further wait is multiplied by.
    pub factor: u32,
}

/// Makes the same call again while it fails in a way that may pass by itself (busy, conflict, skew).
///
/// # Errors
/// The first failure of another kind, or the last one once `patience` is used up.
pub async fn with_retries<T, F>(
    patience: RetryPolicy,
    mut call: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut wait = patience.first_wait;
    for _ in 1..patience.tries {
        match call().await {
            Err(StoreError::Busy(_) | StoreError::Conflict(_) | StoreError::Skew { .. }) => {
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(patience.factor);
            }
            answer => return answer,
        }
    }
    call().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreAnswer;
    use ledger::Moment;

    const HOLD: Duration = Duration::from_secs(30);

    fn answer() -> StoreAnswer {
        StoreAnswer::new("put k", "no")
    }

    #[test]
    fn backoff_doubles_up_to_its_cap_and_never_ends() {
        let (low, high) = (
            |attempt| backoff(attempt, 0),
            |attempt| {
                let half_us = u64::try_from(backoff(attempt, 0).as_micros()).unwrap();
                backoff(attempt, half_us)
            },
        );
        for (attempt, full_ms) in [(0, 200), (1, 400), (5, 6_400), (8, 51_200), (9, 60_000)] {
            assert_eq!(low(attempt), Duration::from_millis(full_ms / 2));
            assert_eq!(high(attempt), Duration::from_millis(full_ms));
        }
        for attempt in [10, 31, 32, 64, u32::MAX] {
            assert_eq!(high(attempt), BACKOFF_MAX, "{attempt}");
            assert!((BACKOFF_MAX / 2..=BACKOFF_MAX).contains(&backoff(attempt, u64::MAX)));
        }
    }

    #[test]
    fn every_failure_has_its_ruling() {
        let again = Ruling::Again(BACKOFF_FIRST / 2);
        let all = Ruling::Hold(Scope::Everything, HOLD);
        let stream = Ruling::Hold(Scope::Stream, HOLD);
        let skew = StoreError::Skew {
            store_time: Moment::LAST,
            answer: answer(),
        };
        let too_large = StoreError::TooLarge {
            max_bytes: 1,
            answer: answer(),
        };
        for (error, expected) in [
            (StoreError::Busy(answer()), again),
            (StoreError::Conflict(answer()), again),
            (skew, again),
            (
                StoreError::BadDigest(answer()),
                Ruling::Recheck(BACKOFF_FIRST / 2),
            ),
            (StoreError::Denied(answer()), all),
            (StoreError::Certificate(answer()), all),
            (StoreError::NoBucket(answer()), all),
            (StoreError::Missing(answer()), all),
            (StoreError::Broken(answer()), all),
            (StoreError::Refused(answer()), stream),
            (StoreError::Exists(answer()), stream),
            (too_large, stream),
        ] {
            assert_eq!(rule(&error, 0, 0, HOLD), expected, "{error:?}");
        }
    }

    #[test]
    fn a_store_that_asks_for_a_pause_gets_it_up_to_the_longest_backoff() {
        let busy = |asked_s| {
            let mut answer = answer();
            answer.retry_after_s = asked_s;
            rule(&StoreError::Busy(answer), 0, 0, HOLD)
        };
        assert_eq!(busy(0), Ruling::Again(BACKOFF_FIRST / 2));
        assert_eq!(busy(7), Ruling::Again(Duration::from_secs(7)));
        assert_eq!(busy(u32::MAX), Ruling::Again(BACKOFF_MAX));
    }

    #[test]
    fn nonsense_is_asked_for_ever_more_rarely() {
        let broken = StoreError::Broken(answer());
        for (attempt, factor) in [(1, 2), (6, 64), (7, 64), (u32::MAX, 64)] {
            let expected = Ruling::Hold(Scope::Everything, HOLD * factor);
            assert_eq!(rule(&broken, attempt, 0, HOLD), expected);
        }
    }

    #[tokio::test]
    async fn patience_repeats_what_may_pass_and_nothing_else() {
        let patience = RetryPolicy {
            tries: 3,
            first_wait: Duration::from_millis(1),
            factor: 2,
        };
        let denied: fn() -> StoreError = || StoreError::Denied(answer());
        let busy: fn() -> StoreError = || StoreError::Busy(answer());
        for (failure, fails, calls, succeeds) in [
            (busy, 2, 3, true),
            (busy, 3, 3, false),
            (denied, 1, 1, false),
        ] {
            let mut asked = 0;
            let done = with_retries(patience, || {
                asked += 1;
                let answer = if asked <= fails {
                    Err(failure())
                } else {
                    Ok(())
                };
                async { answer }
            })
            .await;
            assert_eq!((asked, done.is_ok()), (calls, succeeds), "{done:?}");
        }
    }
}
