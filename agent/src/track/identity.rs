//! Which file is which. ext4 gives a deleted file's inode number to the next new file, so a file is
//! told by its handle (which holds the inode's generation) and birth time, and by its content:
//! [`super::fingerprint`]. What to conclude from it is [`crate::track::decide`]'s.

use crate::sys::{self, Instant, Stat};
use ledger::Digest;
use ledger::name::Epoch;
use std::fs::File;
use std::path::Path;

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

    /// What a look by name must show for this file; meaningful within its boot.
    #[must_use]
    pub(crate) fn inode(&self) -> Inode {
        Inode {
            dev: self.dev,
            ino: self.ino,
            born: self.born,
        }
    }

    /// Whether `seen` is this same file. Without handles on both sides (`weak`), equal numbers within
    /// one boot must do; across boots the inode number alone counts, and only at the `same_path`.
    #[must_use]
    pub(crate) fn is(&self, seen: &Self, same_path: bool) -> bool {
        let one_boot = self.boot_id == seen.boot_id;
        let numbers = self.ino == seen.ino && (self.dev == seen.dev || !one_boot);
        let births = match (self.born, seen.born) {
            (Some(known), Some(seen)) => known == seen,
            _ => true,
        };
        match (&self.handle, &seen.handle) {
            (Some(known), Some(seen)) => known == seen && births && (numbers || !one_boot),
            _ => numbers && births && (one_boot || same_path),
        }
    }
}

/// Which folder a file was in, as one digest: proof that a listing which lacks the file is of the
/// same folder, and not of an empty mount point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct FolderId(Digest);

impl FolderId {
    /// The identity of the folder at `path`; `None` where it cannot be opened.
    #[must_use]
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let folder = File::open(path).ok()?;
        let stat = sys::stat_file(&folder).ok()?;
        let handle = sys::handle_of(&folder).unwrap_or_else(|| stat.ino.to_be_bytes().to_vec());
        let Instant(s, ns) = stat.born.unwrap_or(Instant(0, 0));
        let parts = [&handle[..], &s.to_be_bytes(), &ns.to_be_bytes()];
        Some(Self(Digest::of(&parts.concat())))
    }
}

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
    fn files_are_told_apart() {
        let known = id(1, 2, 1, "aa", Some(9));
        for (why, seen, expected) in [
            ("itself", known.clone(), true),
            ("inode reused", id(1, 2, 1, "bb", Some(9)), false),
            ("handle reused later", id(1, 2, 1, "aa", Some(10)), false),
            (
                "another device, same boot",
                id(7, 2, 1, "aa", Some(9)),
                false,
            ),
            (
                "device renumbered by a boot",
                id(7, 2, 2, "aa", Some(9)),
                true,
            ),
            ("birth time not given", id(1, 2, 1, "aa", None), true),
            (
                "handle refused now, same boot",
                id(1, 2, 1, "", Some(9)),
                true,
            ),
        ] {
            assert_eq!(known.is(&seen, false), expected, "{why}");
        }
    }

    #[test]
    fn weak_identity_needs_the_boot_or_the_path() {
        let known = id(1, 2, 1, "", Some(9));
        assert!(known.is(&id(1, 2, 1, "", Some(9)), false));
        assert!(!known.is(&id(1, 2, 2, "", Some(9)), false));
        assert!(known.is(&id(5, 2, 2, "", Some(9)), true));
        assert!(!known.is(&id(5, 2, 2, "", Some(8)), true), "inode reused");
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
