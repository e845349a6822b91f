//! Durable files: the few ways both programs write and read what must survive a crash.
//!
//! "Durable" means: after the function returned, a power cut leaves the new state; if it failed or
//! was cut, the old one. An fsync that failed is never tried again on the same file, because the
//! kernel may have marked the lost pages clean (docs/design.md, fsync).

use crate::sabotage::{Switch, is_on};
use rustix::fs::{
    CWD, Mode, OFlags, RenameFlags, fchmod, fstat, fstatvfs, fsync, mkdirat, openat, renameat_with,
};
use rustix::process::geteuid;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// Mode of files: the owner writes, the group reads.
pub const FILE_MODE: u32 = 0o640;

/// A fresh random name of 16 hex digits, for temporary files and folders.
///
/// # Errors
/// The kernel gives no random bytes.
pub fn random_name() -> io::Result<String> {
    getrandom::u64()
        .map(|roll| format!("{roll:016x}"))
        .map_err(io::Error::other)
}

/// Makes a new file for writing, of this mode whatever the umask: the other program reads it as another user. Fails if
/// anything stands at `path`, a dangling symlink included.
///
/// # Errors
/// What the system says.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(mode);
    let file = openat(CWD, path, flags, mode)?;
    // A crash before here leaves a file that fewer may read, under a name that nobody asks for yet.
    fchmod(&file, mode)?;
    Ok(File::from(file))
}

/// Gives an open file or folder this mode if it has another one and is this user's: a crash came between making it and
/// its chmod. What belongs to others is theirs to open.
///
/// # Errors
/// What the system says.
pub fn mend_mode(file: impl AsFd, mode: u32) -> io::Result<()> {
    let stat = fstat(&file)?;
    if stat.st_uid == geteuid().as_raw() && stat.st_mode & 0o7777 != mode {
        fchmod(&file, Mode::from_raw_mode(mode))?;
    }
    Ok(())
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
    if is_on(Switch::NoFolderSync) {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    File::from(openat(CWD, path, flags, Mode::empty())?).sync_all()
}

/// Makes every missing folder of `relative` below `base` (which must be there) with `mode`, each
/// durable in its parent before the next is made. Symlinks in `base` are followed, below it none is.
///
/// # Errors
/// What the system says; a file or symlink in the way included.
pub fn make_dirs_durable(base: &Path, relative: &Path, mode: u32) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = openat(CWD, base, flags, Mode::empty())?;
    for part in relative.components() {
        folder = match part {
            Component::Normal(name) => make_dir(&folder, Path::new(name), mode)?,
            // `..`, which an operator may write, is made by nobody.
            way => openat(&folder, way.as_os_str(), flags, Mode::empty())?,
        };
    }
    Ok(())
}

/// Makes the folder `name` in `parent` if it is missing, durable there, and opens it.
fn make_dir(parent: &OwnedFd, name: &Path, mode: u32) -> io::Result<OwnedFd> {
    match mkdirat(parent, name, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(parent, name, flags, Mode::empty())?;
    // The umask may have taken bits off, and setgid only sticks by chmod. Of a folder that was there as well, as of
    // its name in its parent: a crash may have come between its mkdir and this.
    mend_mode(&folder, mode)?;
    if !is_on(Switch::NoFolderSync) {
        fsync(parent)?;
    }
    Ok(folder)
}

/// Puts `bytes` at `dir/name`, replacing what stood there, in one step that is durable on return.
/// The temporary file stands in `dir` under a name that starts with `.tmp-`.
///
/// # Errors
/// What the system says; then the old file still stands, unless only the last fsync failed: then
/// either may.
pub fn write_durable(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!(".tmp-{}", random_name()?));
    let written = write_synced(&temporary, bytes)
        // A crash before here leaves the temporary file and the old file.
        .and_then(|()| std::fs::rename(&temporary, dir.join(name)));
    if let Err(error) = written {
        // Best effort: what is left is swept at the next start.
        drop(std::fs::remove_file(&temporary));
        return Err(error);
    }
    // A crash before here leaves the old or the new file, each whole.
    sync_dir(dir)
}

/// Puts `bytes` at `dir/name` in one step that is not durable: for what tells of a running program alone, which
/// no power cut leaves behind. A reader sees the old file or the new one.
///
/// # Errors
/// What the system says; then the old file still stands.
pub fn replace(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!(".tmp-{}", random_name()?));
    let written = create_new(&temporary, FILE_MODE)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&temporary, dir.join(name)));
    if written.is_err() {
        // Best effort: what is left is swept at the next start.
        drop(std::fs::remove_file(&temporary));
    }
    written
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
    for entry in std::fs::read_dir(dir)? {
        let path: PathBuf = entry?.path();
        let ours = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b".tmp-"));
        if ours {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
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
