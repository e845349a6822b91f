//! `holdfast probe`: tries to break a store, with canaries under `probe/` that are locked for seconds.
//!
//! Several S3 servers accept lock headers and then delete. So no answer is believed: after each try
//! the canary is looked at, and a refusal counts only where a control shows that it was the lock that
//! refused and not permission. Nothing outside `probe/` is touched, but a scratch bucket if one is
//! named.

#![forbid(unsafe_code)]

mod answer;
mod attack;
mod canary;
mod create;
mod place;
mod report;
mod row;
mod start;
#[cfg(test)]
mod tests;

use answer::Outcome;
use canary::Field;
use host::report::Tool;
use ledger::Moment;
use std::sync::Arc;
use store::{Intruder, Protection};

pub use answer::{Answer, Verdict};
pub use canary::Left;
pub use report::{Report, RowReport, StoreProbed};
pub use row::Row;
pub use start::{Refusal, harmless};

/// Attacks that have a canary of their own.
const ATTACKS: [Row; 7] = [
    Row::Delete,
    Row::DeleteBypass,
    Row::Shorten,
    Row::ShortenBypass,
    Row::Weaken,
    Row::WeakenBypass,
    Row::Overwrite,
];

/// How long before the end of the first lock the canaries are looked at again.
const LAST_LOOK_US: u64 = 2_500_000;

/// What a probe needs to know that it does not ask the store.
pub struct Options<'a> {
    /// A random name, so that two runs don't meet.
    pub run: &'a str,
    /// How long canaries are locked, in seconds.
    pub lock_s: u64,
    /// Our own clock, which the store's is compared with.
    pub clock: fn() -> Moment,
    /// Is told what goes on.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

/// Tries everything on `store`, and to suspend the versioning of `scratch` if there is one.
///
/// It takes about as long as a lock of its canaries. It never fails: what could not be asked is a row.
pub async fn probe<S: Intruder + 'static>(
    store: Arc<S>,
    scratch: Option<&S>,
    options: &Options<'_>,
) -> Report {
    let started = (options.clock)();
    let mut field = Field::new(Arc::clone(&store), options.run, options.lock_s);
    let mut outcomes = vec![place::setup(store.as_ref()).await];
    outcomes.extend(ask(&mut field, options).await);
    outcomes.push(place::clock(store.as_ref(), options.clock).await);
    outcomes.push(match scratch {
        Some(scratch) => place::suspend(scratch).await,
        None => Outcome::new(Row::Suspend, Answer::NotTried, "needs --scratch-bucket"),
    });
    (options.tell)("clearing the canaries away");
    let (left, why) = field.clear().await;
    outcomes.sort_by_key(|outcome| Row::ALL.iter().position(|row| *row == outcome.row));
    let verdict = Verdict::over(outcomes.iter().map(|outcome| outcome.answer));
    Report {
        store: StoreProbed {
            url: store.url().to_owned(),
            locks: match store.capability().protection {
                Protection::Enforces => "enforced",
                Protection::Evidences => "evidenced",
            },
        },
        rows: outcomes.into_iter().map(RowReport::from).collect(),
        verdict,
        exit_code: verdict.exit_code(),
        left,
        left_until: why.is_some().then(|| field.end()),
        left_because: why.map(|error| error.answer().said.clone()),
        tool: Tool::this(),
        started,
        finished: (options.clock)(),
    }
}

/// All rows that need a canary. The attacks come first and are waited for together.
async fn ask<S: Intruder + 'static>(field: &mut Field<S>, options: &Options<'_>) -> Vec<Outcome> {
    let tell = |row: Row| (options.tell)(&format!("trying: {}", row.title()));
    let (mut outcomes, mut attacks) = (Vec::new(), Vec::new());
    for row in ATTACKS {
        tell(row);
        match field.attack(row).await {
            Ok(attack) => attacks.push(attack),
            Err(outcome) => outcomes.push(outcome),
        }
    }
    tell(Row::Lock);
    outcomes.push(field.lock_read_back().await);
    tell(Row::Checksum);
    outcomes.push(field.checksum().await);
    tell(Row::CreateTwice);
    outcomes.push(field.create_twice().await);
    tell(Row::CreateRace);
    outcomes.push(field.create_race().await);
    // Harm may also come later than the answer.
    let first_end = attacks.iter().map(|attack| attack.end_of_lock()).min();
    if let Some(end) = first_end {
        let soon = end.micros().saturating_sub(LAST_LOOK_US);
        let soon = Moment::from_micros(soon);
        field.wait_until(soon, options.tell).await;
    }
    for attack in &mut attacks {
        field.look_again(attack).await;
    }
    field.wait_until(field.end().plus_s(1), options.tell).await;
    for attack in attacks {
        outcomes.push(field.finish(attack).await);
    }
    outcomes
}
