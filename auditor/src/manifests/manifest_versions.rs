//! The versions of one manifest key: which of them are statements of the agent, which are not.
//!
//! A version counts if its signature is by a key pinned for the agent in its name and its line
//! states the slot its name states. Dates and IsLatest never choose.

use crate::objects::inspector::Inspector;
use crate::objects::lock_state::{self, LockState};
use ledger::limits::MANIFEST_FILE_MAX;
use ledger::manifest::{Manifest, ManifestError};
use ledger::name::Slot;
use ledger::signature::signers::Trust;
use ledger::signature::{self, Key, Signature, SignatureError};
use ledger::{Digest, Moment};
use std::sync::Arc;
use store::{Store, StoreError, Version, VersionKind};

/// Different statements for one slot that are kept; two already are a fork.
const STATEMENTS_MAX: usize = 4;

/// Refused versions of one slot that are kept with their details.
const REFUSED_MAX: usize = 250;

/// Why a version is not a statement.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAStatement {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("signed by a key that is not pinned for this agent")]
    OtherKey,
    #[error("signed at a time for which the agent's key is not valid")]
    OutsideValidity,
    #[error("no key is pinned for this agent")]
    UnknownAgent,
    #[error("validly signed for {0}")]
    Scope(Slot),
    #[error("validly signed, yet {0}")]
    Format(ManifestError),
    #[error("{0}")]
    Newer(ManifestError),
    #[error("could not be read: {0}")]
    Unreadable(StoreError),
    #[error("larger than any manifest")]
    TooLarge,
    #[error("not a regular file")]
    Special,
}

/// What the agent stated for a slot, and the versions that hold it.
#[derive(Debug)]
pub(crate) struct SignedStatement {
    pub(crate) manifest: Arc<Manifest>,
    /// SHA-256 of its line.
    pub(crate) sha256: Digest,
    /// The key that signed it.
    pub(crate) key: Key,
    /// The version that was stored first.
    pub(crate) version_id: String,
    /// When that was, by the store.
    pub(crate) stored_at: Moment,
    pub(crate) lock: LockState,
}

impl SignedStatement {
    /// When the manifest's absence becomes lawful.
    pub(crate) fn lawful_from(&self) -> Moment {
        self.stored_at.plus_s(self.manifest.retention_max_s)
    }
}

/// A version that is not a statement.
#[derive(Debug)]
pub(crate) struct RefusedVersion {
    pub(crate) version_id: String,
    pub(crate) stored_at: Moment,
    pub(crate) why: NotAStatement,
}

/// Everything found under one manifest key.
#[derive(Debug)]
pub(crate) struct ManifestVersions {
    pub(crate) slot: Slot,
    pub(crate) statements: Vec<SignedStatement>,
    pub(crate) refused: Vec<RefusedVersion>,
    /// Refused versions beyond those kept.
    pub(crate) refused_more: u64,
    pub(crate) markers: Vec<Version>,
    /// Versions newer than the start of this run.
    pub(crate) newer: u64,
    pub(crate) locks_read: u64,
}

impl ManifestVersions {
    fn of(slot: Slot) -> Self {
        Self {
            slot,
            statements: Vec::new(),
            refused: Vec::new(),
            refused_more: 0,
            markers: Vec::new(),
            newer: 0,
            locks_read: 0,
        }
    }

    /// Adds what further versions of the same key held.
    pub(crate) fn merge(&mut self, other: Self) {
        other.statements.into_iter().for_each(|one| self.state(one));
        self.refused_more += other.refused_more;
        other.refused.into_iter().for_each(|one| self.refuse(one));
        let room = REFUSED_MAX.saturating_sub(self.markers.len());
        self.markers.extend(other.markers.into_iter().take(room));
        self.newer += other.newer;
        self.locks_read += other.locks_read;
    }

    fn state(&mut self, one: SignedStatement) {
        let same = |other: &&mut SignedStatement| other.sha256 == one.sha256;
        if let Some(known) = self.statements.iter_mut().find(same) {
            let lock = std::mem::replace(&mut known.lock, LockState::Absent);
            known.lock = lock.best(one.lock);
            if one.stored_at < known.stored_at {
                known.stored_at = one.stored_at;
                known.version_id = one.version_id;
            }
        } else if self.statements.len() < STATEMENTS_MAX {
            self.statements.push(one);
        }
    }

    fn refuse(&mut self, one: RefusedVersion) {
        if self.refused.len() < REFUSED_MAX {
            self.refused.push(one);
        } else {
            self.refused_more += 1;
        }
    }
}

/// Reads and judges `versions` of the manifest key of `slot`.
pub(crate) async fn read<S: Store>(
    inspector: &Inspector<S>,
    slot: Slot,
    versions: Vec<Version>,
) -> ManifestVersions {
    let key = slot.manifest_key();
    let mut found = ManifestVersions::of(slot);
    for version in versions {
        if inspector.criteria.is_newer(version.last_modified) {
            found.newer += 1;
            continue;
        }
        let Version {
            version_id,
            last_modified,
            ..
        } = &version;
        let refused = |why| RefusedVersion {
            version_id: version_id.clone(),
            stored_at: *last_modified,
            why,
        };
        match version.kind {
            VersionKind::Marker => {
                found.markers.push(version);
                continue;
            }
            VersionKind::Special => {
                found.refuse(refused(NotAStatement::Special));
                continue;
            }
            VersionKind::Object => {}
        }
        match read_version(inspector, &found.slot, &key, &version).await {
            Ok(statement) => {
                found.locks_read += u64::from(inspector.locks);
                found.state(statement);
            }
            Err(why) => found.refuse(refused(why)),
        }
    }
    found
}

async fn read_version<S: Store>(
    inspector: &Inspector<S>,
    slot: &Slot,
    key: &str,
    version: &Version,
) -> Result<SignedStatement, NotAStatement> {
    let max_bytes = MANIFEST_FILE_MAX as u64;
    if version.size > max_bytes {
        return Err(NotAStatement::TooLarge);
    }
    let fetched = inspector
        .reader
        .get(key, &version.version_id, max_bytes)
        .await;
    let fetched = fetched.map_err(|error| match error {
        StoreError::TooLarge { .. } => NotAStatement::TooLarge,
        error => NotAStatement::Unreadable(error),
    })?;
    let (manifest, sha256, signer) =
        judge_file(inspector, slot, &fetched.bytes, version.last_modified)?;
    let needed = version.last_modified.plus_s(manifest.retention_max_s);
    let lock = if !inspector.locks {
        LockState::Met
    } else {
        lock_state::read(
            &inspector.reader,
            key,
            &version.version_id,
            needed,
            inspector.criteria.now,
        )
        .await
    };
    Ok(SignedStatement {
        manifest: Arc::new(manifest),
        sha256,
        key: signer,
        version_id: version.version_id.clone(),
        stored_at: version.last_modified,
        lock,
    })
}

/// Whether `file` is a statement for `slot`: which, and whose key signed it.
pub(crate) fn judge_file<S>(
    inspector: &Inspector<S>,
    slot: &Slot,
    file: &[u8],
    stored_at: Moment,
) -> Result<(Manifest, Digest, Key), NotAStatement> {
    let (line, block) = signature::split(file)?;
    let signature = Signature::parse(block)?;
    signature.verify(line)?;
    let parsed = Manifest::parse(line);
    // A copy has no store that dated it; its own date is the next best.
    let at = match &parsed {
        Ok(manifest) if inspector.criteria.copy => manifest.time.sealed,
        _ => stored_at,
    };
    match inspector.signers.trust(&slot.agent, signature.key(), at) {
        Trust::Trusted => {}
        Trust::UnknownAgent => return Err(NotAStatement::UnknownAgent),
        Trust::OtherKey => return Err(NotAStatement::OtherKey),
        Trust::OutsideValidity => return Err(NotAStatement::OutsideValidity),
    }
    let manifest = parsed.map_err(|error| {
        if error.is_inconclusive() {
            NotAStatement::Newer(error)
        } else {
            NotAStatement::Format(error)
        }
    })?;
    if manifest.slot() != *slot {
        return Err(NotAStatement::Scope(manifest.slot()));
    }
    Ok((manifest, Digest::of(line), signature.key()))
}
