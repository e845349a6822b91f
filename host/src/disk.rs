//! Durable files: the few ways both programs write and read what must survive a crash.
//!
//! "Durable" means: after the function returned, a power cut leaves the new state; if it failed or
//! was cut, the old one. An fsync that failed is never tried again on the same file, because the
//! kernel may have marked the lost pages clean (docs/design.md, fsync).

use crate::folder::{Folder, create_new_at};
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fstatvfs, openat, renameat_with};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path};

pub use crate::folder::{FILE_MODE, mend_mode, random_name};

/// Makes a new file for writing, of this mode whatever the umask: the other program reads it as another user. Fails if
/// anything stands at `path`, a dangling symlink included.
///
/// # Errors
/// What the system says.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    create_new_at(CWD, path, mode)
}

/// Renames, and fails if anything stands at `to`.
///
/// # Errors
/// What the system says; `AlreadyExists` if `to` is taken.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Makes a folder's entries durable: names made, renamed or removed in it.
///
/// # Errors
/// What the system says. The caller must not take the names for durable, nor try again here.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    Folder::open(path)?.sync()
}

/// Makes every missing folder of `relative` below `base` (which must be there) with `mode`, each
/// durable in its parent before the next is made. Symlinks in `base` are followed, below it none is.
///
/// # Errors
/// What the system says; a file or symlink in the way included.
pub fn make_dirs_durable(base: &Path, relative: &Path, mode: u32) -> io::Result<()> {
    let mut folder = Folder::open(base)?;
    for part in relative.components() {
        folder = match part {
            Component::Normal(name) => folder.make(name, mode)?,
            // `..`, which an operator may write, is made by nobody.
            way => folder.enter(way)?,
        };
    }
    Ok(())
}

/// As [`Folder::write_durable`], in the folder at `dir`, symlinks to which are followed.
///
/// # Errors
/// The same.
pub fn write_durable(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    Folder::open(dir)?.write_durable(name, bytes)
}

/// As [`Folder::replace`], in the folder at `dir`, symlinks to which are followed.
///
/// # Errors
/// The same.
pub fn replace(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    Folder::open(dir)?.replace(name, bytes)
}

/// Makes a new file that holds `bytes`, durable but for its name in the folder.
///
/// # Errors
/// What the system says; the file may be left behind, to be removed, never to be synced again.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_new(path, FILE_MODE)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a regular file of at most `max_bytes`, never through a symlink and never waiting on a pipe.
///
/// # Errors
/// What the system says; `InvalidData` if it is not a regular file, `FileTooLarge` if it is longer.
pub fn read_bounded(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let size = file.metadata()?.len();
    let too_large = || {
        let message = format!("longer than the {max_bytes} bytes it may have");
        io::Error::new(io::ErrorKind::FileTooLarge, message)
    };
    if size > max_bytes {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large());
    }
    Ok(bytes)
}

/// Opens a regular file for reading, never through a symlink and never waiting on a pipe.
///
/// # Errors
/// What the system says; `InvalidData` if it is something else.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(CWD, path, flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "not a regular file",
    ))
}

/// Bytes that an unprivileged process may still write on the file system of `path`.
///
/// # Errors
/// What the system says.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let stat = fstatvfs(openat(CWD, path, flags, Mode::empty())?)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Removes what [`write_durable`] left in `dir` when it was killed. Call only while nobody writes.
///
/// # Errors
/// What the system says.
pub fn sweep_temporaries(dir: &Path) -> io::Result<()> {
    Folder::open(dir)?.sweep_temporaries()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    #[test]
    fn write_durable_replaces_whole_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [&b"one"[..], b"two, longer", b""] {
            write_durable(dir.path(), "f", bytes).unwrap();
            assert_eq!(read_bounded(&dir.path().join("f"), 100).unwrap(), bytes);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let mode = dir
            .path()
            .join("f")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, FILE_MODE);
    }

    #[test]
    fn reads_are_bounded_and_follow_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        assert_eq!(
            read_bounded(&path, 4).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read_bounded(&link, 5).is_err());
        assert!(read_bounded(dir.path(), 5).is_err());
    }

    #[test]
    fn nothing_is_overwritten_by_new_things() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, b"1").unwrap();
        std::fs::write(&two, b"2").unwrap();
        assert_eq!(
            rename_new(&one, &two).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(
            create_new(&one, 0o600).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
        assert!(create_new(&dir.path().join("dangling"), 0o600).is_err());
    }

    #[test]
    fn dirs_get_their_mode_and_a_file_in_the_way_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        make_dirs_durable(dir.path(), Path::new("a/b"), 0o2750).unwrap();
        make_dirs_durable(dir.path(), Path::new("a/b/c"), 0o2750).unwrap();
        let mode = dir
            .path()
            .join("a/b/c")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o2750);
        std::fs::write(dir.path().join("a/f"), b"").unwrap();
        assert!(make_dirs_durable(dir.path(), Path::new("a/f/d"), 0o2750).is_err());
    }

    /// A crash between mkdir and chmod left a folder that the other program could not enter, for good.
    #[test]
    fn a_dir_left_with_another_mode_is_mended_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| dir.path().join(name).metadata().unwrap().mode() & 0o7777;
        let set = |name: &str, mode| {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(dir.path().join(name), mode).unwrap();
        };
        set("a", 0o700);
        set("elsewhere", 0o711);
        make_dirs_durable(dir.path(), Path::new("a/b"), 0o2750).unwrap();
        assert_eq!((mode("a"), mode("a/b")), (0o2750, 0o2750));
        make_dirs_durable(&dir.path().join("elsewhere"), Path::new("../c"), 0o755).unwrap();
        assert_eq!((mode("elsewhere"), mode("c")), (0o711, 0o755));
        std::os::unix::fs::symlink("../elsewhere", dir.path().join("a/link")).unwrap();
        assert!(make_dirs_durable(dir.path(), Path::new("a/link"), 0o2750).is_err());
        assert!(make_dirs_durable(dir.path(), Path::new("a/link/d"), 0o2750).is_err());
        assert_eq!(mode("elsewhere"), 0o711);
    }
}
