//! The store as an auditor uses it: reads alone, a short bounded patience, never a write.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use store::{Fetched, Lock, Page, Store, StoreError, Token};

/// How often a read is tried before it counts as unreadable.
const TRIES: u32 = 5;

/// The wait after the first failure; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Reads from a store.
#[derive(Debug)]
pub(crate) struct StoreReader<S> {
    store: Arc<S>,
}

impl<S> Clone for StoreReader<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
        }
    }
}

impl<S: Store> StoreReader<S> {
    pub(crate) fn new(store: Arc<S>) -> Self {
        Self { store }
    }

    /// One version, at most `max_bytes` of it.
    pub(crate) async fn get(
        &self,
        key: &str,
        version_id: &str,
        max_bytes: u64,
    ) -> Result<Fetched, StoreError> {
        patiently(|| self.store.get(key, Some(version_id), max_bytes)).await
    }

    /// The lock of one version; `None` if it has none.
    pub(crate) async fn lock_of(
        &self,
        key: &str,
        version_id: &str,
    ) -> Result<Option<Lock>, StoreError> {
        patiently(|| self.store.lock_of(key, version_id)).await
    }

    /// One page of all versions and markers.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        page: Option<&Token>,
    ) -> Result<Page, StoreError> {
        patiently(|| self.store.list_versions(prefix, page.cloned())).await
    }
}

async fn patiently<T, F>(call: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match call().await {
            Err(StoreError::Busy(_) | StoreError::Conflict(_) | StoreError::Skew { .. }) => {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            answer => return answer,
        }
    }
    call().await
}
