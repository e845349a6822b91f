//! What the agent asks of the kernel about files: to open one without being led astray, what it is
//! now, its handle, and whether anybody may still write to it. The one module with unsafe code, in two functions.

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::{Component, Path};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};

/// What a file is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Device number, as `st_dev`.
    pub(crate) dev: u64,
    /// Inode number.
    pub(crate) ino: u64,
    /// Bytes.
    pub(crate) size: u64,
    /// Bytes that take room on the disk: fewer than `size` where there are holes.
    pub(crate) stored: u64,
    /// Names that lead to it.
    pub(crate) links: u32,
    /// Who owns it.
    pub(crate) owner: u32,
    /// Whether its group or others may write to it.
    pub(crate) open_to_others: bool,
    /// Whether it is a regular file.
    pub(crate) regular: bool,
    /// When its bytes last changed.
    pub(crate) modified: Instant,
    /// When its bytes or its names last changed.
    pub(crate) changed: Instant,
    /// When it was made, where the file system knows.
    pub(crate) born: Option<Instant>,
}

/// A file's time stamp: seconds since 1970 and nanoseconds. Compared, never trusted as a time.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct Instant(pub i64, pub u32);

/// The first descriptor that no log may have. Descriptors are the process's, and so is this.
static LOGS_END: AtomicI32 = AtomicI32::new(i32::MAX);

/// From now on no log is opened under this descriptor or a later one: the kernel gives the lowest that is free, so as many
/// stay for all else.
pub(crate) fn end_logs_at(end: RawFd) {
    LOGS_END.store(end, Ordering::Relaxed);
}

/// Opens a log for reading, with no symbolic link in any component. Never waits on a FIFO, never takes a terminal.
///
/// # Errors
/// As [`open_no_links`]; `EMFILE` as well where the descriptors that are left are kept for all else.
pub(crate) fn open_log(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open_no_links(path, flags)?;
    if file.as_raw_fd() >= LOGS_END.load(Ordering::Relaxed) {
        return Err(Errno::MFILE.into());
    }
    Ok(file.into())
}

/// Opens a folder, with no symbolic link in any component. `how` is `RDONLY` to list it, `PATH` to look at it.
///
/// # Errors
/// As [`open_no_links`]; `ENOTDIR` for what is no folder, a FIFO too.
pub(crate) fn open_folder(path: &Path, how: OFlags) -> io::Result<OwnedFd> {
    open_no_links(path, how | OFlags::DIRECTORY)
}

/// Opens `path`, which is absolute, with no symbolic link in any component.
///
/// # Errors
/// As the system says; `ELOOP` or `ENOTDIR` for a symbolic link.
pub(crate) fn open_no_links(path: &Path, how: OFlags) -> io::Result<OwnedFd> {
    let how = how | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(rustix::fs::CWD, path, how, Mode::empty(), resolve) {
        Err(errno @ (Errno::NOSYS | Errno::PERM)) => {
            OPENAT2_REFUSED.call_once(|| {
                tracing::warn!(
                    "openat2 is refused here ({errno}): folders are opened one by one, which costs more calls"
                );
            });
            open_by_components(path, how)
        }
        opened => Ok(opened?),
    }
}

/// A kernel before 5.6, or a filter that does not know the call.
static OPENAT2_REFUSED: Once = Once::new();

/// What openat2 does, by one openat for each component.
fn open_by_components(path: &Path, how: OFlags) -> io::Result<OwnedFd> {
    let on_the_way = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut components = path.components();
    let last = match components.next_back() {
        Some(Component::Normal(last)) => Some(last),
        Some(Component::RootDir) => None,
        _ => return Err(Errno::LOOP.into()),
    };
    let mut folder = rustix::fs::open("/", on_the_way, Mode::empty())?;
    for component in components {
        match component {
            Component::RootDir => {}
            Component::Normal(name) => {
                folder = rustix::fs::openat(&folder, name, on_the_way, Mode::empty())?;
            }
            _ => return Err(Errno::LOOP.into()),
        }
    }
    Ok(match last {
        Some(last) => rustix::fs::openat(&folder, last, how, Mode::empty())?,
        None => rustix::fs::open("/", how, Mode::empty())?,
    })
}

/// Whether the process, or the machine, has no descriptor left: pressure, no fault of the file's.
pub(crate) fn is_pressure(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    errno == Some(libc::EMFILE) || errno == Some(libc::ENFILE)
}

/// Raises the limit of descriptors as far as the process may, and says what it is then.
pub(crate) fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if current != maximum && setrlimit(Resource::Nofile, raised).is_ok() {
        return maximum.unwrap_or(u64::MAX);
    }
    current.unwrap_or(u64::MAX)
}

/// What a name leads to, the name itself if it is a symbolic link.
pub(crate) fn stat_name(path: &Path) -> io::Result<Stat> {
    stat(rustix::fs::CWD, path, AtFlags::SYMLINK_NOFOLLOW)
}

/// What a folder is now; a symbolic link to one is followed.
pub(crate) fn stat_folder(path: &Path) -> io::Result<Stat> {
    stat(rustix::fs::CWD, path, AtFlags::empty())
}

/// What kind a name in a folder is, the name itself if it is a symbolic link.
pub(crate) fn kind_of(folder: impl AsFd, name: &Path) -> io::Result<FileType> {
    let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(found.st_mode))
}

/// What an open file is now.
pub(crate) fn stat_file(file: &File) -> io::Result<Stat> {
    stat_of(file)
}

/// What an open descriptor leads to now.
pub(crate) fn stat_of(descriptor: impl AsFd) -> io::Result<Stat> {
    stat(descriptor, Path::new(""), AtFlags::EMPTY_PATH)
}

fn stat(folder: impl AsFd, path: &Path, flags: AtFlags) -> io::Result<Stat> {
    let found = rustix::fs::statx(
        folder,
        path,
        flags,
        StatxFlags::BASIC_STATS | StatxFlags::BTIME,
    )?;
    let instant = |at: rustix::fs::StatxTimestamp| Instant(at.tv_sec, at.tv_nsec);
    let knows_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
    Ok(Stat {
        dev: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
        ino: found.stx_ino,
        size: found.stx_size,
        stored: found.stx_blocks.saturating_mul(512),
        links: found.stx_nlink,
        owner: found.stx_uid,
        open_to_others: u32::from(found.stx_mode) & 0o022 != 0,
        regular: u32::from(found.stx_mode) & libc::S_IFMT == libc::S_IFREG,
        modified: instant(found.stx_mtime),
        changed: instant(found.stx_ctime),
        born: knows_birth.then(|| instant(found.stx_btime)),
    })
}

/// Where the next hole at or after `offset` begins; the file's end if there is none.
///
/// # Errors
/// As the system says; `EINVAL` where the file system does not know holes.
pub(crate) fn next_hole(file: &File, offset: u64) -> io::Result<u64> {
    Ok(rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(offset))?)
}

/// Where the next data at or after `offset` begins; `None` if all that follows is a hole.
pub(crate) fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(at) => Ok(Some(at)),
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A handle to compare and not to open (Linux, include/uapi/linux/fcntl.h); libc does not name it.
const AT_HANDLE_FID: libc::c_int = 0x200;

/// Room for the largest handle the kernel gives, behind libc's header of it.
#[repr(C)]
struct HandleBuffer {
    header: libc::file_handle,
    bytes: [u8; libc::MAX_HANDLE_SZ as usize],
}

/// The file's handle: type and bytes, opaque. It holds the inode's generation, so it differs where
/// an inode number is used again. `None` where the file system or a filter refuses it.
#[expect(
    unsafe_code,
    reason = "name_to_handle_at has no safe wrapper in rustix, and no other call gives an inode's generation"
)]
#[must_use]
pub(crate) fn handle_of(file: &File) -> Option<Vec<u8>> {
    let mut buffer = HandleBuffer {
        header: libc::file_handle {
            handle_bytes: libc::MAX_HANDLE_SZ.unsigned_abs(),
            handle_type: 0,
            f_handle: [],
        },
        bytes: [0; libc::MAX_HANDLE_SZ as usize],
    };
    let mut mount_id: libc::c_int = 0;
    let mut ask = |flags: libc::c_int| {
        buffer.header.handle_bytes = libc::MAX_HANDLE_SZ.unsigned_abs();
        // SAFETY: the path is a NUL-ended string; `buffer` is laid out as C would and has the room
        // behind its header that `handle_bytes` promises; the kernel keeps neither pointer.
        unsafe {
            libc::name_to_handle_at(
                file.as_raw_fd(),
                c"".as_ptr(),
                (&raw mut buffer).cast(),
                &raw mut mount_id,
                flags,
            )
        }
    };
    // Some file systems give no handle to open a file by, but since Linux 6.5 one to know it by.
    if ask(libc::AT_EMPTY_PATH) != 0 && ask(libc::AT_EMPTY_PATH | AT_HANDLE_FID) != 0 {
        return None;
    }
    let len = usize::try_from(buffer.header.handle_bytes).ok()?;
    let bytes = buffer.bytes.get(..len)?;
    Some([&buffer.header.handle_type.to_be_bytes(), bytes].concat())
}

/// Which signal a lease sends (Linux, include/uapi/asm-generic/fcntl.h); libc does not name it.
const F_SETSIG: libc::c_int = 10;

/// Whether it is proven that nobody has the file open for writing: the kernel gives a read lease only then. `false`
/// where it does not say.
#[expect(
    unsafe_code,
    reason = "F_SETLEASE and F_SETSIG have no safe wrapper in rustix, and no other call tells of another's descriptor"
)]
#[must_use]
pub(crate) fn has_no_writer(file: &File) -> bool {
    let descriptor = file.as_raw_fd();
    // Who opens the file while the lease is held waits until it is given back, right below, and makes the kernel send
    // a signal: one that is ignored unless asked for, where the default one would end the process.
    // SAFETY: the descriptor is open, and both commands take a number.
    let leased = unsafe {
        libc::fcntl(descriptor, F_SETSIG, libc::SIGURG) == 0
            && libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_RDLCK) == 0
    };
    if leased {
        // SAFETY: as above.
        let released = unsafe { libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_UNLCK) };
        if released != 0 {
            tracing::warn!(
                "a lease on a deleted log cannot be given back; it ends with the descriptor"
            );
        }
    }
    leased
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_handle_outlives_a_rename_and_not_a_reuse() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&a, "x").unwrap();
        let first = handle_of(&File::open(&a).unwrap()).expect("the test's disk gives handles");
        std::fs::rename(&a, &b).unwrap();
        assert_eq!(handle_of(&File::open(&b).unwrap()).as_ref(), Some(&first));
        std::fs::remove_file(&b).unwrap();
        std::fs::write(&b, "x").unwrap();
        assert_ne!(handle_of(&File::open(&b).unwrap()), Some(first));
    }

    #[test]
    fn no_link_is_followed_with_openat2_or_without() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("real/sub")).unwrap();
        std::fs::write(at("real/sub/log"), "x").unwrap();
        symlink(at("real"), at("first")).unwrap();
        symlink(at("real/sub"), at("real/middle")).unwrap();
        symlink(at("real/sub/log"), at("real/last")).unwrap();
        let how = OFlags::RDONLY | OFlags::NOFOLLOW;
        for (name, opens) in [
            ("real/sub/log", true),
            ("real/sub", true),
            ("first/sub/log", false),
            ("real/middle/log", false),
            ("real/last", false),
            ("real/missing", false),
        ] {
            let path = at(name);
            assert_eq!(open_no_links(&path, how).is_ok(), opens, "{name}");
            assert_eq!(open_by_components(&path, how).is_ok(), opens, "{name}");
        }
        assert!(open_by_components(&at("real/../real/sub/log"), how).is_err());
        assert!(open_by_components(Path::new("/"), how).is_ok());
    }

    #[test]
    fn a_fifo_in_a_folders_place_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(dir.path());
        for how in [OFlags::RDONLY, OFlags::PATH] {
            let refused = open_folder(&path, how).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::ENOTDIR));
        }
    }

    fn fifo(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("fifo");
        let kind = FileType::Fifo;
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        path
    }

    #[test]
    fn a_writer_is_noticed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reader = File::open(file.path()).unwrap();
        assert!(
            !has_no_writer(&reader),
            "the temporary file's own descriptor"
        );
        let path = file.into_temp_path();
        assert!(has_no_writer(&reader));
        std::fs::remove_file(&path).unwrap();
        assert!(has_no_writer(&reader));
    }

    #[test]
    fn a_fifo_is_opened_without_waiting_and_is_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let file = open_log(&fifo(dir.path())).unwrap();
        assert!(!stat_file(&file).unwrap().regular);
    }
}
