//! Attacks on what is locked: each on a canary of its own, judged by what is seen of it, with a
//! control that shows that the same credentials may do the same where no lock forbids it.

use super::answer::{Control, Outcome, RowAnswer, Seen, judge, tell};
use super::canary::{Canary, CanarySet, bytes_of, describe, put, with_retries};
use super::row::Row;
use ledger::Moment;
use std::cmp::Ordering;
use store::{Intruder, Lock, LockMode, StoreError};

/// An attack that was made while the lock lasted.
pub(super) struct Attack {
    row: Row,
    canary: Canary,
    said: Result<(), StoreError>,
    seen: Seen,
    control: Control,
}

/// Why there is no attack to judge.
pub(super) enum Missed {
    /// The canary's lock ended before it was attacked and looked at.
    TooLate,
    /// It could not be made or not be looked at, which is the row's outcome.
    Judged(Outcome),
}

impl<S: Intruder> CanarySet<S> {
    /// Lays a canary, attacks it and looks at it.
    pub(super) async fn attack(&mut self, row: Row) -> Result<Attack, Missed> {
        let canary = self.lay_for(row).await.map_err(Missed::Judged)?;
        let mut attack = self.attack_canary(row, canary).await?;
        match row {
            Row::Shorten | Row::ShortenBypass => self.lengthen(&mut attack).await,
            Row::Weaken | Row::WeakenBypass => self.weaken_weak(&mut attack).await,
            _ => {}
        }
        Ok(attack)
    }

    /// Lays a row's canary, without which the row is not asked.
    pub(super) async fn lay_for(&mut self, row: Row) -> Result<Canary, Outcome> {
        let unlaid = |error| Outcome::unproven(row, "no canary could be laid", error);
        self.lay(row).await.map_err(unlaid)
    }

    /// Attacks a canary that is there, and looks at it.
    pub(super) async fn attack_canary(
        &mut self,
        row: Row,
        canary: Canary,
    ) -> Result<Attack, Missed> {
        let what = "the store doesn't tell the time";
        let timeless = |error| Missed::Judged(Outcome::unproven(row, what, error));
        if !self.is_in_time(&canary).await.map_err(timeless)? {
            return Err(Missed::TooLate);
        }
        let said = self.strike(row, &canary).await;
        let seen = self.look_after(row, &canary).await;
        if !self.was_in_time(&canary).await.map_err(timeless)? {
            return Err(Missed::TooLate);
        }
        let control = match (&seen, &said) {
            (Seen::Whole, Ok(())) if row == Row::Overwrite => {
                Control::Worked("the put itself was taken, as a version of its own".into())
            }
            _ => Control::None,
        };
        Ok(Attack {
            row,
            canary,
            said,
            seen,
            control,
        })
    }

    async fn look_after(&self, row: Row, canary: &Canary) -> Seen {
        // Who attacks a lock need not be able to read what is locked.
        if row.is_of_lock() {
            self.look_at_lock(canary).await
        } else {
            self.look(canary).await
        }
    }

    /// The one request that would do the harm.
    async fn strike(&mut self, row: Row, canary: &Canary) -> Result<(), StoreError> {
        let Canary {
            key,
            version_id,
            until,
            ..
        } = canary;
        let bypass = row.bypasses();
        match row {
            Row::Shorten | Row::ShortenBypass => {
                // In the future: a date in the past would be refused for being that.
                let left_s = self.left_s(canary).await?;
                let lock = Lock {
                    mode: LockMode::Compliance,
                    retain_until: self.store.now().await?.plus_s(left_s / 2).ceil_to_second(),
                };
                with_retries(|| self.store.set_lock(key, version_id, lock, bypass)).await
            }
            Row::Weaken | Row::WeakenBypass => {
                let lock = Lock {
                    mode: LockMode::Governance,
                    retain_until: *until,
                };
                with_retries(|| self.store.set_lock(key, version_id, lock, bypass)).await
            }
            Row::Overwrite => {
                let bytes = bytes_of(key, ", overwritten");
                let other = put(key, &bytes, *until, false);
                let stood_in = with_retries(|| self.store.overwrite(other.clone())).await?;
                if stood_in != *version_id {
                    self.note(key, &stood_in, *until);
                }
                Ok(())
            }
            _ => with_retries(|| self.store.delete(key, version_id, bypass)).await,
        }
    }

    /// The control of an attack on a lock that lasts: the same request for a later date.
    pub(super) async fn lengthen(&mut self, attack: &mut Attack) {
        if attack.seen != Seen::Whole {
            return;
        }
        let (what, canary) = ("lengthening the same lock", &mut attack.canary);
        let said = self.lengthen_lock(canary, attack.row.bypasses()).await;
        attack.control = match (said, self.look_at_lock(canary).await) {
            (Ok(()), Seen::Whole) => Control::Worked(format!("{what} worked")),
            (Ok(()), seen) => Control::Failed(format!("{what}: {}", tell(&Ok(()), &seen))),
            (Err(error), _) => Control::Failed(format!("{what}: {}", error.answer().said)),
        };
    }

    /// The control of weakening a lock: the same request to a lock that is weak already. Lengthening a
    /// COMPLIANCE lock would not do: a policy may demand that mode of every request.
    async fn weaken_weak(&mut self, attack: &mut Attack) {
        if attack.seen != Seen::Whole {
            return;
        }
        let what = "the same to a lock in GOVERNANCE mode";
        attack.control = match self.weak(attack).await {
            Ok(()) => Control::Worked(format!("{what} worked")),
            Err(error) => Control::Failed(format!("{what}: {}", error.answer().said)),
        };
    }

    async fn weak(&mut self, attack: &Attack) -> Result<(), StoreError> {
        let key = format!("{}-control", attack.canary.key);
        let bytes = bytes_of(&key, "");
        let until = attack.canary.until;
        let other = put(&key, &bytes, until, false);
        let version_id = with_retries(|| self.store.put_weak(other.clone())).await?;
        let weak = self.noted(key, version_id, bytes, until);
        self.strike(attack.row, &weak).await
    }

    /// Looks again, for harm that came later than the answer, if the lock still lasts after it.
    pub(super) async fn look_again(&self, attack: &mut Attack) {
        if attack.seen == Seen::Whole {
            let seen = self.look_after(attack.row, &attack.canary).await;
            let in_time = matches!(self.was_in_time(&attack.canary).await, Ok(true));
            if in_time && matches!(seen, Seen::Harmed(_)) {
                attack.seen = seen;
            }
        }
    }

    /// Has the control, for which the lock must have ended, and judges.
    pub(super) async fn finish(&mut self, mut attack: Attack) -> Outcome {
        if attack.control == Control::None && attack.seen == Seen::Whole {
            attack.control = self.struck_again(attack.row, &attack.canary).await;
        }
        attack.judged()
    }

    /// The control of an attack on what is locked: the same request after the lock's end.
    async fn struck_again(&mut self, row: Row, canary: &Canary) -> Control {
        let what = "the same after the lock's end";
        let failed = |error: StoreError| {
            let said = &error.answer().said;
            Control::Failed(format!("{what}: {said}"))
        };
        if let Err(error) = self.strike(row, canary).await {
            return failed(error);
        }
        let done = match row {
            Row::Overwrite => Ok(true),
            _ => self.is_gone(canary).await,
        };
        match done {
            Ok(true) => Control::Worked(format!("{what} worked")),
            Ok(false) => Control::Failed(format!("{what}: it said yes and did nothing")),
            Err(error) => failed(error),
        }
    }

    /// Lays a canary and reads its lock back.
    pub(super) async fn lock_read_back(&mut self) -> Outcome {
        match self.lay_for(Row::Lock).await {
            Ok(canary) => self.lock_of(&canary).await,
            Err(outcome) => outcome,
        }
    }

    /// The outcome of a row for which even the longest lock was too short.
    pub(super) fn too_late(&self, row: Row) -> Outcome {
        let lock_s = self.lock_s();
        let got = format!(
            "the store is too slow: a lock of {lock_s} s, the longest that is tried, ended before the \
             canary was looked at"
        );
        Outcome::new(row, RowAnswer::NotAsked, got)
    }

    /// Judges a canary's lock. A longer one than was asked for protects no less.
    pub(super) async fn lock_of(&self, canary: &Canary) -> Outcome {
        let Canary {
            key, version_id, ..
        } = canary;
        match with_retries(|| self.store.lock_of(key, version_id)).await {
            Ok(lock) => read_back(lock, canary.until),
            Err(StoreError::Missing(answer)) => Outcome::new(
                Row::Lock,
                RowAnswer::NotEnforced,
                format!("it took a put, and then: {}", answer.said),
            ),
            Err(error) => Outcome::unproven(Row::Lock, "the lock can't be read", error),
        }
    }
}

impl Attack {
    /// When the lock of what was attacked ends.
    pub(super) fn end_of_lock(&self) -> Moment {
        self.canary.until
    }

    /// Gives the canary for another attack.
    pub(super) fn canary(&self) -> Canary {
        self.canary.clone()
    }

    pub(super) fn judged(self) -> Outcome {
        let answer = judge(&self.said, &self.seen, &self.control);
        let control = match self.control {
            Control::Worked(what) | Control::Failed(what) => what,
            Control::None => String::new(),
        };
        let got = tell(&self.said, &self.seen);
        let cause = match self.seen {
            Seen::Unknown(error) => Some(error),
            _ => self.said.err(),
        };
        Outcome {
            cause: cause.map(Box::new),
            ..Outcome::new(self.row, answer, got).with_control(control)
        }
    }
}

fn read_back(lock: Option<Lock>, asked: Moment) -> Outcome {
    let got = describe(lock);
    let locked = lock.filter(|lock| lock.mode == LockMode::Compliance);
    let (answer, got) = match locked.map(|lock| lock.retain_until.cmp(&asked)) {
        Some(Ordering::Equal) => (RowAnswer::Holds, got),
        Some(Ordering::Greater) => {
            let got = format!("{got}, longer than the {asked} asked for");
            (RowAnswer::Holds, got)
        }
        Some(Ordering::Less) | None => {
            let got = format!("it took a lock until {asked}, and what was put is {got}");
            (RowAnswer::NotEnforced, got)
        }
    };
    Outcome::new(Row::Lock, answer, got)
}
