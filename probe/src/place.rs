//! What is asked of the place as a whole: how it is set up, what time it has, and, of a scratch
//! bucket, whether its versioning can be suspended.

use super::answer::{Control, Outcome, RowAnswer, Seen, judge, tell};
use super::canary::with_retries;
use super::row::Row;
use ledger::Moment;
use store::{Intruder, SetupFault, Store, StoreAnswer, StoreError};

/// Farther apart the two clocks may not be: S3 refuses what is signed 15 minutes off.
const APART_MAX_S: u64 = 14 * 60;

/// Versioning and Object Lock, as the place itself says.
pub(super) async fn setup<S: Store>(store: &S) -> Outcome {
    match store.check().await {
        Ok(()) if store.capability().versions => {
            Outcome::new(Row::Setup, RowAnswer::Holds, Row::Setup.expected())
        }
        Ok(()) => {
            let got = "a directory: one version a key, and each object brings its own lock";
            Outcome::new(Row::Setup, RowAnswer::Holds, got)
        }
        Err(SetupFault::Unknown { cause, .. }) => {
            Outcome::unproven(Row::Setup, "it can't be asked", cause)
        }
        Err(fault) => Outcome::new(Row::Setup, RowAnswer::NotEnforced, fault.to_string()),
    }
}

/// The store's clock beside `ours`. Which of the two is wrong nobody here can say.
pub(super) async fn clock<S: Store>(store: &S, ours: impl Fn() -> Moment) -> Outcome {
    let theirs = match with_retries(|| store.now()).await {
        Ok(theirs) => theirs,
        Err(error) => return Outcome::unproven(Row::Clock, "it tells no time", error),
    };
    compare(theirs, ours())
}

fn compare(theirs: Moment, ours: Moment) -> Outcome {
    let (ahead_s, behind_s) = (theirs.since_s(ours), ours.since_s(theirs));
    let got = match (ahead_s, behind_s) {
        (0, 0) => "within a second of ours".to_owned(),
        (0, behind_s) => format!("{behind_s} s behind ours"),
        (ahead_s, _) => format!("{ahead_s} s ahead of ours"),
    };
    if ahead_s.max(behind_s) <= APART_MAX_S {
        return Outcome::new(Row::Clock, RowAnswer::Holds, got);
    }
    let got = format!("{got}: one of the two is wrong, and locks are counted from the store's");
    Outcome::new(Row::Clock, RowAnswer::NotProven, got)
}

/// Suspends the versioning of a scratch bucket, and turns it on again: that is the control too.
pub(super) async fn suspend<S: Intruder>(scratch: &S) -> Outcome {
    let row = Row::Suspend;
    let unfit = "the scratch bucket is not set up like one for evidence";
    match scratch.check().await {
        Ok(()) => {}
        Err(SetupFault::Unknown { cause, .. }) => return Outcome::unproven(row, unfit, cause),
        Err(fault) => return Outcome::new(row, RowAnswer::NotAsked, format!("{unfit}: {fault}")),
    }
    let said = with_retries(|| scratch.set_versioning(false)).await;
    let seen = look(scratch).await;
    let what = "enabling it again";
    let control = match with_retries(|| scratch.set_versioning(true)).await {
        Ok(()) => Control::Worked(format!("{what} worked")),
        Err(error) => Control::Failed(format!("{what}: {}", error.answer().said)),
    };
    let answer = judge(&said, &seen, &control);
    let got = tell(&said, &seen).replace("the canary", "versioning");
    let (Control::Worked(control) | Control::Failed(control)) = control else {
        return Outcome::new(row, answer, got);
    };
    Outcome::new(row, answer, got).with_control(control)
}

async fn look<S: Store>(scratch: &S) -> Seen {
    match scratch.check().await {
        Ok(()) => Seen::Whole,
        Err(SetupFault::NotVersioned { status, .. }) => {
            Seen::Harmed(format!("versioning is {status}"))
        }
        Err(SetupFault::Unknown { cause, .. }) => Seen::Unknown(cause),
        Err(fault @ (SetupFault::Absent { .. } | SetupFault::NoObjectLock { .. })) => {
            let asked = "look at the scratch bucket";
            Seen::Unknown(StoreError::Broken(StoreAnswer::new(
                asked,
                fault.to_string(),
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_be_fourteen_minutes_apart() {
        let ours = Moment::from_micros(1_764_000_000_000_000);
        let later = |s: u64| ours.plus_s(s);
        for (theirs, ours, expected) in [
            (ours, ours, RowAnswer::Holds),
            (later(840), ours, RowAnswer::Holds),
            (ours, later(840), RowAnswer::Holds),
            (later(841), ours, RowAnswer::NotProven),
            (ours, later(841), RowAnswer::NotProven),
        ] {
            assert_eq!(compare(theirs, ours).answer, expected, "{theirs} {ours}");
        }
    }
}
