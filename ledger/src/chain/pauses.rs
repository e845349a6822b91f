//! What an epoch's events demand of the manifest after them: `start` after `stop`, `resumed` after `full`, nothing
//! after `close`.

use super::Break;
use crate::manifest::{EventKind, Kind, Manifest};
use alloc::vec::Vec;

/// How the newest manifest ended.
///
/// | next manifest | any before → after | breaks a rule                                            |
/// |---------------|--------------------|----------------------------------------------------------|
/// | `close`       | `Closed`           | after `Closed`: every manifest                           |
/// | has `stop`    | `Stopped`          | after `Stopped`: without `start`, or with one not clean  |
/// | else          | `Running`          | after `Running`: with a clean `start`                    |
///
/// Before an epoch's oldest manifest, and behind missing ones, it is `Unknown`, after which nothing breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Unknown,
    Running,
    Stopped,
    Closed,
}

/// Whether the spool has room, as the agent said.
///
/// | next manifest        | `Room`        | `Full`                      | `Unknown` |
/// |----------------------|---------------|-----------------------------|-----------|
/// | has `full`           | `Full`        | `Full`                      | `Full`    |
/// | else, has `resumed`  | `Room`, break | `Room`                      | `Room`    |
/// | neither              | `Room`        | `Full`, break if it reads   | `Unknown` |
///
/// A genesis finds `Room`. What stands before another oldest manifest, or in missing ones, is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    Unknown,
    Room,
    Full,
}

/// What the newest manifest followed so far leaves to be said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    run: Run,
    space: Space,
}

impl Pauses {
    /// Before an epoch's oldest manifest that is there.
    pub(super) fn before_oldest(is_genesis: bool) -> Self {
        let space = if is_genesis {
            Space::Room
        } else {
            Space::Unknown
        };
        let run = Run::Unknown;
        Self { run, space }
    }

    /// Manifests are missing.
    pub(super) fn lose(&mut self) {
        *self = Self::before_oldest(false);
    }

    /// Takes the next manifest; what of it does not fit.
    pub(super) fn follow(&mut self, manifest: &Manifest) -> Vec<Break> {
        let mut breaks = Vec::new();
        if self.run == Run::Closed {
            breaks.push(Break::AfterClose);
        }
        breaks.extend(self.check_start(manifest));
        let (full, resumed) = (
            manifest.has(EventKind::Full),
            manifest.has(EventKind::Resumed),
        );
        let reads = manifest.entries.count > 0 || manifest.sources.iter().any(|it| it.from < it.to);
        match self.space {
            Space::Full if reads && !resumed => breaks.push(Break::ReadWhileFull),
            Space::Room if resumed => breaks.push(Break::ResumedWithoutFull),
            _ => {}
        }
        self.space = match (full, resumed) {
            (true, _) => Space::Full,
            (false, true) => Space::Room,
            (false, false) => self.space,
        };
        self.run = match manifest.kind {
            Kind::Close => Run::Closed,
            _ if manifest.has(EventKind::Stop) => Run::Stopped,
            _ => Run::Running,
        };
        breaks
    }

    fn check_start(self, manifest: &Manifest) -> Option<Break> {
        let expected = match self.run {
            Run::Unknown | Run::Closed => return None,
            Run::Running => false,
            Run::Stopped => true,
        };
        let starts = manifest.events.iter();
        let mut starts = starts.filter(|event| event.kind == EventKind::Start);
        if self.run == Run::Stopped && !manifest.has(EventKind::Start) {
            return Some(Break::StartMissing);
        }
        starts
            .any(|event| event.clean != Some(expected))
            .then_some(Break::StartUnfit { expected })
    }
}
