//! What is asked of a store, row by row: what each tries, what a good store does, and the control
//! that tells a refusal by the lock from one by permission.

use serde::Serialize;

/// One row of the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// Versioning and Object Lock.
    Setup,
    /// A lock, read back.
    Lock,
    /// Delete a locked version.
    Delete,
    /// The same as somebody who may lift GOVERNANCE locks.
    DeleteBypass,
    /// Shorten a lock.
    Shorten,
    /// The same as somebody who may lift GOVERNANCE locks.
    ShortenBypass,
    /// COMPLIANCE to GOVERNANCE.
    Weaken,
    /// The same as somebody who may lift GOVERNANCE locks.
    WeakenBypass,
    /// Other bytes under the same key.
    Overwrite,
    /// Bytes that don't have their checksum.
    Checksum,
    /// A conditional create of what is there.
    CreateTwice,
    /// Many conditional creates at once.
    CreateRace,
    /// The store's clock beside ours.
    Clock,
    /// Suspend versioning, on a scratch bucket.
    Suspend,
}

/// Racers of [`Row::CreateRace`].
pub(super) const RACERS: u8 = 16;

impl Row {
    /// All, in the order in which they are tried.
    pub const ALL: [Self; 14] = [
        Self::Setup,
        Self::Lock,
        Self::Delete,
        Self::DeleteBypass,
        Self::Shorten,
        Self::ShortenBypass,
        Self::Weaken,
        Self::WeakenBypass,
        Self::Overwrite,
        Self::Checksum,
        Self::CreateTwice,
        Self::CreateRace,
        Self::Clock,
        Self::Suspend,
    ];

    /// Its name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Setup => "bucket set up",
            Self::Lock => "lock read back",
            Self::Delete => "delete the version",
            Self::DeleteBypass => "delete with bypass",
            Self::Shorten => "shorten the lock",
            Self::ShortenBypass => "shorten with bypass",
            Self::Weaken => "to GOVERNANCE",
            Self::WeakenBypass => "to GOVERNANCE with bypass",
            Self::Overwrite => "overwrite",
            Self::Checksum => "wrong checksum",
            Self::CreateTwice => "If-None-Match twice",
            Self::CreateRace => "If-None-Match 16 at once",
            Self::Clock => "clock",
            Self::Suspend => "suspend versioning",
        }
    }

    /// What its canary's key ends with.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Lock => "lock",
            Self::Delete => "delete",
            Self::DeleteBypass => "delete-bypass",
            Self::Shorten => "shorten",
            Self::ShortenBypass => "shorten-bypass",
            Self::Weaken => "weaken",
            Self::WeakenBypass => "weaken-bypass",
            Self::Overwrite => "overwrite",
            Self::Checksum => "checksum",
            Self::CreateTwice => "create-twice",
            Self::CreateRace => "create-race",
            Self::Clock => "clock",
            Self::Suspend => "suspend",
        }
    }

    /// What a store that keeps evidence does.
    #[must_use]
    pub fn expected(self) -> &'static str {
        match self {
            Self::Setup => "versioning Enabled and Object Lock on",
            Self::Lock => "COMPLIANCE mode, until the second that was asked for",
            Self::Delete | Self::DeleteBypass => "no; the version is there until its lock ends",
            Self::Shorten | Self::ShortenBypass => "no; the lock keeps its end",
            Self::Weaken | Self::WeakenBypass => "no; the lock stays in COMPLIANCE mode",
            Self::Overwrite => "the first version is still there, with its bytes and its lock",
            Self::Checksum => "no, and nothing is kept",
            Self::CreateTwice => "the second is refused with 412 and changes nothing",
            Self::CreateRace => "one of 16 succeeds, and one version is there",
            Self::Clock => "within 14 minutes of ours: requests signed 15 minutes off are refused",
            Self::Suspend => "no; versioning stays Enabled",
        }
    }

    /// Whether a good answer is a refusal by the lock, and not a promise kept.
    pub(super) fn is_refusal(self) -> bool {
        self.is_of_lock() || matches!(self, Self::Delete | Self::DeleteBypass | Self::Suspend)
    }

    /// Whether it attacks the lock itself, and not what is locked.
    pub(super) fn is_of_lock(self) -> bool {
        matches!(
            self,
            Self::Shorten | Self::ShortenBypass | Self::Weaken | Self::WeakenBypass
        )
    }

    /// Whether it is tried as somebody who may lift GOVERNANCE locks.
    pub(super) fn bypasses(self) -> bool {
        matches!(
            self,
            Self::DeleteBypass | Self::ShortenBypass | Self::WeakenBypass
        )
    }
}
