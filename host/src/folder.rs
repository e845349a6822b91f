//! A folder, held open. Everything below it is reached through its descriptor, one name at a time and never through
//! a symlink, so nobody who may write there can lead a program elsewhere.

use crate::sabotage::{Switch, is_on};
use ledger::Moment;
use rustix::fs::{
    Access, Advice, AtFlags, Dir, Mode, OFlags, accessat, fchmod, fstat, mkdirat, openat, renameat,
    statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Mode of files: the owner writes, the group reads.
pub const FILE_MODE: u32 = 0o640;

/// Most names that one folder may hold; more is refused, not cut short, because a listing that
/// lacks names would make batches look missing.
pub const NAMES_MAX: usize = 1 << 20;

/// How the name of a file begins that is not whole yet.
const TEMPORARY: &str = ".tmp-";

/// A fresh random name of 16 hex digits, for temporary files and folders.
///
/// # Errors
/// The kernel gives no random bytes.
pub fn random_name() -> io::Result<String> {
    getrandom::u64()
        .map(|roll| format!("{roll:016x}"))
        .map_err(io::Error::other)
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

/// A folder, open.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens the folder at `path`, which the configuration names: symlinks in it are the
    /// operator's.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Opens the folder `name` in this one.
    ///
    /// # Errors
    /// What the system says.
    pub fn enter(&self, name: impl AsRef<Path>) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(openat(&self.0, name.as_ref(), flags, Mode::empty())?))
    }

    /// Opens the folder `name` in this one, made with `mode` and durable here if it is missing.
    ///
    /// # Errors
    /// What the system says; a file or symlink in the way included.
    pub fn make(&self, name: impl AsRef<Path>, mode: u32) -> io::Result<Self> {
        let name = name.as_ref();
        match mkdirat(&self.0, name, Mode::from_raw_mode(mode)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let folder = self.enter(name)?;
        // The umask may have taken bits off, and setgid only sticks by chmod. Of a folder that was there as well, as of
        // its name here: a crash may have come between its mkdir and this.
        mend_mode(&folder, mode)?;
        self.sync()?;
        Ok(folder)
    }

    /// The user that it belongs to, who can change at any time what stands in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn owner(&self) -> io::Result<u32> {
        Ok(fstat(&self.0)?.st_uid)
    }

    /// The same folder, if it is this user's.
    ///
    /// # Errors
    /// What the system says; `PermissionDenied` if it is somebody else's.
    pub fn own(self) -> io::Result<Self> {
        let (owner, user) = (self.owner()?, geteuid().as_raw());
        if owner == user {
            return Ok(self);
        }
        let message = format!("belongs to user {owner}, not to this program's ({user})");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }

    /// Whether it is the very folder that stands under `name` in `parent`; `None` if nothing does.
    ///
    /// # Errors
    /// What the system says.
    pub fn stands_at(&self, parent: &Self, name: &str) -> io::Result<Option<bool>> {
        let ours = fstat(&self.0)?;
        match statat(&parent.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Ok(Some(
                (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino),
            )),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this user may make and remove names in it.
    ///
    /// # Errors
    /// What the system says, which is why it may not.
    pub fn may_write(&self) -> io::Result<()> {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        Ok(accessat(&self.0, ".", access, AtFlags::EACCESS)?)
    }

    /// All names in it, unordered. Names that are not UTF-8 are none of ours and left out.
    ///
    /// # Errors
    /// What the system says; `FileTooLarge` if there are more than [`NAMES_MAX`].
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut is_full = false;
        self.each_name(usize::MAX, |name| {
            is_full = is_full || names.len() == NAMES_MAX;
            if !is_full {
                names.push(name.to_owned());
            }
        })?;
        if is_full {
            let message = format!("holds more than {NAMES_MAX} names");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(names)
    }

    /// Tells the names in it, at most `max`, of which nothing is kept here: somebody else may make any number of them.
    /// Names that are not UTF-8 are none of ours and left out.
    ///
    /// # Errors
    /// What the system says.
    pub fn each_name(&self, max: usize, mut tell: impl FnMut(&str)) -> io::Result<()> {
        for entry in Dir::read_from(&self.0)?.take(max) {
            if let Ok(name) = entry?.file_name().to_str() {
                tell(name);
            }
        }
        Ok(())
    }

    /// Whether anything stands under `name`.
    ///
    /// # Errors
    /// What the system says.
    pub fn has(&self, name: &str) -> io::Result<bool> {
        match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Bytes of what stands under `name`; 0 if nothing does.
    ///
    /// # Errors
    /// What the system says.
    pub fn size_of(&self, name: &str) -> io::Result<u64> {
        match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(stat.st_size.unsigned_abs()),
            Err(Errno::NOENT) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the names in it durable.
    ///
    /// # Errors
    /// What the system says. The caller must not take the names for durable, nor try again here.
    pub fn sync(&self) -> io::Result<()> {
        if is_on(Switch::NoFolderSync) {
            return Ok(());
        }
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// Makes a new file for writing, of this mode whatever the umask: the other program reads it as another user.
    /// Fails if anything stands there, a dangling symlink included.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_new(&self, name: impl AsRef<Path>, mode: u32) -> io::Result<File> {
        create_new_at(self.0.as_fd(), name.as_ref(), mode)
    }

    /// Puts `bytes` at `name`, replacing what stood there, in one step that is durable on return. The temporary file
    /// stands here under a name that starts with `.tmp-`.
    ///
    /// # Errors
    /// What the system says; then the old file still stands, unless only the last fsync failed: then
    /// either may.
    pub fn write_durable(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let write = |mut file: File| file.write_all(bytes).and_then(|()| file.sync_all());
        // A crash in here leaves the temporary file and the old file.
        self.put(name, write)?;
        // A crash before here leaves the old or the new file, each whole.
        self.sync()
    }

    /// Puts `bytes` at `name` in one step that is not durable: for what tells of a running program alone, which no
    /// power cut leaves behind. A reader sees the old file or the new one.
    ///
    /// # Errors
    /// What the system says; then the old file still stands.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(name, |mut file| file.write_all(bytes))
    }

    fn put(&self, name: &str, write: impl FnOnce(File) -> io::Result<()>) -> io::Result<()> {
        let temporary = format!("{TEMPORARY}{}", random_name()?);
        let put = self
            .create_new(&temporary, FILE_MODE)
            .and_then(write)
            .and_then(|()| Ok(renameat(&self.0, &temporary, &self.0, name)?));
        if put.is_err() {
            // Best effort: what is left is swept at the next start.
            drop(self.remove(&temporary));
        }
        put
    }

    /// Removes what [`Folder::write_durable`] left when it was killed. Call only while nobody writes.
    ///
    /// # Errors
    /// What the system says.
    pub fn sweep_temporaries(&self) -> io::Result<()> {
        for name in self.names()? {
            if name.starts_with(TEMPORARY) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// Makes the file `name` durable, then reads it: what is visible may still be in memory alone,
    /// and a batch that is uploaded and then lost in a power cut would be sealed again differently.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_synced(&self, name: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        let file = self.regular(name)?;
        sync(&file)?;
        read(&file, max_bytes)
    }

    /// Reads the file `name`.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, name: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        read(&self.regular(name)?, max_bytes)
    }

    /// Makes the file `name` durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync_file(&self, name: &str) -> io::Result<()> {
        sync(&self.regular(name)?)
    }

    /// When what stands under `name` was last changed, in whole seconds; `None` if nothing does.
    ///
    /// # Errors
    /// What the system says.
    pub fn changed(&self, name: &str) -> io::Result<Option<Moment>> {
        match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
                Ok(Some(Moment::from_micros(0).plus_s(seconds)))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the file `name`.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes the empty folder `name`; one that is not empty stays, without an error.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_if_empty(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.0, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn regular(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(openat(&self.0, name, flags, Mode::empty())?);
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        let message = format!("{name} is not a regular file");
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// As [`Folder::create_new`], at a path from `folder` on.
pub(crate) fn create_new_at(folder: BorrowedFd<'_>, path: &Path, mode: u32) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(mode);
    let file = openat(folder, path, flags, mode)?;
    // A crash before here leaves a file that fewer may read, under a name that nobody asks for yet.
    fchmod(&file, mode)?;
    Ok(File::from(file))
}

/// Makes a file durable. After an fsync that failed, the kernel may have dropped the bytes, hold them in memory alone
/// and call the next fsync a success: so they are put out of memory, and whoever tries again reads what the disk has.
fn sync(file: &File) -> io::Result<()> {
    let synced = file.sync_all();
    if synced.is_err()
        && let Err(errno) = rustix::fs::fadvise(file, 0, None, Advice::DontNeed)
    {
        tracing::debug!(%errno, "bytes stay in memory");
    }
    synced
}

fn read(file: &File, max_bytes: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len().min(max_bytes);
    // One byte more than the size lets `read_to_end` see the end without growing the buffer.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        let message = format!("longer than the {max_bytes} bytes it may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
