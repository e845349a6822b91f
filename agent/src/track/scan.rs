//! One scan: what it has at hand while it looks at all files, and what it reports. It gathers; what
//! follows from it is decided beside it.

use super::identity::{FileId, FolderId, FolderPath, Inode};
use super::source_table::SourceTable;
use crate::find::{FoundFiles, MatchedPath};
use crate::now::Now;
use crate::sys;
use host::sabotage::{Switch, is_on};
use ledger::entry::PathBytes;
use ledger::name::Epoch;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

/// What there is to say of files, by path.
pub(super) type Told = Vec<(PathBytes, String)>;

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct ScanReport {
    /// Files and folders that cannot be read now, each once, with what the system said.
    pub(crate) faults: Vec<(PathBytes, String)>,
    /// Files that are passed over by design, and why.
    pub(crate) notes: Vec<(PathBytes, String)>,
    /// Include patterns that match no file now; they wait.
    pub(crate) unmatched: Vec<String>,
    /// Files that matched.
    pub(crate) files: usize,
    /// Files and sources that a further scan will judge: copies not finished, truncations whose copy
    /// may yet turn up.
    pub(crate) undecided: usize,
    /// Of these, files that no descriptor could be had for.
    pub(crate) unopened: usize,
    /// Of these, candidates whose content is being looked at, a part in each scan.
    pub(crate) passing: usize,
    /// Deleted files that had to be let go since the last scan, for want of descriptors, although more may be written to
    /// them: each is stated as a gap.
    pub(crate) released: usize,
}

/// What one scan has at hand.
pub(super) struct Scan {
    number: u64,
    boot_id: Epoch,
    now: Now,
    listed: BTreeSet<PathBuf>,
    folder_paths: HashMap<PathBuf, FolderPath>,
    /// Every folder that was found could be listed.
    all_listed: bool,
    proofs: Option<HashSet<FolderId>>,
    faults: BTreeSet<(PathBytes, String)>,
    notes: BTreeSet<(PathBytes, String)>,
    /// Files of wanted names that cannot be opened, by inode number.
    blocked: HashMap<u64, Vec<Inode>>,
    /// Folders with a name that cannot be opened.
    blocked_folders: HashSet<FolderId>,
    /// Folders with a name that does not even tell its inode.
    blind_folders: HashSet<FolderId>,
    /// Files that no descriptor could be had for.
    unopened: usize,
    /// No descriptor can be freed any more in this scan.
    is_spent: bool,
    /// Candidates whose whole content may still be looked at.
    passes: usize,
}

/// Candidates whose content one scan looks at beyond the first window: a scan must not take long.
const PASSES_MAX: usize = 4;

impl Scan {
    /// The scan of this number, after all names were listed.
    pub(super) fn new(number: u64, boot_id: Epoch, now: Now, found: &mut FoundFiles) -> Self {
        Self {
            number,
            boot_id,
            now,
            listed: std::mem::take(&mut found.folders),
            all_listed: found.unlisted == 0,
            folder_paths: HashMap::new(),
            proofs: None,
            faults: std::mem::take(&mut found.faults).into_iter().collect(),
            notes: std::mem::take(&mut found.notes).into_iter().collect(),
            blocked: HashMap::new(),
            blocked_folders: HashSet::new(),
            blind_folders: HashSet::new(),
            unopened: 0,
            is_spent: false,
            passes: PASSES_MAX,
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
        self.now.boot_ms
    }

    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// Which folder a name is in, read once a scan.
    pub(super) fn folder_of(&mut self, matched: &MatchedPath) -> FolderPath {
        let folder: &Path = matched.folder();
        if let Some(known) = self.folder_paths.get(folder) {
            return known.clone();
        }
        let path = FolderPath::of(&matched.real_folder(), matched.real_root());
        self.folder_paths.insert(folder.to_path_buf(), path.clone());
        path
    }

    /// Whether the folder was listed whole in this scan, under whatever path; or is gone from one that was.
    pub(super) fn has_listed(&mut self, folder: &FolderPath) -> bool {
        let listed = self.proofs.get_or_insert_with(|| {
            let listed = std::mem::take(&mut self.listed);
            listed
                .iter()
                .filter_map(|path| FolderId::of(path))
                .collect()
        });
        match folder.ids() {
            _ if is_on(Switch::AbsenceUnproven) => true,
            [] => false,
            [here, above @ ..] => {
                listed.contains(here)
                    || (self.all_listed && above.iter().any(|id| listed.contains(id)))
            }
        }
    }

    /// Whether one more candidate's content may be looked at.
    pub(super) fn may_pass(&mut self) -> bool {
        let may = self.passes > 0;
        self.passes = self.passes.saturating_sub(1);
        may
    }

    /// A wanted name cannot be opened: what is in that file, nobody knows.
    pub(super) fn blocked(&mut self, inode: Inode, folder: &FolderPath) {
        self.blocked.entry(inode.number()).or_default().push(inode);
        self.blocked_folders.extend(folder.ids().first());
    }

    /// A name in this folder does not even tell its inode.
    pub(super) fn blocked_folder(&mut self, folder: &FolderPath) {
        self.blocked_folders.extend(folder.ids().first());
        self.blind_folders.extend(folder.ids().first());
    }

    /// Whether a file, last seen in this folder, is gone from it: the folder was listed, and no name in it leads there,
    /// whatever the files hold that cannot be opened. Its inode number may be another's by now.
    pub(super) fn proves_departure(&mut self, id: &FileId, folder: &FolderPath) -> bool {
        let here = folder.ids().first();
        let is_blind = here.is_some_and(|here| self.blind_folders.contains(here));
        let blocked = self.blocked.get(&id.ino);
        let may_be_there = blocked.into_iter().flatten().any(|inode| inode.may_be(id));
        !may_be_there && !is_blind && self.has_listed(folder)
    }

    /// Whether nothing in this folder can hold what a file of this inode held, last seen there: the folder was listed,
    /// and every name in it led to a file that is not this one and could be looked at.
    pub(super) fn proves_absence(&mut self, inode: u64, folder: &FolderPath) -> bool {
        !self.blocked.contains_key(&inode) && self.sees_all_of(folder)
    }

    /// Whether the folder was listed, and each wanted name in it could be looked at.
    pub(super) fn sees_all_of(&mut self, folder: &FolderPath) -> bool {
        let here = folder.ids().first();
        let hidden = here.is_some_and(|here| self.blocked_folders.contains(here));
        !hidden && self.has_listed(folder)
    }

    pub(super) fn note(&mut self, path: &PathBytes, what: String) {
        self.notes.insert((path.clone(), what));
    }

    pub(super) fn fault(&mut self, path: &PathBytes, error: &io::Error) {
        self.faults.insert((path.clone(), error.to_string()));
    }

    /// A file cannot be looked at. That there are no descriptors is no fault of the file's: it is counted, not named.
    pub(super) fn unlooked(
        &mut self,
        path: &PathBytes,
        error: &io::Error,
        table: &mut SourceTable,
    ) {
        if !sys::is_pressure(error) {
            self.fault(path, error);
            return;
        }
        self.unopened += 1;
        self.is_spent = self.is_spent || !table.relieve();
    }

    pub(super) fn unopened(&self) -> usize {
        self.unopened
    }

    /// All that could not be read, with what is known to be unreadable from before; and what is passed over.
    pub(super) fn into_faults_and_notes(
        mut self,
        known: impl Iterator<Item = (PathBytes, String)>,
    ) -> (Told, Told) {
        self.faults.extend(known);
        (
            self.faults.into_iter().collect(),
            self.notes.into_iter().collect(),
        )
    }
}
