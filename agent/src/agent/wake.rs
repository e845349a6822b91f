//! Sleeping until something may have happened: `notify` on the folders of logs, a timeout behind it.
//!
//! Only a wake-up: what happened is found out by looking. A lost or overflowing event costs one poll
//! interval, so no event is ever read for what it says.

use notify::{Config, ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Sleeps for the agent.
#[derive(Debug)]
pub(crate) struct Waker {
    watch: Option<Inotify>,
    /// The kernel's limit was told once.
    told: bool,
}

#[derive(Debug)]
struct Inotify {
    watcher: RecommendedWatcher,
    /// Written by the watcher's thread. A descriptor, for a signal ends a poll and not a channel's wait.
    wakeup: Arc<OwnedFd>,
    folders: BTreeSet<PathBuf>,
}

impl Inotify {
    fn new() -> Result<Self, notify::Error> {
        let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
        let wakeup = Arc::new(eventfd(0, flags).map_err(io::Error::from)?);
        let sender = Arc::clone(&wakeup);
        let heard = move |event: notify::Result<Event>| {
            if !wakes(&event) {
                return;
            }
            // A full counter refuses, and wakes already.
            if let Err(error) = rustix::io::write(&*sender, &1u64.to_ne_bytes()) {
                tracing::trace!(%error, "a wakeup is pending already");
            }
        };
        let watcher = RecommendedWatcher::new(heard, Config::default())?;
        Ok(Self {
            watcher,
            wakeup,
            folders: BTreeSet::new(),
        })
    }
}

impl Waker {
    /// A waker without folders. Where the kernel refuses inotify, it only polls.
    #[must_use]
    pub(crate) fn new() -> Self {
        let watch = Inotify::new();
        if let Err(error) = &watch {
            tracing::warn!(%error, "no inotify: new lines are found by polling alone");
        }
        Self {
            told: watch.is_err(),
            watch: watch.ok(),
        }
    }

    /// Wakes for changes in these folders. One that was replaced under its name is polled until the
    /// agent starts again.
    pub(crate) fn watch(&mut self, folders: &[PathBuf]) {
        let Some(watch) = &mut self.watch else { return };
        for folder in folders {
            if watch.folders.contains(folder) {
                continue;
            }
            match watch.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watch.folders.insert(folder.clone());
                }
                Err(error) if self.told || !is_limit(&error) => {
                    tracing::debug!(folder = %folder.display(), %error, "not watched");
                }
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "cannot watch all folders: new lines there are found by polling; raise fs.inotify.max_user_watches");
                    self.told = true;
                }
            }
        }
    }

    /// Sleeps for at most `longest`, or until a signal comes. Changes until then are noticed later.
    pub(crate) fn pause(&self, longest: Duration) {
        // Not `thread::sleep`, which a signal does not end.
        if let Err(error) = poll(&mut [], Some(&timespec(longest))) {
            tracing::trace!(%error, "woken early");
        }
    }

    /// Sleeps for at most `longest`, or until something changes or a signal comes. Whether it was
    /// woken by a change.
    pub(crate) fn sleep(&self, longest: Duration) -> bool {
        let Some(watch) = &self.watch else {
            self.pause(longest);
            return false;
        };
        let timeout = timespec(longest);
        let woken = poll(
            &mut [PollFd::new(&*watch.wakeup, PollFlags::IN)],
            Some(&timeout),
        );
        if !woken.is_ok_and(|ready| ready > 0) {
            return false;
        }
        // One read resets an eventfd, however often it was written.
        let mut count = [0u8; 8];
        rustix::io::read(&*watch.wakeup, &mut count).is_ok()
    }
}

/// Whether an event may mean new bytes or names: the agent's own opening and reading must not wake it.
fn wakes(event: &notify::Result<Event>) -> bool {
    !event.as_ref().is_ok_and(|event| event.kind.is_access())
}

fn is_limit(error: &notify::Error) -> bool {
    matches!(error.kind, ErrorKind::MaxFilesWatch)
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
    use notify::EventKind;
    use notify::event::{AccessKind, CreateKind, ModifyKind, RemoveKind};

    /// Far longer than any machine takes to tell of a change: a test that waits so long has failed.
    const HANG_LIMIT: Duration = Duration::from_secs(600);

    #[test]
    fn a_change_wakes_and_silence_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut waker = Waker::new();
        waker.watch(&[dir.path().into(), dir.path().join("missing")]);
        assert!(!waker.sleep(Duration::from_millis(10)));
        waker.pause(Duration::from_millis(10));
        std::fs::write(dir.path().join("a.log"), b"x").unwrap();
        assert!(waker.sleep(HANG_LIMIT));
    }

    #[test]
    fn writing_wakes_and_reading_does_not() {
        let wakes = |kind| wakes(&Ok(Event::new(kind)));
        assert!(!wakes(EventKind::Access(AccessKind::Any)));
        assert!(wakes(EventKind::Create(CreateKind::Any)));
        assert!(wakes(EventKind::Modify(ModifyKind::Any)));
        assert!(wakes(EventKind::Remove(RemoveKind::Any)));
        // A queue that overflowed, or a watch that broke: nobody knows what was in it.
        assert!(wakes(EventKind::Other));
        assert!(super::wakes(&Err(notify::Error::generic("broken"))));
    }
}
