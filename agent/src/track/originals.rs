//! The source that a newcomer may be a copy of: whether it stands, is like it, or has moved on meanwhile.

use super::candidates::{COMPARED_MAX, Newcomer, Rivals};
use super::decide::{self, Original, QUIET_MS};
use super::first_bytes::Heads;
use super::scan::Round;
use super::tracked_file::OpenFault;
use super::tracked_source::{Reach, Source};
use super::{SourceKey, Sources};
use crate::sys;
use crate::track::fingerprint::{self, WINDOW};
use std::io;

impl Sources {
    /// A source that has since lost its file, of which this was seen to be a copy while both stood
    /// side by side: known even where no fingerprint reaches, because nothing was read yet or
    /// because the copy ends before the read position.
    pub(super) fn witnessed(
        &self,
        new: &Newcomer,
        rivals: &Rivals,
        round: &mut Round,
    ) -> Option<SourceKey> {
        let (key, then) = new.witness?;
        let source = self.sources.get(&key)?;
        let sole = rivals.witnesses.get(&key) == Some(&1);
        let offset = source.read.offset();
        let unproven = offset == 0 || then < offset;
        let gone = self.original(key, round) == Original::Gone;
        (then == new.held.size && sole && unproven && gone).then_some(key)
    }

    /// How the file of a source stands that a newcomer may be a copy of.
    pub(super) fn original(&self, key: SourceKey, round: &mut Round) -> Original {
        let Some(source) = self.sources.get(&key) else {
            return Original::Gone;
        };
        match source.reach {
            Reach::Over { .. } | Reach::Robbed { .. } => Original::Gone,
            Reach::Absent { .. } if round.has_listed(source.held.folder) => Original::Gone,
            Reach::Absent { .. } => Original::Intact,
            Reach::Here if source.held.stat.is_none_or(|stat| stat.links > 0) => Original::Intact,
            Reach::Here => {
                let quiet = source.held.quiet_ms(round.now_ms) >= QUIET_MS;
                if source.is_settled() && quiet {
                    Original::Gone
                } else {
                    Original::Draining
                }
            }
        }
    }

    /// Whether a source that the newcomer may be a copy of has changed since this scan looked at it:
    /// a log may grow, be copied and be cut between that look and the one at its copy, and would
    /// seem to stand, whole and shorter, beside it.
    pub(super) fn is_overtaken(&mut self, new: &Newcomer, heads: &Heads) -> bool {
        let boot_id = self.boot_id;
        let near = heads.beginning_with(&new.held.head);
        let keys = new.matches.iter().copied().chain(near);
        let keys: Vec<_> = keys.take(COMPARED_MAX).collect();
        keys.into_iter().any(|key| {
            let source = self.sources.get_mut(&key);
            let Some(source) = source.filter(|source| source.reach == Reach::Here) else {
                return false;
            };
            match source.held.open(boot_id).map(|file| sys::stat_file(&file)) {
                Ok(Ok(stat)) => source.held.is_changed(&stat),
                Err(OpenFault::Moved) => true,
                Ok(Err(_)) | Err(OpenFault::Io(_)) => false,
            }
        })
    }

    /// The live source whose file the newcomer so far equals the beginning of. A file at a source's
    /// own first path replaces that source's file and is no copy of it.
    pub(super) fn likeness(
        &mut self,
        new: &mut Newcomer,
        heads: &Heads,
    ) -> io::Result<Option<SourceKey>> {
        let (size, boot_id) = (new.held.size, self.boot_id);
        let file = match new.held.open(boot_id) {
            Ok(file) => file,
            Err(OpenFault::Moved) => return Ok(None),
            Err(OpenFault::Io(error)) => return Err(error),
        };
        let (head, path) = (&new.held.head, &new.path);
        let is_near = |key: &SourceKey| {
            self.sources.get(key).is_some_and(|source| {
                let live = source.reach == Reach::Here && !source.spent;
                live && source.held.size >= size && source.path != *path
            })
        };
        // The one it was like before comes first.
        let before = new.witness.map(|(key, _)| key).filter(is_near);
        let others = heads.beginning_with(head).filter(is_near);
        let others = others.filter(|key| Some(*key) != before);
        let keys: Vec<_> = before
            .into_iter()
            .chain(others)
            .take(COMPARED_MAX)
            .collect();
        for key in keys {
            let Some(source) = self.sources.get_mut(&key) else {
                continue;
            };
            let Ok(original) = source.held.open(boot_id) else {
                continue;
            };
            if fingerprint::agree(&file, &original, size)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Whether the newcomer equals the beginning of another live file, and holds all that is read of
    /// it: what is read from both is there twice.
    pub(super) fn is_twin(&self, new: &Newcomer) -> bool {
        let like = new.witness.and_then(|(key, _)| self.sources.get(&key));
        like.is_some_and(|source| source.read.offset() <= new.held.size)
    }

    /// Whether the newcomer repeats the beginning of a source that is read beyond its size, or, being
    /// too short for a window to tell, has the name of such a source's rotation.
    pub(super) fn is_echo(&self, new: &Newcomer) -> bool {
        let Some(file) = &new.held.file else {
            return false;
        };
        let size = new.held.size;
        let beyond = |source: &&Source| source.read.offset() > size && !source.spent;
        let mut sources = self.sources.values().filter(beyond);
        sources.any(|source| {
            let telling = size >= WINDOW as u64;
            let named = decide::is_rotated_name(&source.path.0, &new.path.0);
            let covered = || source.read.content.covers(file, size).unwrap_or(true);
            if telling { covered() } else { named }
        })
    }
}
