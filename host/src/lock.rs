//! One holder at a time: an advisory lock on a file, held by the kernel until the process ends.

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A lock held until it is dropped or the process dies, kill -9 included.
#[derive(Debug)]
pub struct Lock {
    #[expect(dead_code, reason = "the lock lives as long as this descriptor")]
    file: OwnedFd,
}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{}: another process holds this lock; only one may run here", .0.display())]
    Held(PathBuf),
    /// The lock file cannot be made or opened.
    #[error("{}: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock at `path`, making the (empty) file if it is missing. Does not wait.
    ///
    /// # Errors
    /// [`LockError`]
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |error: rustix::io::Errno| LockError::Io {
            path: path.into(),
            source: error.into(),
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::from_raw_mode(0o640)).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held(path.into())),
            Err(error) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(LockError::Held(_))));
        drop(held);
        Lock::take(&path).unwrap();
    }
}
