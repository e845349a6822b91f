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
mod probe_options;
mod probe_report;
mod row;
mod start;
#[cfg(test)]
mod tests;

use answer::Outcome;
use attack::{Attack, Missed};
use canary::CanarySet;
use host::tool::Tool;
use ledger::Moment;
use std::sync::Arc;
use store::{Intruder, Protection};

pub use answer::{ProbeVerdict, RowAnswer};
pub use canary::{LOCK_BOUNDS_S, Leftover};
pub use probe_options::{ProbeOptions, TICK};
pub use probe_report::{ProbeReport, RowReport, StoreProbed};
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

/// Tries everything on `store`, and to suspend the versioning of `scratch` if there is one.
///
/// It takes about as long as a lock of its canaries, and longer on a store that is slow: a row whose lock
/// ended too early is asked again with one twice as long, up to the end of [`LOCK_BOUNDS_S`]. It never fails: what could not be asked is a row.
pub async fn probe<S: Intruder + 'static>(
    store: Arc<S>,
    scratch: Option<&S>,
    options: &ProbeOptions<'_>,
) -> ProbeReport {
    let started = (options.clock)();
    let mut canaries = CanarySet::new(Arc::clone(&store), options.run, options.lock_s);
    let mut outcomes = vec![place::setup(store.as_ref()).await];
    outcomes.extend(ask(&mut canaries, options).await);
    outcomes.push(place::clock(store.as_ref(), options.clock).await);
    outcomes.push(match scratch {
        Some(scratch) => place::suspend(scratch).await,
        None => Outcome::new(Row::Suspend, RowAnswer::NotTried, "needs --scratch-bucket"),
    });
    (options.tell)("removing the canaries");
    let (left, why) = canaries.clear().await;
    outcomes.sort_by_key(|outcome| Row::ALL.iter().position(|row| *row == outcome.row));
    let verdict = ProbeVerdict::over(outcomes.iter().map(|outcome| outcome.answer));
    ProbeReport {
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
        left_until: why.is_some().then(|| canaries.end()),
        left_because: why.map(|error| error.answer().said.clone()),
        tool: Tool::this(),
        started,
        finished: (options.clock)(),
    }
}

/// All rows that need a canary. The attacks come first and are waited for together.
async fn ask<S: Intruder + 'static>(
    canaries: &mut CanarySet<S>,
    options: &ProbeOptions<'_>,
) -> Vec<Outcome> {
    let mut round = Round::of(&ATTACKS, canaries, options).await;
    let mut outcomes = promises(canaries, options).await;
    let mut attacks = Vec::new();
    // Each time the lock is doubled, so it ends soon.
    loop {
        look_again(&mut round.attacks, canaries, options).await;
        attacks.append(&mut round.attacks);
        outcomes.append(&mut round.outcomes);
        if round.late.is_empty() || !canaries.double_lock() {
            break;
        }
        round = Round::of(&round.late, canaries, options).await;
    }
    outcomes.extend(round.late.iter().map(|row| canaries.too_late(*row)));
    canaries.wait_until(canaries.end().plus_s(1), options).await;
    for attack in attacks {
        outcomes.push(canaries.finish(attack).await);
    }
    outcomes
}

/// What became of some rows' attacks, all with canaries locked for the same time.
#[derive(Default)]
struct Round {
    attacks: Vec<Attack>,
    outcomes: Vec<Outcome>,
    /// Rows for which the lock was too short.
    late: Vec<Row>,
}

impl Round {
    async fn of<S: Intruder>(
        rows: &[Row],
        canaries: &mut CanarySet<S>,
        options: &ProbeOptions<'_>,
    ) -> Self {
        let mut round = Self::default();
        for row in rows.iter().copied() {
            tell(row, options);
            match canaries.attack(row).await {
                Ok(attack) => round.attacks.push(attack),
                Err(Missed::Judged(outcome)) => round.outcomes.push(outcome),
                Err(Missed::TooLate) => round.late.push(row),
            }
        }
        round
    }
}

/// The rows that no lock's end hurries.
async fn promises<S: Intruder + 'static>(
    canaries: &mut CanarySet<S>,
    options: &ProbeOptions<'_>,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    tell(Row::Lock, options);
    outcomes.push(canaries.lock_read_back().await);
    tell(Row::Checksum, options);
    outcomes.push(canaries.checksum().await);
    tell(Row::CreateTwice, options);
    outcomes.push(canaries.create_twice().await);
    tell(Row::CreateRace, options);
    outcomes.push(canaries.create_race().await);
    outcomes
}

/// Looks at what was attacked once more shortly before the first lock ends: harm may also come later than
/// the answer.
async fn look_again<S: Intruder>(
    attacks: &mut [Attack],
    canaries: &CanarySet<S>,
    options: &ProbeOptions<'_>,
) {
    let Some(end) = attacks.iter().map(Attack::end_of_lock).min() else {
        return;
    };
    let soon = Moment::from_micros(end.micros().saturating_sub(LAST_LOOK_US));
    canaries.wait_until(soon, options).await;
    for attack in attacks {
        canaries.look_again(attack).await;
    }
}

fn tell(row: Row, options: &ProbeOptions<'_>) {
    (options.tell)(&format!("trying: {}", row.title()));
}
