//! References: what a manifest says of another one, of its own epoch, stream or agent.
//!
//! Each copies from the manifest that it names how long that one is kept, so that its absence can be
//! judged when it is gone: what a reference names, and everything before it in that epoch, may be absent
//! once `sealed_max` + `retention_max_s` is over, in any order.

use crate::json::integer;
use crate::name::{Epoch, Name};
use crate::{Digest, Moment};
use serde::{Deserialize, Serialize};

/// A manifest of the same epoch: `prev` names the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Its sequence number.
    #[serde(deserialize_with = "integer")]
    pub seq: u64,
    /// SHA-256 of its first line, LF included.
    pub sha256: Digest,
    /// Its `time.sealed_max`.
    pub sealed_max: Moment,
    /// Its `retention_max_s`.
    #[serde(deserialize_with = "integer")]
    pub retention_max_s: u64,
}

impl Reference {
    /// From when on the manifest, and what lies before it in its epoch, may be absent.
    #[must_use]
    pub fn expires(&self) -> Moment {
        self.sealed_max.plus_s(self.retention_max_s)
    }

    /// The same, as a genesis names it.
    #[must_use]
    pub fn in_epoch(self, epoch: Epoch) -> EpochHead {
        let Self {
            seq,
            sha256,
            sealed_max,
            retention_max_s,
        } = self;
        EpochHead {
            epoch,
            seq,
            sha256,
            sealed_max,
            retention_max_s,
        }
    }
}

/// The last manifest of an epoch that a genesis continues; what lies beyond is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochHead {
    /// The epoch.
    pub epoch: Epoch,
    /// As [`Reference::seq`].
    #[serde(deserialize_with = "integer")]
    pub seq: u64,
    /// As [`Reference::sha256`].
    pub sha256: Digest,
    /// As [`Reference::sealed_max`].
    pub sealed_max: Moment,
    /// As [`Reference::retention_max_s`].
    #[serde(deserialize_with = "integer")]
    pub retention_max_s: u64,
}

impl EpochHead {
    /// The reference without its epoch.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference {
            seq: self.seq,
            sha256: self.sha256,
            sealed_max: self.sealed_max,
            retention_max_s: self.retention_max_s,
        }
    }

    /// The same, as another stream's manifest names it.
    #[must_use]
    pub fn in_stream(self, stream: Name) -> StreamHead {
        let Self {
            epoch,
            seq,
            sha256,
            sealed_max,
            retention_max_s,
        } = self;
        StreamHead {
            stream,
            epoch,
            seq,
            sha256,
            sealed_max,
            retention_max_s,
        }
    }
}

/// The newest manifest of another stream of the agent that was in the store, with a receipt, when the
/// manifest that names it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamHead {
    /// The stream.
    pub stream: Name,
    /// Its epoch.
    pub epoch: Epoch,
    /// As [`Reference::seq`].
    #[serde(deserialize_with = "integer")]
    pub seq: u64,
    /// As [`Reference::sha256`].
    pub sha256: Digest,
    /// As [`Reference::sealed_max`].
    pub sealed_max: Moment,
    /// As [`Reference::retention_max_s`].
    #[serde(deserialize_with = "integer")]
    pub retention_max_s: u64,
}

impl StreamHead {
    /// The reference without its stream.
    #[must_use]
    pub fn epoch_head(&self) -> EpochHead {
        self.reference().in_epoch(self.epoch)
    }

    /// The reference without its stream and epoch.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference {
            seq: self.seq,
            sha256: self.sha256,
            sealed_max: self.sealed_max,
            retention_max_s: self.retention_max_s,
        }
    }
}
