//! Lists a directory store page by page in the byte order of its keys, as S3 lists a bucket.
//!
//! The tree is hostile input: symlinks and specials are named but never followed nor opened, depth
//! is bounded, and memory by the page's size times the depth, however many files a folder holds.

use super::super::{Page, Token, Version, VersionKind};
use super::atime_lock::modified;
use super::directory_fault::DirectoryFault;
use super::directory_tree::{DEPTH_MAX, ONLY_VERSION, SCRATCH, open_folder};
use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;
use std::collections::BinaryHeap;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

/// One page of what stands below `root`: keys after `after` that start with `prefix`.
pub(super) fn page(
    root: &OwnedFd,
    prefix: &[u8],
    after: Vec<u8>,
    page_size: usize,
) -> Result<Page, DirectoryFault> {
    let mut walk = Walk {
        prefix,
        after,
        page_size,
        items: Vec::new(),
    };
    walk.folder(root, b"", 1)?;
    let next = walk.is_full().then_some(Token {
        key: walk.after,
        version_id: None,
    });
    Ok(Page {
        items: walk.items,
        next,
    })
}

struct Walk<'a> {
    prefix: &'a [u8],
    /// The last key that was listed; moves on.
    after: Vec<u8>,
    page_size: usize,
    items: Vec<Version>,
}

/// A name in a folder, ordered by the key it stands for; a folder's ends with `/`.
struct FolderEntry {
    key: Vec<u8>,
    name: CString,
    /// A folder to go into; one that lies too deep is listed itself.
    enter: bool,
}

impl Walk<'_> {
    fn is_full(&self) -> bool {
        self.items.len() >= self.page_size
    }

    /// Lists the folder whose keys start with `base`, in rounds that each hold at most a page.
    fn folder(
        &mut self,
        folder: &OwnedFd,
        base: &[u8],
        depth: usize,
    ) -> Result<(), DirectoryFault> {
        let mut last = Vec::new();
        loop {
            let round = self.first_after(folder, base, &last, depth)?;
            for found in &round {
                if self.is_full() {
                    return Ok(());
                }
                self.visit(folder, found, depth)?;
            }
            // A round that is not full was the folder's last.
            match round.into_iter().nth(self.page_size.saturating_sub(1)) {
                Some(found) => last = found.key,
                None => return Ok(()),
            }
        }
    }

    /// The first names of `folder` after `last`, at most a page of them, that this page may need.
    fn first_after(
        &self,
        folder: &OwnedFd,
        base: &[u8],
        last: &[u8],
        depth: usize,
    ) -> Result<Vec<FolderEntry>, DirectoryFault> {
        let mut first = BinaryHeap::new();
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let scratch = base.is_empty() && name.to_bytes() == SCRATCH.as_bytes();
            if scratch || matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match kind_of(folder, name) {
                    Err(Errno::NOENT) => continue,
                    kind => kind?,
                },
                known => known,
            };
            let mut key = [base, name.to_bytes()].concat();
            if kind == FileType::Directory {
                key.push(b'/');
            }
            let enter = kind == FileType::Directory && depth < DEPTH_MAX;
            if key.as_slice() > last && self.may_need(&key, enter) {
                let name = name.to_owned();
                first.push(FolderEntry { key, name, enter });
                if first.len() > self.page_size {
                    first.pop();
                }
            }
        }
        Ok(first.into_sorted_vec())
    }

    /// Whether this page may need what stands at `key` or, if it is to be entered, below.
    fn may_need(&self, key: &[u8], enter: bool) -> bool {
        let starts = key.starts_with(self.prefix) || (enter && self.prefix.starts_with(key));
        starts && (key > self.after.as_slice() || (enter && self.after.starts_with(key)))
    }

    fn visit(
        &mut self,
        folder: &OwnedFd,
        found: &FolderEntry,
        depth: usize,
    ) -> Result<(), DirectoryFault> {
        if found.enter {
            return match open_folder(folder, &found.name) {
                Ok(inner) => self.folder(&inner, &found.key, depth + 1),
                // Removed, or replaced by something else, since its name was read.
                Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(()),
                Err(errno) => Err(errno.into()),
            };
        }
        let stat = match rustix::fs::statat(folder, &found.name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            stat => stat?,
        };
        let object = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let (kind, size) = if object {
            (VersionKind::Object, stat.st_size)
        } else {
            (VersionKind::Special, 0)
        };
        self.items.push(Version {
            key: text(&found.key),
            version_id: ONLY_VERSION.into(),
            kind,
            size: u64::try_from(size).unwrap_or(0),
            last_modified: modified(&stat),
            is_latest: true,
        });
        self.after.clone_from(&found.key);
        Ok(())
    }
}

impl Ord for FolderEntry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl PartialOrd for FolderEntry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for FolderEntry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for FolderEntry {}

fn kind_of(folder: &OwnedFd, name: &CStr) -> Result<FileType, Errno> {
    let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

/// A key as text: as it is, or percent-encoded if it is not UTF-8.
fn text(key: &[u8]) -> String {
    std::str::from_utf8(key).map_or_else(|_| encode(key), str::to_owned)
}

fn encode(key: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%';
    key.iter()
        .map(|&byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    fn list(root: &Path, prefix: &str, page_size: usize) -> Vec<(String, VersionKind)> {
        let root = OwnedFd::from(std::fs::File::open(root).unwrap());
        let (mut all, mut after, mut pages) = (Vec::new(), Vec::new(), 0);
        loop {
            let page = page(&root, prefix.as_bytes(), after, page_size).unwrap();
            assert!(page.items.len() <= page_size && pages <= 100);
            all.extend(page.items.into_iter().map(|item| (item.key, item.kind)));
            pages += 1;
            match page.next {
                Some(token) => after = token.key,
                None => return all,
            }
        }
    }

    /// Names whose order by key and by name differ, symlinks, specials, and one that is no UTF-8.
    fn tree() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        for folder in ["a", "a/deep/1/2/3/4/5/6/7", "b/empty", ".holdfast-tmp"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for file in [
            "a/x",
            "a.b",
            "a-b",
            "a/deep/y",
            "b/z",
            ".holdfast-tmp/t",
            "a/deep/1/2/3/4/5/6/7/8",
        ] {
            std::fs::write(at(file), file).unwrap();
        }
        std::os::unix::fs::symlink("/etc", at("b/link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("b/file-link")).unwrap();
        std::fs::write(home.path().join(OsStr::from_bytes(b"b/\xff%")), "").unwrap();
        home
    }

    #[test]
    fn pages_of_any_size_make_one_sorted_list() {
        let home = tree();
        let whole = list(home.path(), "", 1000);
        let expected = [
            ("a-b", VersionKind::Object),
            ("a.b", VersionKind::Object),
            ("a/deep/1/2/3/4/5/6/", VersionKind::Special),
            ("a/deep/y", VersionKind::Object),
            ("a/x", VersionKind::Object),
            ("b/file-link", VersionKind::Special),
            ("b/link", VersionKind::Special),
            ("b/z", VersionKind::Object),
            ("b/%FF%25", VersionKind::Object),
        ];
        assert_eq!(whole, expected.map(|(key, kind)| (key.to_owned(), kind)));
        for page_size in 1..12 {
            assert_eq!(list(home.path(), "", page_size), whole, "{page_size}");
        }
    }

    #[test]
    fn prefixes_are_of_keys_not_of_folders() {
        let home = tree();
        for (prefix, count) in [
            ("a", 5),
            ("a/", 3),
            ("a/d", 2),
            ("b/li", 1),
            ("c", 0),
            ("../", 0),
        ] {
            for page_size in [1, 2, 1000] {
                assert_eq!(
                    list(home.path(), prefix, page_size).len(),
                    count,
                    "{prefix}"
                );
            }
        }
    }
}
