//! Sleeping until something may have happened: inotify on the folders of logs, a timeout behind it.
//!
//! Only a wake-up: what happened is found out by looking. A lost or overflowing event costs one poll
//! interval, so no event is ever read for what it says.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of events thrown away at a time.
const EVENTS: usize = 16 * 1024;

/// Sleeps for the agent.
#[derive(Debug)]
pub struct Waker {
    inotify: Option<OwnedFd>,
    /// The kernel's limit was told once.
    told: bool,
}

impl Waker {
    /// A waker without folders. Where the kernel refuses inotify, it only polls.
    #[must_use]
    pub fn new() -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        if let Err(error) = &inotify {
            tracing::warn!(%error, "no inotify: new lines are found by polling alone");
        }
        Self {
            told: inotify.is_err(),
            inotify: inotify.ok(),
        }
    }

    /// Wakes for changes in these folders. Asking again for the same ones costs little and covers
    /// folders that were replaced.
    pub fn watch(&mut self, folders: &[PathBuf]) {
        let Some(fd) = &self.inotify else { return };
        let changes = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVE
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        for folder in folders {
            match inotify::add_watch(fd, folder, changes) {
                Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => {}
                Err(error) if self.told => {
                    tracing::debug!(folder = %folder.display(), %error, "not watched");
                }
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "cannot watch all folders: new lines there are found by polling; raise fs.inotify.max_user_watches");
                    self.told = true;
                }
            }
        }
    }

    /// Sleeps for at most `longest`, or until a signal comes. Changes meanwhile are noticed later.
    pub fn pause(&self, longest: Duration) {
        // Not `thread::sleep`, which a signal does not end.
        if let Err(error) = poll(&mut [], Some(&timespec(longest))) {
            tracing::trace!(%error, "woken early");
        }
    }

    /// Sleeps for at most `longest`, or until something changes or a signal comes. Whether it was
    /// woken by a change.
    pub fn sleep(&self, longest: Duration) -> bool {
        let Some(fd) = &self.inotify else {
            self.pause(longest);
            return false;
        };
        let timeout = timespec(longest);
        let woken = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout));
        if !woken.is_ok_and(|ready| ready > 0) {
            return false;
        }
        let mut events = [0u8; EVENTS];
        // Until the queue is empty: a bounded number of reads, for the kernel bounds the queue.
        while rustix::io::read(fd, &mut events[..]).is_ok_and(|read| read > 0) {}
        true
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

impl Default for Waker {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_change_wakes_and_silence_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut waker = Waker::new();
        waker.watch(&[dir.path().into(), dir.path().join("missing")]);
        assert!(!waker.sleep(Duration::from_millis(10)));
        waker.pause(Duration::from_millis(10));
        std::fs::write(dir.path().join("a.log"), b"x").unwrap();
        let start = Instant::now();
        assert!(waker.sleep(Duration::from_secs(30)));
        assert!(start.elapsed() < Duration::from_secs(20));
        assert!(
            !waker.sleep(Duration::from_millis(10)),
            "events were thrown away"
        );
    }
}
