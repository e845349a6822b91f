//! One holder at a time: an advisory lock on a file, held by the kernel until the process ends.

use crate::folder::{FILE_MODE, Folder, mend_mode};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a taken lock is tried again before it counts as held: [`is_held`] takes it for a moment.
const TRIES: u32 = 10;
/// Between two tries.
const TRY_EVERY: Duration = Duration::from_millis(5);

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
    /// Takes the lock at `path`, making the (empty) file if it is missing. Waits for no holder, only
    /// (50 ms at most) for somebody who looks whether there is one.
    ///
    /// # Errors
    /// [`LockError`]
    pub fn take(path: &Path) -> Result<Self, LockError> {
        Self::take_at(CWD, path, path)
    }

    /// The same at `name` in an open folder, whose path is for messages.
    ///
    /// # Errors
    /// [`LockError`]
    pub fn take_in(folder: &Folder, name: &str, at: &Path) -> Result<Self, LockError> {
        Self::take_at(folder.as_fd(), Path::new(name), &at.join(name))
    }

    fn take_at(folder: BorrowedFd<'_>, path: &Path, shown: &Path) -> Result<Self, LockError> {
        let failed = |source: io::Error| LockError::Io {
            path: shown.into(),
            source,
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(folder, path, flags, Mode::from_raw_mode(FILE_MODE));
        let file = file.map_err(|errno| failed(errno.into()))?;
        // Whoever asks for the status asks for the lock, whatever the umask was.
        mend_mode(&file, FILE_MODE).map_err(failed)?;
        for _ in 0..TRIES {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { file }),
                Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(TRY_EVERY),
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        Err(LockError::Held(shown.into()))
    }
}

/// Whether a process holds the lock at `path` now. Makes nothing and needs no right but to read the
/// file; the look itself is over before it returns.
///
/// # Errors
/// What the system says; a file that is not there is a lock that nobody holds.
pub fn is_held(path: &Path) -> io::Result<bool> {
    is_held_at(CWD, path)
}

/// The same at `name` in an open folder.
///
/// # Errors
/// The same.
pub fn is_held_in(folder: &Folder, name: &str) -> io::Result<bool> {
    is_held_at(folder.as_fd(), Path::new(name))
}

fn is_held_at(folder: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(folder, path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    // Shared, so that any number may look at once.
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
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

    #[test]
    fn looking_makes_nothing_and_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(!is_held(&path).unwrap() && !path.exists());
        let held = Lock::take(&path).unwrap();
        assert!(is_held(&path).unwrap());
        drop(held);
        assert!(!is_held(&path).unwrap());
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    is_held(&path).unwrap();
                }
            });
            for _ in 0..200 {
                let taken = Lock::take(&path);
                if taken.is_err() {
                    stop.store(true, std::sync::atomic::Ordering::Relaxed);
                }
                drop(taken.unwrap());
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
