//! What the archiver leaves for the agent beside a batch: a receipt, or why there is none.
//!
//! Each is one JSON line in the archiver's half of the spool. They never leave the host.

use crate::manifest::Reference;
use crate::{Digest, Moment};
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// One object in the store, with its lock as read back after the upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedObject {
    /// Its full key in the store.
    pub key: String,
    /// Its version.
    pub version_id: String,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// `COMPLIANCE`, as read back.
    pub mode: String,
    /// Locked until, as read back.
    pub retain_until: Moment,
}

/// A batch is in the store, locked, read back: file `<seq>.receipt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// SHA-256 of the manifest's first line: what the receipt is matched by.
    pub manifest_sha256: Digest,
    /// The manifest's `time.sealed_max`.
    pub sealed_max: Moment,
    /// The manifest's `retention_max_s`.
    pub retention_max_s: u64,
    /// The store's URL.
    pub store: String,
    /// The store's own time when it was done.
    pub store_time: Moment,
    /// The manifest object; `sha256` is of the whole file.
    pub manifest: LockedObject,
    /// The body object, if the batch has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<LockedObject>,
}

impl Receipt {
    /// The manifest as another one names it, for a receipt of `seq`.
    #[must_use]
    pub fn reference(&self, seq: u64) -> Reference {
        Reference {
            seq,
            sha256: self.manifest_sha256,
            sealed_max: self.sealed_max,
            retention_max_s: self.retention_max_s,
        }
    }
}

/// Why a batch cannot be uploaded as it is: file `<seq>.bad`. The agent answers with a new epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bad {
    /// The kind of fault.
    pub reason: BadReason,
    /// The same for people.
    pub detail: String,
    /// When it was found.
    pub at: Moment,
}

/// The kinds of fault in a sealed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadReason {
    /// Its files do not fit its manifest, or cannot be read.
    Rot,
    /// Its retention is over the archiver's `max_retention`.
    Retention,
}
