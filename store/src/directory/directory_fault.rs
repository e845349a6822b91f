//! What goes wrong in a directory store, and what that means to a store's caller.

use super::super::{StoreAnswer, StoreError};
use ledger::{Digest, Moment};
use rustix::io::Errno;
use std::io;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectoryFault {
    #[error("there is no such directory; `holdfast bucket create` makes one")]
    NoRoot,
    #[error("this key is none of Holdfast's, so it never becomes a path")]
    ForeignKey,
    #[error("not a regular file, so it is not opened")]
    NotAFile,
    #[error("no such version: a directory keeps only `null`")]
    NoVersion,
    #[error("the lock lasts until {0} already, and locks are never shortened")]
    Shorter(Moment),
    #[error("other bytes stand there already, and a directory keeps one version")]
    OtherBytes,
    #[error("the bytes to store don't have the SHA-256 {0}")]
    BadDigest(Digest),
    #[error("longer than the {0} bytes it may have")]
    TooLarge(u64),
    #[error(
        "asked to keep access time {asked} without write permission, the file system kept {kept:?}; \
         use one that keeps both"
    )]
    LockNotKept { asked: Moment, kept: Option<Moment> },
    #[error(transparent)]
    System(#[from] io::Error),
}

impl From<Errno> for DirectoryFault {
    fn from(errno: Errno) -> Self {
        Self::System(errno.into())
    }
}

impl DirectoryFault {
    /// Whether a name was taken by another.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::System(error) if error.kind() == io::ErrorKind::AlreadyExists)
    }

    /// What it means to the caller.
    pub(super) fn explain(&self, asked: String) -> StoreError {
        let answer = StoreAnswer::new(asked, self.to_string());
        match self {
            Self::NoRoot => StoreError::NoBucket(answer),
            Self::ForeignKey | Self::NotAFile => StoreError::Refused(answer),
            Self::NoVersion => StoreError::Missing(answer),
            Self::Shorter(_) => StoreError::Denied(answer),
            Self::OtherBytes => StoreError::Exists(answer),
            Self::BadDigest(_) => StoreError::BadDigest(answer),
            Self::TooLarge(max_bytes) => StoreError::TooLarge {
                max_bytes: *max_bytes,
                answer,
            },
            Self::LockNotKept { .. } => StoreError::Broken(answer),
            Self::System(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::EXIST) => StoreError::Exists(answer),
                Some(Errno::NOENT) => StoreError::Missing(answer),
                Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => StoreError::Denied(answer),
                Some(Errno::LOOP | Errno::NOTDIR | Errno::ISDIR) => StoreError::Refused(answer),
                // EIO, a full disk or quota, no memory, no descriptors: it may pass.
                _ => StoreError::Busy(answer),
            },
        }
    }
}
