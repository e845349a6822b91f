//! What a put promises: bytes that don't have their checksum are refused, and a key is created once.

use super::answer::{Outcome, RowAnswer, Seen};
use super::canary::{Canary, CanarySet, bytes_of, put, with_retries};
use super::row::{RACERS, Row};
use ledger::Digest;
use std::sync::Arc;
use store::{Intruder, StoreError, StoredVersion};
use tokio::task::JoinSet;

impl<S: Intruder + 'static> CanarySet<S> {
    /// Announces another checksum than the bytes have. The control, the same put with the right one,
    /// is conditional: it fails if anything was kept.
    pub(super) async fn checksum(&mut self) -> Outcome {
        match self.refused_then_created(Row::Checksum).await {
            Ok((outcome, _)) | Err(outcome) => outcome,
        }
    }

    /// The same; gives the canary that the control laid as well.
    pub(super) async fn refused_then_created(
        &mut self,
        row: Row,
    ) -> Result<(Outcome, Canary), Outcome> {
        let unasked = |what: &'static str| move |error| Outcome::unproven(row, what, error);
        let key = self.key(row);
        let until = self.end_of_lock().await;
        let until = until.map_err(unasked("the store doesn't tell the time"))?;
        let bytes = bytes_of(&key, "");
        let announced = Digest::of(b"what was never sent");
        let wrong = put(&key, &bytes, until, false);
        let said = with_retries(|| self.store.put_unlike(wrong.clone(), announced)).await;
        let head = self.store.head(&key).await;
        let created = self.store.put(put(&key, &bytes, until, true)).await;
        let said_text = match &said {
            Ok(()) => "it said yes",
            Err(error) => &error.answer().said,
        };
        let not_enforced = |seen: &str| {
            let got = format!("{said_text}; {seen}");
            Err(Outcome::new(row, RowAnswer::NotEnforced, got))
        };
        if matches!(head, Ok(Some(_))) || matches!(created, Err(StoreError::Exists(_))) {
            return not_enforced("and the bytes were kept");
        }
        let stored = created.map_err(unasked("nothing can be put there"))?;
        let canary = self.noted(key, stored.version_id, bytes, until);
        match &said {
            Ok(()) => not_enforced("and kept nothing of what it said yes to"),
            Err(StoreError::Busy(_) | StoreError::Broken(_)) => {
                Err(Outcome::new(row, RowAnswer::NotAsked, said_text))
            }
            Err(_) => {
                let control = "the same with its checksum was put, where nothing stood";
                let got = format!("{said_text}; nothing was kept");
                let outcome = Outcome::new(row, RowAnswer::Holds, got).with_control(control);
                Ok((outcome, canary))
            }
        }
    }

    /// Creates a key, and creates it again.
    pub(super) async fn create_twice(&mut self) -> Outcome {
        let row = Row::CreateTwice;
        match self.created_once().await {
            Ok(canary) => self.created_again(row, &canary).await,
            Err(outcome) => outcome,
        }
    }

    async fn created_once(&mut self) -> Result<Canary, Outcome> {
        let row = Row::CreateTwice;
        let (key, until) = (self.key(row), self.end_of_lock().await);
        let until = until.map_err(|error| Outcome::unproven(row, "no time is told", error))?;
        let bytes = bytes_of(&key, "");
        let error = match self.store.put(put(&key, &bytes, until, true)).await {
            Ok(stored) => return Ok(self.noted(key, stored.version_id, bytes, until)),
            Err(error) => error,
        };
        // A store that may be put to, but knows no condition, keeps none.
        let plain = self.store.put(put(&key, &bytes, until, false)).await;
        if let Ok(stored) = &plain {
            self.note(&key, &stored.version_id, until);
        }
        let refused = matches!(
            error,
            StoreError::Denied(_) | StoreError::Refused(_) | StoreError::Exists(_)
        );
        if !refused || plain.is_err() {
            return Err(Outcome::unproven(row, "nothing can be created", error));
        }
        let got = format!("no conditional create: {}", error.answer().said);
        let control = "the same put without its condition was taken";
        Err(Outcome::new(row, RowAnswer::NotEnforced, got).with_control(control))
    }

    /// Creates what is there. That it was created at all, with the same condition, is the control.
    pub(super) async fn created_again(&mut self, row: Row, canary: &Canary) -> Outcome {
        let Canary { key, until, .. } = canary;
        let other = bytes_of(key, ", again");
        let again = put(key, &other, *until, true);
        let said = with_retries(|| self.store.put(again.clone())).await;
        let seen = self.look_at_lock(canary).await;
        let control = "the first, with the same condition, was taken";
        let judged = |answer, got| Outcome::new(row, answer, got).with_control(control);
        match (said, seen) {
            (Ok(stored), _) => {
                self.note(key, &stored.version_id, *until);
                judged(RowAnswer::NotEnforced, "both were taken".into())
            }
            (Err(error), Seen::Harmed(what)) => {
                let said = &error.answer().said;
                judged(
                    RowAnswer::NotEnforced,
                    format!("{said}; of the first: {what}"),
                )
            }
            (Err(StoreError::Exists(answer)), _) => judged(RowAnswer::Holds, answer.said),
            (Err(error), _) => Outcome::unproven(row, "neither taken nor 412", error),
        }
    }

    /// Creates one key many times at once.
    pub(super) async fn create_race(&mut self) -> Outcome {
        let row = Row::CreateRace;
        let (key, until) = (self.key(row), self.end_of_lock().await);
        let until = match until {
            Ok(until) => until,
            Err(error) => return Outcome::unproven(row, "no time is told", error),
        };
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let (store, key) = (Arc::clone(&self.store), key.clone());
            let bytes = bytes_of(&key, &format!(", racer {racer}"));
            racers.spawn(async move { store.put(put(&key, &bytes, until, true)).await });
        }
        let mut race = Race::default();
        while let Some(joined) = racers.join_next().await {
            match joined {
                Ok(Ok(stored)) => race.winners.push(stored),
                Ok(Err(StoreError::Exists(_) | StoreError::Conflict(_))) => {}
                Ok(Err(error)) => race.odd = Some(error),
                Err(died) => return Outcome::new(row, RowAnswer::NotAsked, died.to_string()),
            }
        }
        for winner in &race.winners {
            self.note(&key, &winner.version_id, until);
        }
        // Who may not list takes the answers for what they say.
        race.versions = self.list(&key).await.ok().map(|found| found.len());
        race.judged()
    }
}

/// How a race ended.
#[derive(Default)]
struct Race {
    winners: Vec<StoredVersion>,
    /// An answer that is neither.
    odd: Option<StoreError>,
    /// Versions that are there, if that can be listed.
    versions: Option<usize>,
}

impl Race {
    fn judged(self) -> Outcome {
        let row = Row::CreateRace;
        let won = self.winners.len();
        let there = self
            .versions
            .map_or("versions can't be listed".into(), |count| {
                format!("versions there: {count}")
            });
        let got = format!("{won} of {RACERS} were taken; {there}");
        if won > 1 || self.versions.is_some_and(|count| count > 1) {
            return Outcome::new(row, RowAnswer::NotEnforced, got);
        }
        match self.odd {
            Some(error) => Outcome::unproven(row, &got, error),
            None if won == 1 => Outcome::new(row, RowAnswer::Holds, got),
            None => Outcome::new(row, RowAnswer::NotProven, got),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::Moment;
    use store::testing::faulty::{busy, denied};

    #[test]
    fn one_winner_is_as_it_must_be() {
        let stored = StoredVersion {
            version_id: "v".into(),
            sha256: Digest::of(b""),
            store_time: Moment::from_micros(0),
        };
        for (won, odd, versions, expected) in [
            (1, None, Some(1), RowAnswer::Holds),
            (1, None, None, RowAnswer::Holds),
            (2, None, Some(2), RowAnswer::NotEnforced),
            // One said yes, another was kept though it was refused.
            (1, None, Some(2), RowAnswer::NotEnforced),
            (2, Some(busy()), None, RowAnswer::NotEnforced),
            (1, Some(busy()), Some(1), RowAnswer::NotAsked),
            (0, Some(denied()), Some(0), RowAnswer::NotProven),
            (0, None, Some(0), RowAnswer::NotProven),
        ] {
            let race = Race {
                winners: vec![stored.clone(); won],
                odd,
                versions,
            };
            assert_eq!(race.judged().answer, expected, "{won} {versions:?}");
        }
    }
}
