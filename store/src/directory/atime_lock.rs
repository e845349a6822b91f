//! A lock on a file, as SnapLock and SmartLock take it: access time = end, then no write permission.

use super::directory_fault::DirectoryFault;
use ledger::Moment;
use rustix::fs::{Mode, Stat, Timespec, Timestamps, UTIME_OMIT};
use std::fs::File;

/// Locks `file` until `until`, durably, and reads the lock back.
pub(super) fn lock(file: &File, until: Moment) -> Result<(), DirectoryFault> {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: i64::try_from(until.seconds()).unwrap_or(i64::MAX),
            tv_nsec: 0,
        },
        last_modification: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
    };
    rustix::fs::futimens(file, &times)?;
    // Crash here: an access time alone is no lock, so the file reads as unlocked.
    rustix::fs::fchmod(file, Mode::from_raw_mode(0o444))?;
    file.sync_all()?;
    // A file system may clamp or ignore either without saying so.
    let kept = lock_of(file)?;
    if kept.is_some_and(|kept| kept >= until) {
        return Ok(());
    }
    Err(DirectoryFault::LockNotKept { asked: until, kept })
}

/// Gives write permission back, if the file system lets us: the probe alone asks.
pub(super) fn lift(file: &File) -> Result<(), DirectoryFault> {
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(0o644))?)
}

/// Until when a file is locked; `None` while anyone may write to it.
pub(super) fn lock_of(file: &File) -> Result<Option<Moment>, DirectoryFault> {
    let stat = rustix::fs::fstat(file)?;
    let writable = stat.st_mode & 0o222 != 0;
    Ok((!writable).then(|| moment(stat.st_atime, 0)))
}

/// When a file's bytes were last written.
pub(super) fn modified(stat: &Stat) -> Moment {
    moment(stat.st_mtime, stat.st_mtime_nsec)
}

fn moment(seconds: i64, nanos: u64) -> Moment {
    Moment::from_micros(nanos / 1000).plus_s(u64::try_from(seconds).unwrap_or(0))
}
