//! All keys of this agent: the one that signs, the one that is to follow it, and those that signed before.
//!
//! A rotation changes the key stream by stream: a manifest with the event `key` is the last one that the old key signs
//! in a stream. It can be cut anywhere and run again:
//!
//! 1. `<key>.next` is made, durable. A crash leaves a key that nothing was signed with.
//! 2. Each stream seals its `key` event. After a crash some streams have it and some do not: each is signed by the key
//!    that its own newest manifest names.
//! 3. The old public key joins `keys` in the state folder: what it signed in the spool is still ours.
//! 4. `<key>.next` takes the place of `<key>`. Before this, both are there; after it, the new one alone.

use crate::sealing::signing_key::{self, KeyError};
use host::disk;
use ledger::name::Name;
use ledger::signature::Key;
use ssh_key::PrivateKey;
use std::io;
use std::path::{Path, PathBuf};

/// The file with the public keys that signed before, one a line.
const FILE: &str = "keys";

/// Largest such file: some thousand rotations.
const FILE_MAX: u64 = 1024 * 1024;

/// The keys that sign, and those that did.
#[derive(Debug)]
pub(crate) struct OwnKeys {
    path: PathBuf,
    state: PathBuf,
    current: (PrivateKey, Key),
    next: Option<(PrivateKey, Key)>,
    past: Vec<Key>,
}

impl OwnKeys {
    /// Reads them all.
    ///
    /// # Errors
    /// As [`signing_key::load`], for each of them; a `keys` that is none of ours; a `<key>.next` that no rotation
    /// made, for it holds a key that signs or did.
    pub(crate) fn load(path: &Path, state: &Path) -> Result<Self, KeyError> {
        let current = signing_key::load(path)?;
        let past = read_past(state)?;
        let next = match signing_key::load(&next_path(path)) {
            // A rotation never leaves this, wherever it is cut: somebody put the file there.
            Ok((_, key)) if key == current.1 || past.contains(&key) => {
                let path = next_path(path);
                return Err(KeyError::UsedNext { path, key });
            }
            Ok(next) => Some(next),
            Err(KeyError::Missing(_)) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            path: path.into(),
            state: state.into(),
            current,
            next,
            past,
        })
    }

    /// The public half of the key that signs.
    pub(crate) fn current(&self) -> Key {
        self.current.1
    }

    /// The public halves of all of them: a manifest that one of these signed is this agent's.
    pub(crate) fn all(&self) -> Vec<Key> {
        let next = self.next.iter().map(|(_, key)| *key);
        let now = [self.current.1].into_iter().chain(next);
        now.chain(self.past.iter().copied()).collect()
    }

    /// The key that signs a stream whose newest `key` event names `announced`.
    ///
    /// # Errors
    /// The event names a key that is not here: with any other one the stream would be forged, by the agent itself.
    pub(crate) fn signer(&self, announced: Option<Key>) -> Result<&PrivateKey, KeyError> {
        let Some(announced) = announced else {
            return Ok(&self.current.0);
        };
        let keys = [Some(&self.current), self.next.as_ref()];
        let found = keys
            .into_iter()
            .flatten()
            .find(|(_, key)| *key == announced);
        found.map(|(private, _)| private).ok_or(KeyError::Replaced {
            path: self.path.clone(),
            announced,
        })
    }

    /// The key that is to follow and its line for auditors, made now if a rotation has not begun.
    pub(crate) fn begin(&mut self, agent: &Name) -> Result<(Key, String), KeyError> {
        if self.path.is_symlink() {
            return Err(KeyError::Linked(self.path.clone()));
        }
        let path = next_path(&self.path);
        signing_key::make(&path, agent)?;
        let (private, key) = signing_key::load(&path)?;
        let line = signing_key::signers_line(agent, &private)?;
        self.next = Some((private, key));
        Ok((key, line))
    }

    /// Steps 3 and 4, once every stream has named the next key.
    pub(crate) fn finish(self) -> Result<(), KeyError> {
        let Some(_) = self.next else { return Ok(()) };
        let mut past = self.past;
        if !past.contains(&self.current.1) {
            past.push(self.current.1);
        }
        let text: String = past.iter().map(|key| key.to_openssh() + "\n").collect();
        let keys = self.state.join(FILE);
        disk::write_durable(&self.state, FILE, text.as_bytes()).map_err(failed(&keys))?;
        // A crash before this leaves both keys, and every stream with the one that its event names.
        std::fs::rename(next_path(&self.path), &self.path).map_err(failed(&self.path))?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        disk::sync_dir(folder).map_err(failed(folder))
    }
}

/// Where the key that is to follow waits.
fn next_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

fn failed(path: &Path) -> impl Fn(io::Error) -> KeyError {
    let path = path.to_path_buf();
    move |source| KeyError::Io {
        path: path.clone(),
        source,
    }
}

fn read_past(state: &Path) -> Result<Vec<Key>, KeyError> {
    let path = state.join(FILE);
    let bytes = match disk::read_bounded(&path, FILE_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&path)(error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let keys: Result<Vec<Key>, _> = lines.map(str::parse).collect();
    keys.map_err(|_| KeyError::NotKeys(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_can_be_cut_anywhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let agent: Name = "web-01".parse().unwrap();
        signing_key::make(&path, &agent).unwrap();
        let load = || OwnKeys::load(&path, dir.path()).unwrap();
        let old = load().all()[0];
        let next = load().begin(&agent).unwrap().0;
        // Cut here, and begun again: the same key follows.
        assert_eq!(load().begin(&agent).unwrap().0, next);
        assert_eq!(load().all(), [old, next]);
        let signs = |announced| {
            let keys = load();
            let public = keys.signer(announced).unwrap().public_key().clone();
            Key::of(&public).unwrap()
        };
        assert_eq!((signs(None), signs(Some(next))), (old, next));
        load().finish().unwrap();
        assert_eq!(load().all(), [next, old]);
        assert_eq!((signs(None), signs(Some(next))), (next, next));
        assert!(matches!(
            load().signer(Some(old)),
            Err(KeyError::Replaced { .. })
        ));
        load().finish().unwrap();
        assert_eq!(load().all(), [next, old]);
    }

    #[test]
    fn a_key_that_signs_or_did_is_not_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let agent: Name = "web-01".parse().unwrap();
        signing_key::make(&path, &agent).unwrap();
        let old = dir.path().join("old");
        std::fs::copy(&path, &old).unwrap();
        let load = || OwnKeys::load(&path, dir.path());
        let refused = |stray: &Path| {
            std::fs::copy(stray, next_path(&path)).unwrap();
            let error = load().unwrap_err();
            std::fs::remove_file(next_path(&path)).unwrap();
            matches!(error, KeyError::UsedNext { .. }) && error.to_string().contains("key.next")
        };
        assert!(refused(&path));
        let mut keys = load().unwrap();
        keys.begin(&agent).unwrap();
        keys.finish().unwrap();
        assert!(refused(&path) && refused(&old));
        load().unwrap();
    }

    #[test]
    fn a_key_behind_a_link_is_rotated_where_it_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, kept) = (dir.path().join("key"), dir.path().join("mounted"));
        let agent: Name = "web-01".parse().unwrap();
        signing_key::make(&kept, &agent).unwrap();
        std::os::unix::fs::symlink(&kept, &path).unwrap();
        let refused = OwnKeys::load(&path, dir.path()).unwrap().begin(&agent);
        assert!(matches!(refused, Err(KeyError::Linked(_))));
        assert!(!next_path(&path).exists());
    }

    #[test]
    fn a_keys_file_that_is_none_of_ours_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "x\n").unwrap();
        assert!(matches!(read_past(dir.path()), Err(KeyError::NotKeys(_))));
    }
}
