//! The versions of one body's key, read: which of them holds the signed bytes, and what it holds. Content is
//! judged by `body_content`; what the rest means is judged by `body_verdict`.

use super::body_content::{self, ContentFault, Touches};
use crate::manifests::manifest_versions::SignedStatement;
use crate::objects::inspector::Inspector;
use crate::objects::lock_state::{self, LockState};
use crate::objects::unjudged;
use ledger::manifest::Manifest;
use ledger::{Digest, Moment};
use std::sync::Arc;
use store::{Store, StoreError, Version, VersionKind};

/// A version of a body's key whose bytes are not the signed ones.
#[derive(Debug)]
pub(crate) struct OtherBytes {
    pub(crate) version_id: String,
    pub(crate) stored_at: Moment,
    pub(crate) got: String,
}

/// The version that holds the signed bytes.
#[derive(Debug)]
pub(crate) struct SignedBytes {
    pub(crate) version_id: String,
    pub(crate) content: Result<Touches, ContentFault>,
}

/// Everything found under one body's key.
#[derive(Debug, Default)]
pub(crate) struct BodyVersions {
    pub(crate) signed: Option<SignedBytes>,
    pub(crate) lock: Option<LockState>,
    pub(crate) locks_read: u64,
    pub(crate) other: Vec<OtherBytes>,
    /// Versions that could not be read, so nobody knows.
    pub(crate) unreadable: Vec<OtherBytes>,
    pub(crate) markers: Vec<Version>,
    pub(crate) newer: u64,
}

/// Reads and judges `versions` of the body that `statement` names.
pub(crate) async fn read<S: Store>(
    inspector: Inspector<S>,
    manifest: Arc<Manifest>,
    key: String,
    versions: Vec<Version>,
) -> BodyVersions {
    let mut found = BodyVersions::default();
    let Some(stored) = &manifest.stored else {
        return found;
    };
    for version in versions {
        if inspector.criteria.is_newer(version.last_modified) {
            found.newer += 1;
            continue;
        }
        if version.kind == VersionKind::Marker {
            found.markers.push(version);
            continue;
        }
        let other = |got: String| OtherBytes {
            version_id: version.version_id.clone(),
            stored_at: version.last_modified,
            got,
        };
        if version.kind == VersionKind::Special || version.size != stored.size {
            found.other.push(other(format!("{} bytes", version.size)));
            continue;
        }
        match inspector
            .reader
            .get(&key, &version.version_id, stored.size)
            .await
        {
            Ok(fetched) => {
                let sha256 = Digest::of(&fetched.bytes);
                if sha256 != stored.sha256 {
                    found.other.push(other(sha256.to_string()));
                    continue;
                }
                read_lock(&inspector, &manifest, &key, &version, &mut found).await;
                if found.signed.is_none() {
                    let version_id = version.version_id;
                    let content = judge_content(Arc::clone(&manifest), fetched.bytes).await;
                    found.signed = Some(SignedBytes {
                        version_id,
                        content,
                    });
                }
            }
            Err(StoreError::TooLarge { .. }) => {
                found
                    .other
                    .push(other("more bytes than its list says".into()));
            }
            Err(error) => found.unreadable.push(other(error.to_string())),
        }
    }
    found
}

async fn read_lock<S: Store>(
    inspector: &Inspector<S>,
    manifest: &Manifest,
    key: &str,
    version: &Version,
    found: &mut BodyVersions,
) {
    if !inspector.locks {
        return;
    }
    let needed = version.last_modified.plus_s(manifest.retention_s);
    let state = lock_state::read(
        &inspector.reader,
        key,
        &version.version_id,
        needed,
        inspector.criteria.now,
    )
    .await;
    found.locks_read += 1;
    found.lock = Some(match found.lock.take() {
        Some(other) => other.best(state),
        None => state,
    });
}

/// Unpacking takes a core for a while; the runtime's own threads are for waiting.
async fn judge_content(
    manifest: Arc<Manifest>,
    bytes: bytes::Bytes,
) -> Result<Touches, ContentFault> {
    match tokio::task::spawn_blocking(move || body_content::judge(&manifest, &bytes)).await {
        Ok(judged) => judged,
        Err(error) => Err(Box::new(unjudged::content(&error))),
    }
}

/// The one statement of a slot that is followed, as its body needs it.
#[derive(Debug, Clone)]
pub(crate) struct NamedBody {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) stored_at: Moment,
}

impl NamedBody {
    pub(crate) fn of(statement: &SignedStatement) -> Self {
        Self {
            manifest: Arc::clone(&statement.manifest),
            stored_at: statement.stored_at,
        }
    }

    /// The hash of the signed bytes.
    pub(crate) fn stored_hash(&self) -> String {
        let stored = self.manifest.stored.as_ref();
        stored.map_or_else(String::new, |stored| stored.sha256.to_string())
    }

    /// When the body's absence becomes lawful.
    pub(crate) fn retained_until(&self) -> Moment {
        self.stored_at.plus_s(self.manifest.retention_s)
    }
}
