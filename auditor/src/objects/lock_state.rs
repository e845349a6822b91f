//! Whether an object's lock keeps the promise its manifest signed, COMPLIANCE and long enough: LOCK_ABSENT,
//! LOCK_MODE, LOCK_SHORT, LOCK_UNKNOWN.

use crate::findings::by_hand::ByHand;
use crate::listing::store_reader::StoreReader;
use ledger::Moment;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::Slot;
use store::{Lock, LockMode, Store, StoreError};

/// What the best lock among an object's right versions is worth; better ones are greater.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LockState {
    /// The promise is kept, or its time is over, or locks are not judged.
    Met,
    /// There is none.
    Absent,
    /// Whoever has the permission can lift it.
    Weak,
    /// It ends too early.
    Short { until: Moment, needed: Moment },
    /// It could not be read: perhaps all is well.
    Unknown(String),
}

impl LockState {
    fn rank(&self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Weak => 1,
            Self::Short { .. } => 2,
            Self::Unknown(_) => 3,
            Self::Met => 4,
        }
    }

    /// The better one: any version that is locked well enough keeps the promise.
    pub(crate) fn best(self, other: Self) -> Self {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }
}

/// Judges a lock that was read at `now` and must last until `needed`.
pub(crate) fn judge(
    lock: &Result<Option<Lock>, StoreError>,
    needed: Moment,
    now: Moment,
) -> LockState {
    match lock {
        // Once its time is over a lock may lawfully be taken off.
        _ if now >= needed => LockState::Met,
        Err(error) => LockState::Unknown(error.to_string()),
        Ok(None) => LockState::Absent,
        Ok(Some(lock)) if lock.mode != LockMode::Compliance => LockState::Weak,
        Ok(Some(lock)) if lock.retain_until < needed => LockState::Short {
            until: lock.retain_until,
            needed,
        },
        Ok(Some(_)) => LockState::Met,
    }
}

/// Reads and judges the lock of one version that was stored at `stored_at`.
pub(crate) async fn read<S: Store>(
    reader: &StoreReader<S>,
    key: &str,
    version_id: &str,
    needed: Moment,
    now: Moment,
) -> LockState {
    judge(&reader.lock_of(key, version_id).await, needed, now)
}

/// The finding for a lock that does not keep its promise.
pub(crate) fn finding(
    by_hand: &ByHand,
    slot: &Slot,
    key: &str,
    version_id: &str,
    lock: &LockState,
) -> Option<Finding> {
    use Severity::{Critical, Inconclusive};
    let (code, severity, message) = match lock {
        LockState::Met => return None,
        LockState::Absent => (Code::LockAbsent, Critical, "the object has no lock".into()),
        LockState::Weak => (
            Code::LockMode,
            Critical,
            "the object's lock is not in COMPLIANCE mode: it can be taken off".into(),
        ),
        LockState::Short { until, needed } => (
            Code::LockShort,
            Critical,
            format!("the object's lock ends at {until}, its signed retention at {needed}"),
        ),
        LockState::Unknown(why) => (
            Code::LockUnknown,
            Inconclusive,
            format!("the object's lock could not be read: {why}"),
        ),
    };
    let finding = Finding::new(code, severity, message)
        .at(slot)
        .on(by_hand.full_key(key), version_id)
        .by_hand(by_hand.lock(key, version_id));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::StoreAnswer;

    #[test]
    fn only_compliance_for_long_enough_keeps_the_promise() {
        let at = |seconds: u64| Moment::from_micros(0).plus_s(seconds);
        let lock = |mode, until| {
            Ok(Some(Lock {
                mode,
                retain_until: at(until),
            }))
        };
        let needed = at(100);
        let state = |lock, now| judge(&lock, needed, at(now));
        assert_eq!(state(lock(LockMode::Compliance, 100), 0), LockState::Met);
        assert_eq!(state(lock(LockMode::Compliance, 9999), 0), LockState::Met);
        assert_eq!(state(lock(LockMode::Governance, 9999), 0), LockState::Weak);
        assert_eq!(state(lock(LockMode::Unknown, 9999), 0), LockState::Weak);
        assert_eq!(state(Ok(None), 99), LockState::Absent);
        assert_eq!(state(Ok(None), 100), LockState::Met);
        let short = LockState::Short {
            until: at(99),
            needed,
        };
        assert_eq!(state(lock(LockMode::Compliance, 99), 0), short);
        let denied = Err(StoreError::Denied(StoreAnswer::new("get", "403")));
        let unknown = LockState::Unknown("get: 403".into());
        assert_eq!(state(denied, 0), unknown);

        assert_eq!(LockState::Absent.best(short.clone()), short);
        assert_eq!(short.clone().best(unknown.clone()), unknown);
        assert_eq!(unknown.best(LockState::Met), LockState::Met);
        assert_eq!(short.clone().best(LockState::Weak), short);
    }
}
