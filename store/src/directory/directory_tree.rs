//! Paths of a directory store: walked folder by folder by descriptor, never through a symlink.

use super::super::KEY_MAX;
use super::super::location::is_plain_part;
use super::atime_lock::modified;
use super::directory_fault::DirectoryFault;
use ledger::Moment;
use ledger::name::ObjectName;
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

/// The only version a key has here.
pub(super) const ONLY_VERSION: &str = "null";

/// Folders deep that a key may be; ours are five.
pub(super) const DEPTH_MAX: usize = 8;

/// Where objects are written before they get their name; no list shows it.
pub(super) const SCRATCH: &str = ".holdfast-tmp";

/// Age after which a temporary file is a crash's and not another writer's.
const SCRATCH_KEPT_S: u64 = 24 * 60 * 60;

/// Mode of folders: who may read the evidence is the objects' folder's owner to say.
const FOLDER_MODE: u32 = 0o755;

const FOLDER_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const FILE_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// The directory below which keys are paths.
pub(super) struct DirectoryTree {
    root: Arc<Path>,
}

impl DirectoryTree {
    pub(super) fn new(root: Arc<Path>) -> Self {
        Self { root }
    }

    /// The directory itself: the operator's own path, so symlinks on the way to it are followed.
    pub(super) fn open_root(&self) -> Result<OwnedFd, DirectoryFault> {
        let flags = FOLDER_FLAGS.difference(OFlags::NOFOLLOW);
        match rustix::fs::open(&*self.root, flags, Mode::empty()) {
            Err(Errno::NOENT) => Err(DirectoryFault::NoRoot),
            opened => Ok(opened?),
        }
    }

    /// Makes the directory and what is missing above it.
    pub(super) fn make_root(&self) -> Result<(), DirectoryFault> {
        let there = self.root.ancestors().find(|folder| folder.is_dir());
        let there = there.unwrap_or(Path::new("/"));
        let missing = self.root.strip_prefix(there).unwrap_or(&self.root);
        host::disk::make_dirs_durable(there, missing, FOLDER_MODE)?;
        Ok(())
    }

    /// Where `key` stands, if its folders are there.
    pub(super) fn find(&self, key: &str) -> Result<Place, DirectoryFault> {
        let (folders, name) = split(key).ok_or(DirectoryFault::ForeignKey)?;
        let mut at = self.open_root()?;
        for folder in folders {
            at = rustix::fs::openat(&at, folder, FOLDER_FLAGS, Mode::empty())?;
        }
        Ok(Place::new(at, name))
    }

    /// Where `key` is to stand. Each folder is durable in its parent before the next is made.
    pub(super) fn make(&self, key: &str) -> Result<Place, DirectoryFault> {
        let (folders, name) = split(key).ok_or(DirectoryFault::ForeignKey)?;
        let mut at = self.open_root()?;
        for folder in folders {
            at = make_folder(&at, folder, FOLDER_MODE)?;
        }
        Ok(Place::new(at, name))
    }

    /// A new name for a temporary file, in a folder of its own on the same file system. What crashes
    /// left there long before `now` is removed.
    pub(super) fn scratch(&self, now: Moment) -> Result<Place, DirectoryFault> {
        let folder = make_folder(&self.open_root()?, SCRATCH, 0o700)?;
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            // Another writer may sweep at the same time: what is gone is gone.
            let Ok(stat) = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            if file && now.since_s(modified(&stat)) > SCRATCH_KEPT_S {
                sweep(&folder, name);
            }
        }
        Ok(Place::new(folder, &host::disk::random_name()?))
    }

    /// Removes what killed writers left in the scratch folder, whatever its age: a living one holds a lock on its
    /// file. Where file systems know no such lock the file stays, until it is a day old.
    pub(super) fn sweep_scratch(&self) -> Result<(), DirectoryFault> {
        let root = match self.open_root() {
            Err(DirectoryFault::NoRoot) => return Ok(()),
            opened => opened?,
        };
        let folder = match rustix::fs::openat(&root, SCRATCH, FOLDER_FLAGS, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            opened => opened?,
        };
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            // What cannot be opened, or is no file, is none of ours.
            let Ok(file) = rustix::fs::openat(&folder, name, FILE_FLAGS, Mode::empty()) else {
                continue;
            };
            let stat = rustix::fs::fstat(&file)?;
            let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            if is_file && take_lock(&file) {
                sweep(&folder, name);
            }
        }
        Ok(())
    }
}

/// Whether the lock on a temporary file was free, and is ours now until the file is closed.
fn take_lock(file: &OwnedFd) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// A name in an open folder.
pub(super) struct Place {
    folder: OwnedFd,
    name: String,
}

impl Place {
    fn new(folder: OwnedFd, name: &str) -> Self {
        let name = name.to_owned();
        Self { folder, name }
    }

    /// Opens the regular file that stands here. Reading it leaves its access time, which is the
    /// lock, alone where we may ask for that.
    pub(super) fn open(&self) -> Result<File, DirectoryFault> {
        let open = |flags| rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty());
        let file = match open(FILE_FLAGS | OFlags::NOATIME) {
            // Only the owner may ask; for others the mount decides (relatime keeps a future time).
            Err(Errno::PERM) => open(FILE_FLAGS),
            opened => opened,
        };
        let file = match file {
            Err(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Err(DirectoryFault::NotAFile),
            opened => opened?,
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(DirectoryFault::NotAFile);
        }
        Ok(File::from(file))
    }

    /// As [`Place::open`]; `None` if nothing stands here.
    pub(super) fn open_existing(&self) -> Result<Option<File>, DirectoryFault> {
        match self.open() {
            Err(DirectoryFault::System(error)) if error.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }

    /// Makes a new file here for writing, locked against [`DirectoryTree::sweep_scratch`] for as long as it is open,
    /// where the file system can.
    pub(super) fn create_new(&self) -> Result<File, DirectoryFault> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let file = rustix::fs::openat(&self.folder, &self.name, flags, mode)?;
        take_lock(&file);
        Ok(File::from(file))
    }

    /// Opens the regular file that stands here for writing, which its mode must allow.
    pub(super) fn open_for_writing(&self) -> Result<File, Errno> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty())?;
        Ok(File::from(file))
    }

    /// Takes the name that stands here away.
    pub(super) fn remove(&self) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty())
    }

    /// Takes a temporary name away; what stays is swept later.
    pub(super) fn discard(&self) {
        sweep(&self.folder, &self.name);
    }

    /// Gives the file that stands here the name `to`; of any number of them at once, one gets it.
    pub(super) fn rename_new(&self, to: &Self) -> Result<(), Errno> {
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.folder, &self.name, &to.folder, &to.name, flags) {
            // NFS, where WORM storage often is, has no such rename.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.link_new(to),
            renamed => renamed,
        }
    }

    /// As [`Place::rename_new`] in two steps: a crash between them leaves a second name in the
    /// scratch folder, to be swept.
    fn link_new(&self, to: &Self) -> Result<(), Errno> {
        let flags = AtFlags::empty();
        rustix::fs::linkat(&self.folder, &self.name, &to.folder, &to.name, flags)?;
        self.discard();
        Ok(())
    }

    /// Makes the names in this folder durable.
    pub(super) fn sync_folder(&self) -> Result<(), Errno> {
        rustix::fs::fsync(&self.folder)
    }
}

/// Folders and file name of a key of ours; `None` for any other.
fn split(key: &str) -> Option<(Vec<&str>, &str)> {
    let mut parts: Vec<&str> = key.split('/').collect();
    let ours = ObjectName::parse(key) != ObjectName::Foreign
        && key.len() <= KEY_MAX
        && parts.len() <= DEPTH_MAX
        && parts.iter().all(|part| is_plain_part(part));
    let name = parts.pop()?;
    ours.then_some((parts, name))
}

fn make_folder(parent: &OwnedFd, name: &str, mode: u32) -> Result<OwnedFd, DirectoryFault> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    let folder = rustix::fs::openat(parent, name, FOLDER_FLAGS, Mode::empty())?;
    mend_mode(&folder, mode)?;
    // Even one that was there: a crash may have come between its mkdir and this.
    rustix::fs::fsync(parent)?;
    Ok(folder)
}

/// Gives a folder that is ours and empty, so new or left by a crash before this, the bits that the umask took off. One
/// that holds something has the mode that its owner gave it, and what setgid the root hands down stays.
fn mend_mode(folder: &OwnedFd, mode: u32) -> Result<(), DirectoryFault> {
    let stat = rustix::fs::fstat(folder)?;
    let is_ours = stat.st_uid == rustix::process::geteuid().as_raw();
    if !is_ours || stat.st_mode & 0o777 == mode {
        return Ok(());
    }
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            return Ok(());
        }
    }
    let mode = stat.st_mode & 0o7000 | mode;
    Ok(rustix::fs::fchmod(folder, Mode::from_raw_mode(mode))?)
}

fn sweep(scratch: &OwnedFd, name: impl rustix::path::Arg + std::fmt::Debug + Copy) {
    if let Err(errno) = rustix::fs::unlinkat(scratch, name, AtFlags::empty()) {
        tracing::debug!(?name, %errno, "temporary file stays");
    }
}

/// Opens a folder found in a list.
pub(super) fn open_folder(parent: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(parent, name, FOLDER_FLAGS, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    #[test]
    fn only_our_keys_become_paths() {
        for key in [
            "probe/a",
            "probe/a/b",
            "manifests/web-01/auth/0193a3f4-2c00-7007-8707-070707070707/00000000000000000000.manifest",
        ] {
            assert!(split(key).is_some(), "{key}");
        }
        for key in [
            "",
            "probe",
            "probe/",
            "probe//a",
            "probe/../a",
            "probe/.hidden",
            "probe/a\0",
            "/probe/a",
            "../probe/a",
            ".holdfast-tmp/a",
            "other/a",
            "probe/1/2/3/4/5/6/7/8",
            &format!("probe/{}", "x".repeat(256)),
        ] {
            assert!(split(key).is_none(), "{key:?}");
        }
    }

    #[test]
    fn link_stands_in_for_rename() {
        let home = tempfile::tempdir().unwrap();
        let tree = DirectoryTree::new(home.path().into());
        let from = tree.scratch(Moment::from_micros(0)).unwrap();
        let to = tree.make("probe/x").unwrap();
        from.create_new().unwrap();
        from.link_new(&to).unwrap();
        assert!(to.open_existing().unwrap().is_some());
        assert!(from.open_existing().unwrap().is_none());

        let second = tree.scratch(Moment::from_micros(0)).unwrap();
        second.create_new().unwrap();
        assert_eq!(second.link_new(&to), Err(Errno::EXIST));
        assert_eq!(second.rename_new(&to), Err(Errno::EXIST));
    }

    /// A crash between mkdir and chmod left a folder that no auditor could enter, for good.
    #[test]
    fn an_empty_folder_gets_its_mode_and_one_in_use_keeps_its_own() {
        let home = tempfile::tempdir().unwrap();
        let mode = |name: &str| home.path().join(name).metadata().unwrap().mode() & 0o7777;
        let set = |name: &str, mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(home.path().join(name), mode).unwrap();
        };
        std::fs::create_dir(home.path().join("probe")).unwrap();
        set("probe", 0o2700);
        let tree = DirectoryTree::new(home.path().into());
        drop(tree.make("probe/a/x").unwrap());
        assert_eq!((mode("probe"), mode("probe/a")), (0o2755, 0o2755));
        set("probe", 0o750);
        drop(tree.make("probe/a/y").unwrap());
        assert_eq!(mode("probe"), 0o750);
    }

    #[test]
    fn a_start_sweeps_what_the_killed_left_and_nothing_that_is_written_now() {
        let home = tempfile::tempdir().unwrap();
        let tree = DirectoryTree::new(home.path().into());
        tree.sweep_scratch().unwrap();
        let now = host::clock::now();
        let (killed, living) = (tree.scratch(now).unwrap(), tree.scratch(now).unwrap());
        drop(killed.create_new().unwrap());
        let writing = living.create_new().unwrap();
        tree.sweep_scratch().unwrap();
        assert!(killed.open_existing().unwrap().is_none());
        assert!(living.open_existing().unwrap().is_some());
        drop(writing);
        tree.sweep_scratch().unwrap();
        assert!(living.open_existing().unwrap().is_none());
    }

    #[test]
    fn scratch_is_swept_after_a_day() {
        let home = tempfile::tempdir().unwrap();
        let tree = DirectoryTree::new(home.path().into());
        let now = host::clock::now();
        let left = tree.scratch(now).unwrap();
        left.create_new().unwrap();
        drop(tree.scratch(now.plus_s(SCRATCH_KEPT_S - 60)).unwrap());
        assert!(left.open_existing().unwrap().is_some());
        drop(tree.scratch(now.plus_s(SCRATCH_KEPT_S + 60)).unwrap());
        assert!(left.open_existing().unwrap().is_none());
    }
}
