//! Files that are known not to be read: copies of what is archived, and forms that are passed over. They are looked
//! at again when they change.

use super::identity::Inode;
use super::tracked_file::TrackedFile;
use crate::find::MatchedPath;
use crate::sys::{Instant, Stat};
use ledger::Digest;
use ledger::entry::PathBytes;
use std::collections::HashMap;

/// Files that are remembered; others are looked at again in each scan.
const KNOWN_MAX: usize = 10_000;

/// Why a file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownWhy {
    /// It is of this form.
    PassedOver(&'static str),
    /// It unpacks to, or is, so many bytes of this hash, which are archived.
    Copy(u64, Digest),
}

#[derive(Debug)]
struct KnownFile {
    path: PathBytes,
    size: u64,
    modified: Instant,
    why: KnownWhy,
    /// The last scan that saw it.
    scan: u64,
}

/// The files that are known not to be read.
#[derive(Debug, Default)]
pub(super) struct KnownFiles(HashMap<Inode, KnownFile>);

impl KnownFiles {
    pub(super) fn insert(&mut self, path: PathBytes, file: &TrackedFile, why: KnownWhy) {
        let Some(stat) = file.stat().filter(|_| self.0.len() < KNOWN_MAX) else {
            return;
        };
        let known = KnownFile {
            path,
            size: stat.size,
            modified: stat.modified,
            why,
            scan: file.scan(),
        };
        self.0.insert(Inode::from(&stat), known);
    }

    /// Whether a name leads to one that is as it was.
    pub(super) fn is_seen(&mut self, stat: &Stat, matched: &MatchedPath, scan: u64) -> bool {
        let Some(known) = self.0.get_mut(&Inode::from(stat)) else {
            return false;
        };
        let same = (known.size, known.modified) == (stat.size, stat.modified);
        if same {
            known.scan = scan;
            known.path = matched.bytes();
        }
        same
    }

    /// Forgets those that this scan did not see, or saw changed.
    pub(super) fn keep_seen(&mut self, scan: u64) {
        self.0.retain(|_, known| known.scan == scan);
    }

    /// How many files have each content that is archived.
    pub(super) fn copies(&self) -> HashMap<(u64, Digest), usize> {
        let mut copies = HashMap::new();
        for known in self.0.values() {
            if let KnownWhy::Copy(len, sha256) = known.why {
                *copies.entry((len, sha256)).or_default() += 1;
            }
        }
        copies
    }

    /// Files of forms that are passed over, and which.
    pub(super) fn passed_over(&self) -> impl Iterator<Item = (&PathBytes, &'static str)> {
        self.0.values().filter_map(|known| match known.why {
            KnownWhy::PassedOver(form) => Some((&known.path, form)),
            KnownWhy::Copy(..) => None,
        })
    }
}
