//! A pattern's fixed part as it is now: the path without symbolic links that it leads to. Whoever may change a folder
//! on the way could put a link there and choose what the agent reads, so a link counts only where nobody but root and
//! the agent's own account could have put it. What is resolved is opened with no link in any component
//! ([`crate::sys::open_no_links`]), so a folder that becomes one later is refused then.

use crate::sys;
use rustix::fs::{FileType, Mode, OFlags, Stat, openat, readlinkat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

/// Links that one path may lead through, as in the kernel.
const LINKS_MAX: usize = 40;

/// Write permission of the group and of others.
const OTHERS_WRITE: u32 = 0o022;

/// Only a name's owner, the folder's owner and root may rename or remove it.
const STICKY: u32 = 0o1000;

/// A fixed part, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    /// The fixed part as the operator wrote it.
    pub(super) written: PathBuf,
    /// The path, with no symbolic link in it.
    pub(super) path: PathBuf,
    /// Device and inode number of each folder on the way, `/` first.
    pub(super) folders: Vec<(u64, u64)>,
    /// Whether all of it is there.
    pub(super) exists: bool,
}

impl Root {
    /// What `path`, which lies below the fixed part, is without symbolic links.
    #[must_use]
    pub(super) fn real(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.written) {
            // Joined, nothing would add a slash, which no file has.
            Ok(rest) if rest.as_os_str().is_empty() => self.path.clone(),
            Ok(rest) => self.path.join(rest),
            Err(_) => path.to_path_buf(),
        }
    }
}

/// Why a fixed part leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootError {
    /// A link that somebody else could have put there.
    #[error(
        "{} is a symbolic link in a folder that others than root and the agent may change, so it is not followed; name \
         the folder that it leads to",
        .0.display()
    )]
    Link(PathBuf),
    /// A link of the kernel's, such as `/proc/1/root`: what it reads as is not where it leads.
    #[error("{} is a link of /proc, which leads by no path; name the folder by a path of this system", .0.display())]
    Proc(PathBuf),
    /// Too many links, or a circle of them.
    #[error("more than {LINKS_MAX} symbolic links")]
    Links,
    /// What the system says.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// To look at what a name leads to: it waits for nothing, and a symbolic link is looked at itself.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder on the way, open.
struct Level {
    folder: OwnedFd,
    stat: Stat,
    /// Nobody but root and the agent can have chosen that the path leads here.
    chosen_by_us: bool,
}

/// Follows `path`, component by component.
///
/// # Errors
/// A link that others could have put there, too many of them, or what the system says. What is not there is no error.
pub(crate) fn resolve(path: &Path) -> Result<Root, RootError> {
    let mut todo: VecDeque<OsString> = names(path).collect();
    let mut levels = vec![slash()?];
    let mut real = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            real.pop();
            levels.truncate((levels.len() - 1).max(1));
            continue;
        }
        let here = real.join(&name);
        let fail = |errno: Errno| RootError::Io {
            path: here.clone(),
            source: errno.into(),
        };
        let Some(level) = levels.last() else {
            return Err(fail(Errno::NOENT));
        };
        let entry = match openat(&level.folder, &name, LOOK, Mode::empty()) {
            Ok(entry) => entry,
            Err(Errno::NOENT) => {
                real = here;
                real.extend(todo);
                return Ok(root(path, real, &levels, false));
            }
            Err(errno) => return Err(fail(errno)),
        };
        let stat = rustix::fs::fstat(&entry).map_err(fail)?;
        let chosen_by_us = level.chosen_by_us && is_ours(&level.stat, &stat);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                levels.push(Level {
                    folder: entry,
                    stat,
                    chosen_by_us,
                });
                real = here;
            }
            FileType::Symlink if !chosen_by_us => return Err(RootError::Link(here)),
            FileType::Symlink if is_of_proc(&entry).map_err(fail)? => {
                return Err(RootError::Proc(here));
            }
            FileType::Symlink => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(RootError::Links);
                }
                let target = readlinkat(&entry, "", Vec::new()).map_err(fail)?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    levels.truncate(1);
                    real = PathBuf::from("/");
                }
                for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                    todo.push_front(name);
                }
            }
            _ => return Err(fail(Errno::NOTDIR)),
        }
    }
    Ok(root(path, real, &levels, true))
}

/// Whether only root and the agent could have put the name that `stat` tells of into `folder`.
fn is_ours(folder: &Stat, stat: &Stat) -> bool {
    let ours = |uid: u32| uid == 0 || uid == rustix::process::geteuid().as_raw();
    let is_closed = folder.st_mode & OTHERS_WRITE == 0;
    let is_kept = folder.st_mode & STICKY != 0 && ours(stat.st_uid);
    ours(folder.st_uid) && (is_closed || is_kept)
}

/// Whether a file is of the kernel's own file system of processes.
fn is_of_proc(entry: &OwnedFd) -> rustix::io::Result<bool> {
    Ok(rustix::fs::fstatfs(entry)?.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

fn slash() -> Result<Level, RootError> {
    let path = Path::new("/");
    let fail = |source: io::Error| RootError::Io {
        path: path.into(),
        source,
    };
    let folder = sys::open_folder(path, OFlags::PATH).map_err(fail)?;
    let stat = rustix::fs::fstat(&folder).map_err(|errno| fail(errno.into()))?;
    Ok(Level {
        folder,
        stat,
        chosen_by_us: true,
    })
}

fn root(written: &Path, path: PathBuf, levels: &[Level], exists: bool) -> Root {
    let numbers = |level: &Level| (level.stat.st_dev, level.stat.st_ino);
    Root {
        written: written.into(),
        path,
        folders: levels.iter().map(numbers).collect(),
        exists,
    }
}

fn names(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::from_bytes(b"..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, create_dir_all, set_permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn open_to_all(folder: &Path, mode: u32) {
        set_permissions(folder, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn links_are_followed_where_only_the_agent_may_put_them() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        create_dir_all(at("real/logs")).unwrap();
        symlink(at("real"), at("absolute")).unwrap();
        symlink("../real/./logs", at("real/relative")).unwrap();
        symlink("circle", at("circle")).unwrap();
        let path = |name: &str| resolve(&at(name)).map(|root| (root.path, root.exists));
        assert_eq!(path("absolute/logs").unwrap(), (at("real/logs"), true));
        assert_eq!(path("absolute/relative").unwrap(), (at("real/logs"), true));
        assert_eq!(path("real/later/x").unwrap(), (at("real/later/x"), false));
        assert!(matches!(path("circle"), Err(RootError::Links)));
        let of_proc = resolve(Path::new("/proc/self/root/tmp"));
        assert!(matches!(of_proc, Err(RootError::Proc(_))), "{of_proc:?}");
        std::fs::write(at("file"), "").unwrap();
        assert!(matches!(path("file"), Err(RootError::Io { .. })));
    }

    #[test]
    fn a_link_that_others_may_put_is_refused_and_a_folder_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        create_dir_all(at("open/below/logs")).unwrap();
        create_dir(at("secret")).unwrap();
        symlink(at("secret"), at("open/link")).unwrap();
        symlink(at("secret"), at("open/below/link")).unwrap();
        for (mode, is_refused) in [
            (0o755, false),
            (0o777, true),
            (0o775, true),
            (0o1777, false),
        ] {
            open_to_all(&at("open"), mode);
            for link in ["open/link", "open/below/link"] {
                let refused = matches!(resolve(&at(link)), Err(RootError::Link(_)));
                assert_eq!(refused, is_refused, "{link} {mode:o}");
            }
            let folder = resolve(&at("open/below/logs")).unwrap();
            assert_eq!(folder.path, at("open/below/logs"), "{mode:o}");
        }
    }

    #[test]
    fn the_folders_on_the_way_are_told() {
        let dir = tempfile::tempdir().unwrap();
        create_dir(dir.path().join("logs")).unwrap();
        let root = resolve(&dir.path().join("logs/later")).unwrap();
        let stat = rustix::fs::stat(dir.path().join("logs")).unwrap();
        assert_eq!(root.folders.last(), Some(&(stat.st_dev, stat.st_ino)));
    }
}
