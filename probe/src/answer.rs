//! What a store's answers come to: one pure table. No status and no text decides, only what was
//! seen of the canary and whether the control worked.

use super::row::Row;
use host::exit;
use serde::Serialize;
use store::StoreError;

/// What a row comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowAnswer {
    /// Refused by the lock, or kept as promised, and the control shows it.
    Holds,
    /// Refused, and the control was refused as well: permission may have refused both. Never a pass.
    NotProven,
    /// The lock is not enforced: the harm was done, whatever was said.
    #[serde(rename = "gave_in")]
    NotEnforced,
    /// The question did not get through.
    NotAsked,
    /// Not tried: nobody asked for it.
    NotTried,
}

/// What all rows come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeVerdict {
    /// Every row that was tried holds.
    Holds,
    /// Some lock is not enforced.
    #[serde(rename = "gave_in")]
    NotEnforced,
    /// Every lock that could be tried is enforced, but not every one is proven.
    NotProven,
}

impl ProbeVerdict {
    /// Over the answers of all rows.
    #[must_use]
    pub fn over(answers: impl IntoIterator<Item = RowAnswer>) -> Self {
        let mut verdict = Self::Holds;
        for answer in answers {
            match answer {
                RowAnswer::NotEnforced => return Self::NotEnforced,
                RowAnswer::NotProven | RowAnswer::NotAsked => verdict = Self::NotProven,
                RowAnswer::Holds | RowAnswer::NotTried => {}
            }
        }
        verdict
    }

    /// The exit code that goes with it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Holds => exit::CLEAN,
            Self::NotEnforced => exit::DAMAGED,
            Self::NotProven => exit::UNFINISHED,
        }
    }
}

/// What was seen of a canary after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// As it was laid.
    Whole,
    /// What of it is not as it was laid.
    Harmed(String),
    /// It could not be looked at.
    Unknown(StoreError),
}

/// Whether the same credentials may do the same thing where no lock forbids it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// It was done, and seen to be.
    Worked(String),
    /// It was not.
    Failed(String),
    /// There is none.
    None,
}

/// One row, judged.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) row: Row,
    pub(super) answer: RowAnswer,
    /// What was said and seen.
    pub(super) got: String,
    /// What the control showed; empty if the row needs none.
    pub(super) control: String,
    /// What to act on where nothing is proven.
    pub(super) cause: Option<Box<StoreError>>,
}

impl Outcome {
    pub(super) fn new(row: Row, answer: RowAnswer, got: impl Into<String>) -> Self {
        Self {
            row,
            answer,
            got: got.into(),
            control: String::new(),
            cause: None,
        }
    }

    /// A row that could not be asked, or not be looked at, because of `cause`.
    pub(super) fn unproven(row: Row, what: &str, cause: StoreError) -> Self {
        let answer = if matches!(cause, StoreError::Denied(_)) {
            RowAnswer::NotProven
        } else {
            RowAnswer::NotAsked
        };
        let got = {
            let said = cause.answer();
            format!("{what}: {}{}", said.said, said.advice)
        };
        Self {
            cause: Some(Box::new(cause)),
            ..Self::new(row, answer, got)
        }
    }

    pub(super) fn with_control(self, control: impl Into<String>) -> Self {
        Self {
            control: control.into(),
            ..self
        }
    }
}

/// Whether an error says nothing of what was asked: it was lost, came too late, or made no sense.
pub(super) fn is_silence(error: &StoreError) -> bool {
    match error {
        StoreError::Busy(_)
        | StoreError::Skew { .. }
        | StoreError::Broken(_)
        | StoreError::Certificate(_)
        | StoreError::NoBucket(_) => true,
        // A 409 that stays is how S3 refuses to suspend versioning.
        StoreError::Conflict(_)
        | StoreError::Exists(_)
        | StoreError::Denied(_)
        | StoreError::Missing(_)
        | StoreError::Refused(_)
        | StoreError::BadDigest(_)
        | StoreError::TooLarge { .. } => false,
    }
}

/// Judges an attack on a canary whose lock lasted.
pub(super) fn judge(said: &Result<(), StoreError>, seen: &Seen, control: &Control) -> RowAnswer {
    match (seen, said, control) {
        (Seen::Harmed(_), _, _) => RowAnswer::NotEnforced,
        (_, Err(error), _) if is_silence(error) => RowAnswer::NotAsked,
        (Seen::Unknown(error), _, _) if is_silence(error) => RowAnswer::NotAsked,
        (Seen::Unknown(_), _, _) => RowAnswer::NotProven,
        // Even where the store said yes: it did not do it, and the control shows that it can.
        (Seen::Whole, _, Control::Worked(_)) => RowAnswer::Holds,
        (Seen::Whole, _, Control::Failed(_) | Control::None) => RowAnswer::NotProven,
    }
}

/// What was said to an attack, and seen after it, in one line.
pub(super) fn tell(said: &Result<(), StoreError>, seen: &Seen) -> String {
    let said = match said {
        Ok(()) => "it said yes",
        Err(error) => &error.answer().said,
    };
    match seen {
        Seen::Whole => format!("{said}; the canary is whole"),
        Seen::Harmed(what) => format!("{said}; {what}"),
        Seen::Unknown(error) => {
            let why = &error.answer().said;
            format!("{said}; the canary can't be looked at: {why}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::testing::faulty::{busy, denied};
    use store::testing::model::answer;

    #[test]
    fn what_was_seen_decides_and_never_what_was_said() {
        let yes = || Ok(());
        let invalid = || Err(StoreError::Refused(answer("delete", "400 InvalidRequest")));
        let harmed = || Seen::Harmed("gone".into());
        let unknown = || Seen::Unknown(denied());
        let worked = || Control::Worked("gone".into());
        let failed = || Control::Failed("403".into());
        for (said, seen, control, expected) in [
            // Said yes and did it, said no and did it.
            (yes(), harmed(), Control::None, RowAnswer::NotEnforced),
            (Err(denied()), harmed(), worked(), RowAnswer::NotEnforced),
            (Err(busy()), harmed(), Control::None, RowAnswer::NotEnforced),
            // Refused, whatever the words, and the control worked: it was the lock.
            (Err(denied()), Seen::Whole, worked(), RowAnswer::Holds),
            (invalid(), Seen::Whole, worked(), RowAnswer::Holds),
            (yes(), Seen::Whole, worked(), RowAnswer::Holds),
            // Without a control that worked nothing is proven.
            (Err(denied()), Seen::Whole, failed(), RowAnswer::NotProven),
            (invalid(), Seen::Whole, failed(), RowAnswer::NotProven),
            (yes(), Seen::Whole, failed(), RowAnswer::NotProven),
            (
                Err(denied()),
                Seen::Whole,
                Control::None,
                RowAnswer::NotProven,
            ),
            // What can't be looked at is not proven either.
            (yes(), unknown(), Control::None, RowAnswer::NotProven),
            (Err(denied()), unknown(), worked(), RowAnswer::NotProven),
            // What got lost was not asked.
            (Err(busy()), Seen::Whole, worked(), RowAnswer::NotAsked),
            (
                Err(denied()),
                Seen::Unknown(busy()),
                worked(),
                RowAnswer::NotAsked,
            ),
        ] {
            let judged = judge(&said, &seen, &control);
            assert_eq!(judged, expected, "{said:?} {seen:?} {control:?}");
        }
    }

    #[test]
    fn the_worst_row_is_the_verdict() {
        use RowAnswer::{Holds, NotAsked, NotEnforced, NotProven, NotTried};
        for (answers, verdict, exit) in [
            (&[Holds, NotTried][..], ProbeVerdict::Holds, 0),
            (&[Holds, NotProven, Holds], ProbeVerdict::NotProven, 2),
            (&[NotAsked], ProbeVerdict::NotProven, 2),
            (
                &[NotProven, NotEnforced, Holds],
                ProbeVerdict::NotEnforced,
                1,
            ),
        ] {
            let judged = ProbeVerdict::over(answers.iter().copied());
            assert_eq!((judged, judged.exit_code()), (verdict, exit), "{answers:?}");
        }
    }
}
