//! Whether a store is admitted: seen to be set up for evidence, and to keep it, before the first batch
//! is sent.

use super::start_error::StartError;
use crate::upload::Terms;
use host::disk;
use probe::{Refusal, harmless};
use std::sync::Arc;
use std::time::Instant;
use store::retry::{Ruling, rule};
use store::{Intruder, Protection, SetupFault, StoreError};

/// Sees that the store is set up to keep evidence, and keeps it, before anything is sent to it. An
/// outage or a missing right is waited for; a store that is not set up, or does not enforce its locks, is refused. `save`
/// is told why uploads are paused, in the end that they are not or why the store was refused.
pub(super) async fn admit<S: Intruder + Clone + 'static>(
    store: &S,
    terms: Terms,
    save: impl Fn(Option<String>),
) -> Result<(), StartError> {
    let mut failures = 0;
    loop {
        let tried = try_out(store).await;
        let tried = tried.inspect_err(|refusal| save(Some(refusal.to_string())))?;
        let Some((why, cause)) = tried else {
            save(None);
            return Ok(());
        };
        save(Some(why.clone()));
        let roll = getrandom::u64().unwrap_or_default();
        let wait = match rule(&cause, failures, roll, terms.retry_held) {
            Ruling::Again(wait) | Ruling::Recheck(wait) => wait,
            Ruling::Hold(..) if terms.once => return Err(StartError::Held(why)),
            Ruling::Hold(_, wait) => wait,
        };
        tracing::error!(?wait, "uploads are paused: {why}");
        failures += 1;
        tokio::time::sleep(wait).await;
    }
}

/// Asks once; what kept the store from being seen fit, in words and as a cause.
async fn try_out<S: Intruder + Clone + 'static>(
    store: &S,
) -> Result<Option<(String, StoreError)>, StartError> {
    match store.check().await {
        Ok(()) => {}
        Err(fault) => {
            let why = fault.to_string();
            return match fault {
                SetupFault::Unknown { cause, .. } => Ok(Some((why, cause))),
                fault => Err(StartError::Setup(fault)),
            };
        }
    }
    if store.capability().protection == Protection::Evidences {
        tracing::info!("a directory only evidences: nothing to probe");
        return Ok(None);
    }
    let (run, began) = (disk::random_name()?, Instant::now());
    match harmless(Arc::new(store.clone()), &run, host::clock::now).await {
        Ok(odd) => {
            let took = began.elapsed();
            tracing::info!(?took, "probed: the store keeps what it locks");
            if let Some(odd) = odd {
                tracing::warn!("the store's clock: {odd}");
            }
            Ok(None)
        }
        Err(refusal) => {
            let why = refusal.to_string();
            match refusal {
                Refusal::Unknown { cause, .. } => Ok(Some((why, *cause))),
                refusal @ Refusal::NotEnforced { .. } => Err(StartError::NotEnforced(refusal)),
            }
        }
    }
}
