//! What the sources of void batches are called in the epoch that answers, and how far each is sealed there. Pure.

use crate::track::checkpoint::Checkpoint;
use ledger::manifest::Was;
use ledger::name::Epoch;
use std::collections::BTreeMap;

/// One source in the new epoch.
#[derive(Debug, Clone, Default)]
struct Known {
    /// What it continues, for its first mention.
    was: Option<Was>,
    /// A manifest of the new epoch has named it.
    is_stated: bool,
    /// Sealed up to here.
    to: u64,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    by_old: BTreeMap<(Epoch, u64), u64>,
    known: BTreeMap<u64, Known>,
    next: u64,
}

impl Names {
    /// Takes note of what an earlier run sealed in the new epoch.
    pub(super) fn recall(&mut self, epoch: Epoch, checkpoints: &[Checkpoint]) {
        for checkpoint in checkpoints.iter().filter(|it| it.source.epoch == epoch) {
            let id = checkpoint.source.id;
            if let Some(was) = &checkpoint.was {
                self.by_old.insert((was.epoch, was.id), id);
            }
            let known = self.known.entry(id).or_default();
            known.is_stated |= !checkpoint.candidate;
            known.to = checkpoint.content.offset;
            self.next = self.next.max(id + 1);
        }
    }

    /// Ids below this are taken.
    pub(super) fn take_below(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// The id of a void source, which may be known by what it continues; a new one if it is not known. A void source
    /// that was not new where it is first met, `from` a later byte, is one of before the cut.
    pub(super) fn id_of(&mut self, old: &Was, was: Option<&Was>, from: u64) -> u64 {
        let key = |was: &Was| (was.epoch, was.id);
        if let Some(id) = self.by_old.get(&key(old)) {
            return *id;
        }
        let continued = was.and_then(|was| self.by_old.get(&key(was)).copied());
        let id = continued.unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.by_old.insert(key(old), id);
        if continued.is_none() {
            let was = was.or((from > 0).then_some(old)).cloned();
            let to = if was.is_some() { from } else { 0 };
            let known = Known {
                was,
                is_stated: false,
                to,
            };
            self.known.insert(id, known);
        }
        id
    }

    /// Sealed up to here in the new epoch, or where that begins.
    pub(super) fn to(&self, id: u64) -> u64 {
        self.known.get(&id).map_or(0, |known| known.to)
    }

    /// What the source continues, if the next mention of it is its first.
    pub(super) fn was(&self, id: u64) -> Option<Was> {
        let known = self.known.get(&id).filter(|known| !known.is_stated)?;
        known.was.clone()
    }

    /// A manifest that says this of these sources is durable.
    pub(super) fn sealed(&mut self, to: &[(u64, u64)]) {
        for (id, to) in to {
            if let Some(known) = self.known.get_mut(id) {
                (known.to, known.is_stated) = (*to, true);
            }
        }
    }

    /// What a source of a void batch is called now.
    pub(crate) fn get(&self, was: &Was) -> Option<u64> {
        self.by_old.get(&(was.epoch, was.id)).copied()
    }

    /// The first id that is not taken.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{epoch, stream};

    fn was(at: u8, id: u64) -> Was {
        Was {
            stream: stream(),
            epoch: epoch(at),
            id,
        }
    }

    #[test]
    fn sources_keep_their_thread_through_the_void() {
        let mut names = Names::default();
        // New in a void batch: from its beginning, and continuing nothing.
        assert_eq!(names.id_of(&was(1, 7), None, 0), 0);
        assert_eq!((names.was(0), names.to(0)), (None, 0));
        // Of before the cut: it is named once.
        assert_eq!(names.id_of(&was(1, 3), None, 50), 1);
        assert_eq!((names.was(1), names.to(1)), (Some(was(1, 3)), 50));
        names.sealed(&[(1, 60)]);
        assert_eq!((names.was(1), names.to(1)), (None, 60));
        // Continued in a further void epoch: the same source.
        assert_eq!(names.id_of(&was(2, 0), Some(&was(1, 3)), 60), 1);
        assert_eq!(names.get(&was(2, 0)), Some(1));
        // That continues one of an epoch that is not void.
        assert_eq!(names.id_of(&was(2, 1), Some(&was(0, 9)), 40), 2);
        assert_eq!((names.was(2), names.to(2)), (Some(was(0, 9)), 40));
        assert_eq!((names.next(), names.get(&was(0, 1))), (3, None));
    }
}
