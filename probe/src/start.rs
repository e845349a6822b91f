//! The part of the probe that an archiver runs before it sends anything: what its role can prove
//! without any right to delete, on one canary, in about a dozen requests.

use super::answer::{Outcome, RowAnswer};
use super::attack::Missed;
use super::canary::{Canary, CanarySet};
use super::place;
use super::row::Row;
use ledger::Moment;
use std::sync::Arc;
use store::{Intruder, StoreAnswer, StoreError};

/// How long the canary is locked at first: longer than a dozen requests take on a slow line.
const LOCK_S: u64 = 30;

/// Why nothing may be sent to a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not keep what it locks, or does not do what it says.
    #[error(
        "{url} does not enforce its locks: {row}: {got}; expected: {expected}; nothing is sent to it; see all of it with: \
         holdfast probe --store {url}"
    )]
    NotEnforced {
        /// The store.
        url: String,
        /// The row's name.
        row: &'static str,
        /// What a store that keeps evidence does.
        expected: &'static str,
        /// What this one did.
        got: String,
    },
    /// It could not be seen whether it keeps what it locks.
    #[error(
        "can't tell whether {url} keeps what it locks: {row}: {cause}; the archiver needs \
         PutObject, PutObjectRetention and GetObjectRetention on probe/ as well"
    )]
    Unknown {
        /// The store.
        url: String,
        /// The row's name.
        row: &'static str,
        /// What it said.
        #[source]
        cause: Box<StoreError>,
    },
}

/// Tries what can be tried without a right to delete: a wrong checksum, the lock read back,
/// If-None-Match twice, a shorter lock, GOVERNANCE mode. The canary stays under `probe/`, locked for
/// seconds. Gives what is odd and no reason to stop: two clocks far apart.
///
/// # Errors
/// A lock is not enforced, or it can't be told.
pub async fn harmless<S: Intruder + 'static>(
    store: Arc<S>,
    run: &str,
    clock: fn() -> Moment,
) -> Result<Option<String>, Refusal> {
    let mut field = CanarySet::new(Arc::clone(&store), run, LOCK_S);
    let accept = |outcome: Outcome| accept(store.url(), outcome);
    let created = field.refused_then_created(Row::Checksum).await;
    let (outcome, mut canary) = match created {
        Ok(created) => created,
        Err(outcome) => return accept(outcome).map(|()| None),
    };
    accept(outcome)?;
    accept(field.lock_of(&canary).await)?;
    accept(field.created_again(Row::CreateTwice, &canary).await)?;
    for row in [Row::Shorten, Row::Weaken] {
        accept(attack(&mut field, row, &mut canary).await)?;
    }
    let clock = place::clock(store.as_ref(), clock).await;
    Ok((clock.answer != RowAnswer::Holds).then_some(clock.got))
}

/// Attacks the lock of `canary`. Where that ended too early it lays another, locked twice as long, which
/// the next attack takes as well.
async fn attack<S: Intruder + 'static>(
    field: &mut CanarySet<S>,
    row: Row,
    canary: &mut Canary,
) -> Outcome {
    loop {
        match field.attack_canary(row, canary.clone()).await {
            Ok(mut attack) => {
                field.lengthen(&mut attack).await;
                *canary = attack.canary();
                return attack.judged();
            }
            Err(Missed::Judged(outcome)) => return outcome,
            Err(Missed::TooLate) if field.double_lock() => match field.lay_for(row).await {
                Ok(laid) => *canary = laid,
                Err(outcome) => return outcome,
            },
            Err(Missed::TooLate) => return field.too_late(row),
        }
    }
}

fn accept(url: &str, outcome: Outcome) -> Result<(), Refusal> {
    let (url, row) = (url.to_owned(), outcome.row);
    match outcome.answer {
        RowAnswer::Holds | RowAnswer::NotTried => Ok(()),
        RowAnswer::NotEnforced => Err(Refusal::NotEnforced {
            url,
            row: row.title(),
            expected: row.expected(),
            got: outcome.got,
        }),
        RowAnswer::NotProven | RowAnswer::NotAsked => {
            let nothing =
                || StoreError::Refused(StoreAnswer::new(row.title(), outcome.got.clone()));
            Err(Refusal::Unknown {
                url,
                row: row.title(),
                cause: outcome.cause.unwrap_or_else(|| Box::new(nothing())),
            })
        }
    }
}
