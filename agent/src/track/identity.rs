//! Which file is which. ext4 gives a deleted file's inode number to the next new file, so a file is
//! told by its handle (which holds the inode's generation) and birth time, and by its content:
//! [`super::fingerprint`]. What to conclude from it is [`crate::track::decide`]'s.

use crate::sys::{self, Instant, Stat};
use host::sabotage::{Switch, is_on};
use ledger::Digest;
use ledger::name::Epoch;
use rustix::fs::OFlags;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Longest handle taken from a state file, in bytes: the kernel's own bound and the type.
const HANDLE_MAX: usize = 4 + 128;

/// A file's handle, opaque: lowercase hex, as manifests carry it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Handle(String);

/// A text that is not a handle.
#[derive(Debug, thiserror::Error)]
#[error("a handle is 1 to {HANDLE_MAX} bytes in lowercase hex")]
pub(crate) struct NotAHandle;

impl Handle {
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The hex digits.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Handle {
    type Error = NotAHandle;

    fn try_from(text: String) -> Result<Self, NotAHandle> {
        let fits = !text.is_empty() && text.len() <= 2 * HANDLE_MAX;
        match ledger::digest::parse_hex(&text) {
            Some(_) if fits && text.len().is_multiple_of(2) => Ok(Self(text)),
            _ => Err(NotAHandle),
        }
    }
}

/// Device, inode and birth time: what a look by name gives. Tells files apart while the agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Inode {
    dev: u64,
    ino: u64,
    born: Option<Instant>,
}

impl Inode {
    pub(crate) fn number(&self) -> u64 {
        self.ino
    }

    /// Whether it may be this file's: it has its number, and was not made at another time.
    pub(crate) fn may_be(&self, id: &FileId) -> bool {
        let births = self.born.zip(id.born);
        self.ino == id.ino && births.is_none_or(|(here, known)| here == known)
    }
}

impl From<&Stat> for Inode {
    fn from(stat: &Stat) -> Self {
        Self {
            dev: stat.dev,
            ino: stat.ino,
            born: stat.born,
        }
    }
}

/// What tells a file from every other, across boots.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileId {
    /// Device number; counts only within `boot_id`.
    pub(crate) dev: u64,
    /// Inode number.
    pub(crate) ino: u64,
    /// The boot in which the numbers were read.
    pub(crate) boot_id: Epoch,
    /// The kernel's handle, where it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handle: Option<Handle>,
    /// When the file was made, where the file system knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) born: Option<Instant>,
}

impl FileId {
    /// The identity of an open file.
    #[must_use]
    pub(crate) fn of(file: &File, stat: &Stat, boot_id: Epoch) -> Self {
        Self {
            dev: stat.dev,
            ino: stat.ino,
            boot_id,
            handle: sys::handle_of(file).map(|bytes| Handle::of(&bytes)),
            born: stat.born,
        }
    }

    /// The same of a file that could not be opened.
    #[must_use]
    pub(crate) fn by_name(stat: &Stat, boot_id: Epoch) -> Self {
        Self {
            dev: stat.dev,
            ino: stat.ino,
            boot_id,
            handle: None,
            born: stat.born,
        }
    }

    /// Device and inode number: another file has them only once this one is gone.
    #[must_use]
    pub(crate) fn numbers(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    /// What a look by name must show for this file; meaningful within its boot.
    #[must_use]
    pub(crate) fn inode(&self) -> Inode {
        Inode {
            dev: self.dev,
            ino: self.ino,
            born: self.born,
        }
    }

    /// Whether `seen` may be this same file; its content has the last word. At the `same_path` the inode number is
    /// enough. Elsewhere the handle tells, on whatever device number it is mounted now; without handles on both sides
    /// (`weak`), equal numbers within one boot must do.
    #[must_use]
    pub(crate) fn is(&self, seen: &Self, same_path: bool) -> bool {
        let one_boot = self.boot_id == seen.boot_id;
        let births = match (self.born, seen.born) {
            (Some(known), Some(seen)) => known == seen,
            _ => true,
        };
        if is_on(Switch::InodeAlone) {
            return (self.dev, self.ino) == (seen.dev, seen.ino);
        }
        let here = same_path && self.ino == seen.ino && (self.dev == seen.dev || !one_boot);
        here || match (&self.handle, &seen.handle) {
            (Some(known), Some(seen)) => known == seen && births,
            _ => one_boot && births && (self.dev, self.ino) == (seen.dev, seen.ino),
        }
    }

    /// Whether `seen` is certainly this very file, never another one that was given its inode number.
    #[must_use]
    pub(crate) fn is_surely(&self, seen: &Self) -> bool {
        if is_on(Switch::InodeAlone) {
            return self.ino == seen.ino;
        }
        let handles = self.handle.is_some() && self.handle == seen.handle;
        let births = self.born == seen.born;
        self.ino == seen.ino && (births || handles) && !self.is_reused_by(seen)
    }

    /// Whether `seen` was given the inode number of this one: their handles differ.
    #[must_use]
    pub(crate) fn is_reused_by(&self, seen: &Self) -> bool {
        if is_on(Switch::InodeAlone) {
            return false;
        }
        match (&self.handle, &seen.handle) {
            (Some(known), Some(seen)) => known != seen,
            _ => false,
        }
    }

    /// Whether a name that led to this file leads to it still, as far as numbers and handles say. A birth time may
    /// change on the way: overlayfs copies a file up when it is first written to.
    #[must_use]
    pub(crate) fn is_still(&self, seen: &Self) -> bool {
        (self.dev, self.ino) == (seen.dev, seen.ino) && !self.is_reused_by(seen)
    }
}

/// Which folder a file was in, as one digest: proof that a listing which lacks the file is of the
/// same folder, and not of an empty mount point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct FolderId(Digest);

impl FolderId {
    /// The identity of the folder at `path`, in which no component is a symbolic link; `None` where it cannot be
    /// opened. Birth times are left out: overlayfs changes them.
    #[must_use]
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let folder: File = sys::open_folder(path, OFlags::PATH).ok()?.into();
        let stat = sys::stat_file(&folder).ok()?;
        let handle = sys::handle_of(&folder).unwrap_or_else(|| stat.ino.to_be_bytes().to_vec());
        Some(Self(Digest::of(&handle)))
    }
}

/// The folder a file was in, then the folders above it up to the pattern's fixed part: where one of them is gone,
/// the one above proves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FolderPath(Arc<[FolderId]>);

impl FolderPath {
    /// The identities of `folder` and of those above it, down from `root`; neither path has a symbolic link in it. Empty
    /// where `folder` cannot be opened.
    #[must_use]
    pub(crate) fn of(folder: &Path, root: &Path) -> Self {
        let within = folder
            .ancestors()
            .take_while(|above| above.starts_with(root));
        let ids = within.take(FOLDERS_MAX).map_while(FolderId::of);
        Self(ids.collect())
    }

    /// From a state file: at most [`FOLDERS_MAX`].
    pub(crate) fn restore(ids: Vec<FolderId>) -> Option<Self> {
        (ids.len() <= FOLDERS_MAX).then(|| Self(ids.into()))
    }

    /// The folder, then those above it.
    pub(crate) fn ids(&self) -> &[FolderId] {
        &self.0
    }
}

/// Folders that a file's place is told by: as deep as patterns reach.
const FOLDERS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(n: u8) -> Epoch {
        Epoch::new(0, &[n; 10])
    }

    fn id(dev: u64, ino: u64, boot_n: u8, handle: &str, born: Option<i64>) -> FileId {
        FileId {
            dev,
            ino,
            boot_id: boot(boot_n),
            handle: (!handle.is_empty()).then(|| handle.to_owned().try_into().unwrap()),
            born: born.map(|s| Instant(s, 0)),
        }
    }

    #[test]
    fn a_fifo_in_a_folders_place_is_no_folder_and_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        assert!(FolderId::of(&path).is_none());
        assert!(FolderId::of(dir.path()).is_some());
    }

    #[test]
    fn files_are_told_apart() {
        let known = id(1, 2, 1, "aa", Some(9));
        // Elsewhere, and at the same path.
        for (why, seen, elsewhere, here) in [
            ("itself", known.clone(), true, true),
            ("inode reused", id(1, 2, 1, "bb", Some(9)), false, true),
            (
                "handle reused later",
                id(1, 2, 1, "aa", Some(10)),
                false,
                true,
            ),
            (
                "remounted with another number",
                id(7, 2, 1, "aa", Some(9)),
                true,
                true,
            ),
            (
                "renumbered by a boot",
                id(7, 2, 2, "aa", Some(9)),
                true,
                true,
            ),
            ("birth time not given", id(1, 2, 1, "aa", None), true, true),
            ("handle refused now", id(1, 2, 1, "", Some(9)), true, true),
            (
                "refused, after a boot",
                id(1, 2, 2, "", Some(9)),
                false,
                true,
            ),
            (
                "copied up by overlayfs",
                id(1, 2, 1, "", Some(10)),
                false,
                true,
            ),
            ("another inode", id(1, 3, 1, "cc", Some(9)), false, false),
        ] {
            assert_eq!(known.is(&seen, false), elsewhere, "{why}");
            assert_eq!(known.is(&seen, true), here, "{why}, same path");
        }
    }

    #[test]
    fn a_reused_number_is_noticed() {
        let known = id(1, 2, 1, "aa", Some(9));
        for (why, seen, surely, still) in [
            ("itself", known.clone(), true, true),
            ("inode reused", id(1, 2, 1, "bb", Some(9)), false, false),
            ("copied up", id(1, 2, 1, "", Some(10)), false, true),
            (
                "the same handle, copied up",
                id(1, 2, 1, "aa", Some(10)),
                true,
                true,
            ),
        ] {
            assert_eq!(known.is_surely(&seen), surely, "{why}");
            assert_eq!(known.is_still(&seen), still, "{why}");
        }
    }

    #[test]
    fn handles_from_state_files_are_checked() {
        for good in ["00", "ff01", &"ab".repeat(HANDLE_MAX)] {
            assert!(Handle::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "0", "GG", "AA", &"ab".repeat(HANDLE_MAX + 1)] {
            assert!(Handle::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
