//! A folder of the spool, held open. Everything below it is reached through its descriptor, one
//! name at a time and never through a symlink, so nobody can lead the archiver elsewhere.

use ledger::Moment;
use rustix::fs::{Advice, AtFlags, Dir, Mode, OFlags, openat};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Most names that one folder may hold; more is refused, not cut short, because a listing that
/// lacks names would make batches look missing.
pub(super) const NAMES_MAX: usize = 1 << 20;

/// The folder of the batch with this number.
pub(super) fn seq_name(seq: u64) -> String {
    format!("{seq:020}")
}

/// A folder, open.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

impl Folder {
    /// Opens the folder at `path`, which the configuration names: symlinks in it are the
    /// operator's.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Opens the folder `name` in this one.
    pub(super) fn enter(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(openat(&self.0, name, flags, Mode::empty())?))
    }

    /// All names in it, unordered. Names that are not UTF-8 are none of ours and left out.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            if names.len() == NAMES_MAX {
                let message = format!("holds more than {NAMES_MAX} names");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Whether anything stands under `name`.
    pub(super) fn has(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Bytes of what stands under `name`; 0 if nothing does.
    pub(super) fn size_of(&self, name: &str) -> io::Result<u64> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(stat.st_size.unsigned_abs()),
            Err(rustix::io::Errno::NOENT) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// Makes the file `name` durable, then reads it: what is visible may still be in memory alone,
    /// and a batch that is uploaded and then lost in a power cut would be sealed again differently.
    pub(super) fn read_synced(&self, name: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        let file = self.regular(name)?;
        sync(&file)?;
        read(&file, max_bytes)
    }

    /// Reads the file `name`.
    pub(super) fn read(&self, name: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        read(&self.regular(name)?, max_bytes)
    }

    /// Makes the file `name` durable.
    pub(super) fn sync_file(&self, name: &str) -> io::Result<()> {
        sync(&self.regular(name)?)
    }

    /// When what stands under `name` was last changed, in whole seconds; `None` if nothing does.
    pub(super) fn changed(&self, name: &str) -> io::Result<Option<Moment>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
                Ok(Some(Moment::from_micros(0).plus_s(seconds)))
            }
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the file `name`.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes the empty folder `name`; one that is not empty stays, without an error.
    pub(super) fn remove_if_empty(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR) {
            Err(rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST) | Ok(()) => Ok(()),
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
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_leads_elsewhere() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), b"secret").unwrap();
        let spool = tempfile::tempdir().unwrap();
        let at = |name: &str| spool.path().join(name);
        symlink(outside.path(), at("folder")).unwrap();
        symlink(outside.path().join("secret"), at("file")).unwrap();
        std::fs::create_dir(at("real")).unwrap();
        let fifo = rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        );
        fifo.unwrap();
        let folder = Folder::open(spool.path()).unwrap();
        assert!(folder.enter("folder").is_err());
        for name in ["file", "pipe", "real", "none"] {
            assert!(folder.read(name, 100).is_err(), "{name}");
            assert!(folder.read_synced(name, 100).is_err(), "{name}");
        }
        assert!(folder.enter("real").is_ok());
    }

    #[test]
    fn reads_are_bounded() {
        let spool = tempfile::tempdir().unwrap();
        std::fs::write(spool.path().join("f"), b"12345").unwrap();
        let folder = Folder::open(spool.path()).unwrap();
        assert_eq!(folder.read_synced("f", 5).unwrap(), b"12345");
        let error = folder.read("f", 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
