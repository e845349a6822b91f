//! Whether a store is admitted: seen to be set up for evidence, and to keep it, before the first batch
//! is sent.

use super::start_error::StartError;
use crate::upload::Terms;
use crate::upload::gate::{Cause, Gate};
use host::disk;
use probe::{Refusal, harmless};
use std::sync::Arc;
use std::time::Instant;
use store::retry::{Ruling, rule};
use store::{Intruder, Protection, SetupFault, StoreError};

/// What one look at the store gave.
enum Tried {
    /// It keeps evidence; what is odd about its clock.
    Fit(Option<String>),
    /// It could not be seen, in words and as a cause.
    Unseen(String, StoreError),
}

/// Sees that the store is set up to keep evidence, and keeps it, before anything is sent to it; gives what is odd
/// about its clock. An outage or a missing right is waited for; a store that is not set up, or does not enforce its
/// locks, is refused. `gate` is told why uploads are paused, and opened in the end.
pub(super) async fn admit<S: Intruder + Clone + 'static>(
    store: &S,
    terms: Terms,
    gate: &Gate,
) -> Result<Option<String>, StartError> {
    let mut failures = 0;
    loop {
        let (why, cause) = match try_out(store).await? {
            Tried::Fit(odd) => {
                gate.open();
                return Ok(odd);
            }
            Tried::Unseen(why, cause) => (why, cause),
        };
        let roll = getrandom::u64().unwrap_or_default();
        let wait = match rule(&cause, failures, roll, terms.retry_held) {
            Ruling::Again(wait) | Ruling::Recheck(wait) => wait,
            Ruling::Hold(..) if terms.once => return Err(StartError::Held(why, cause)),
            Ruling::Hold(_, wait) => wait,
        };
        gate.close(Cause::of(&cause), &why, wait);
        tracing::error!(?wait, "uploads are paused: {why}");
        failures += 1;
        tokio::time::sleep(wait).await;
    }
}

/// Asks once.
async fn try_out<S: Intruder + Clone + 'static>(store: &S) -> Result<Tried, StartError> {
    match store.check().await {
        Ok(()) => {}
        Err(fault) => {
            let why = fault.to_string();
            return match fault {
                SetupFault::Unknown { cause, .. } => Ok(Tried::Unseen(why, cause)),
                fault => Err(StartError::Setup(fault)),
            };
        }
    }
    if store.capability().protection == Protection::Evidences {
        tracing::info!("a directory only evidences: nothing to probe");
        return Ok(Tried::Fit(None));
    }
    let (run, began) = (disk::random_name()?, Instant::now());
    match harmless(Arc::new(store.clone()), &run, host::clock::now).await {
        Ok(odd) => {
            let took = began.elapsed();
            tracing::info!(?took, "probed: the store keeps what it locks");
            let odd = odd.map(|odd| format!("the store's clock: {odd}"));
            if let Some(odd) = &odd {
                tracing::warn!("{odd}");
            }
            Ok(Tried::Fit(odd))
        }
        Err(refusal) => {
            let why = refusal.to_string();
            match refusal {
                Refusal::Unknown { cause, .. } => Ok(Tried::Unseen(why, *cause)),
                refusal @ Refusal::NotEnforced { .. } => Err(StartError::NotEnforced(refusal)),
            }
        }
    }
}
