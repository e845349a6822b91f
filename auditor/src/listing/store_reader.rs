//! The store as an auditor uses it: reads alone, a short bounded patience, never a write.

use std::sync::Arc;
use std::time::Duration;
use store::retry::{RetryPolicy, with_retries};
use store::{Fetched, Lock, Page, Store, StoreError, Token};

/// How long a read is tried before it counts as unreadable: three seconds of waiting.
const PATIENCE: RetryPolicy = RetryPolicy {
    tries: 5,
    first_wait: Duration::from_millis(200),
    factor: 2,
};

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
        with_retries(PATIENCE, || {
            self.store.get(key, Some(version_id), max_bytes)
        })
        .await
    }

    /// The lock of one version; `None` if it has none.
    pub(crate) async fn lock_of(
        &self,
        key: &str,
        version_id: &str,
    ) -> Result<Option<Lock>, StoreError> {
        with_retries(PATIENCE, || self.store.lock_of(key, version_id)).await
    }

    /// One page of all versions and markers.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        page: Option<&Token>,
    ) -> Result<Page, StoreError> {
        with_retries(PATIENCE, || self.store.list_versions(prefix, page.cloned())).await
    }
}
