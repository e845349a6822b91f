//! One scan: what it has at hand while it looks at all files, and what it reports. It gathers; what
//! follows from it is decided beside it.

use super::identity::FolderId;
use crate::find::FoundFiles;
use crate::now::Now;
use ledger::entry::PathBytes;
use ledger::name::Epoch;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct ScanReport {
    /// Files and folders that cannot be read now, each once, with what the system said.
    pub(crate) faults: Vec<(PathBytes, String)>,
    /// Include patterns that match no file now; they wait.
    pub(crate) unmatched: Vec<String>,
    /// Files that matched.
    pub(crate) files: usize,
    /// Files and sources that a further scan will judge: copies not finished, truncations whose copy
    /// may yet turn up.
    pub(crate) undecided: usize,
}

/// What one scan has at hand.
pub(super) struct Scan {
    number: u64,
    boot_id: Epoch,
    now_ms: u64,
    listed: BTreeSet<PathBuf>,
    folder_ids: HashMap<PathBuf, Option<FolderId>>,
    proofs: Option<Vec<FolderId>>,
    faults: BTreeSet<(PathBytes, String)>,
}

impl Scan {
    /// The scan of this number, after all names were listed.
    pub(super) fn new(number: u64, boot_id: Epoch, now: Now, found: &mut FoundFiles) -> Self {
        Self {
            number,
            boot_id,
            now_ms: now.boot_ms,
            listed: std::mem::take(&mut found.folders),
            folder_ids: HashMap::new(),
            proofs: None,
            faults: std::mem::take(&mut found.faults).into_iter().collect(),
        }
    }

    /// Scans are numbered, so that it can be told how many missed a file.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// This boot: device and inode numbers count only within it.
    pub(super) fn boot_id(&self) -> Epoch {
        self.boot_id
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The identity of a folder, read once a scan.
    pub(super) fn folder_id(&mut self, folder: &Path) -> Option<FolderId> {
        if let Some(known) = self.folder_ids.get(folder) {
            return *known;
        }
        let id = FolderId::of(folder);
        self.folder_ids.insert(folder.to_path_buf(), id);
        id
    }

    /// Whether the folder was listed whole in this scan, under whatever path.
    pub(super) fn has_listed(&mut self, folder: Option<FolderId>) -> bool {
        if self.proofs.is_none() {
            let listed = std::mem::take(&mut self.listed);
            let ids = listed.iter().filter_map(|path| self.folder_id(path));
            self.proofs = Some(ids.collect());
        }
        let listed = self.proofs.as_deref().unwrap_or_default();
        folder.is_some_and(|folder| listed.contains(&folder))
    }

    pub(super) fn fault(&mut self, path: &PathBytes, error: &io::Error) {
        self.faults.insert((path.clone(), error.to_string()));
    }

    /// All that could not be read, with what is known to be unreadable from before.
    pub(super) fn into_faults(
        mut self,
        known: impl Iterator<Item = (PathBytes, String)>,
    ) -> Vec<(PathBytes, String)> {
        self.faults.extend(known);
        self.faults.into_iter().collect()
    }
}
