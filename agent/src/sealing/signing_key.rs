//! The agent's signing key: an OpenSSH Ed25519 key that only its owner can read.
//!
//! Its bytes never enter a log, an error or a `Debug`.

use host::disk;
use ledger::name::Name;
use ledger::signature::Key;
use ledger::signature::signers::{self, SignersFault};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest key file that is read.
const FILE_MAX_BYTES: u64 = 16 * 1024;

/// Mode of a key: its owner alone.
const KEY_MODE: u32 = 0o600;

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is none.
    #[error("{}: no signing key; make one with: holdfast-agent init --config <file>", .0.display())]
    Missing(PathBuf),
    /// What the system said.
    #[error("{}: {source}", path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// Why it cannot be read or made.
        source: io::Error,
    },
    /// Others could sign in the agent's name.
    #[error("{}: mode {mode:o} lets others read the signing key; chmod 600 it, and take a new key if it may have been read", path.display())]
    Open {
        /// The key file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not a key that can sign manifests.
    #[error("{}: expected an OpenSSH private key of type ed25519 without a passphrase (ssh-keygen -t ed25519 -N '')", .0.display())]
    Unusable(PathBuf),
    /// A stream has gone over to a key that is not here.
    #[error("{}: a stream is signed by {announced} since its last `key` event, and that key is not here; bring it back", path.display())]
    Replaced {
        /// The key file.
        path: PathBuf,
        /// The key that the stream's event names.
        announced: Key,
    },
    /// What waits to follow signs already, or did before a rotation.
    #[error("{}: holds {key}, which signs already or was replaced before; only a new key may follow: remove the file", path.display())]
    UsedNext {
        /// The file with the key that is to follow.
        path: PathBuf,
        /// That key.
        key: Key,
    },
    /// Somebody else keeps the key, and would put the old one back.
    #[error("{}: a link to a key that is kept elsewhere; point `key` at a file of the agent's own to rotate it", .0.display())]
    Linked(PathBuf),
    /// Not a list of public keys.
    #[error("{}: expected a public key in each line, as `rotate-key` writes them", .0.display())]
    NotKeys(PathBuf),
    /// The key cannot stand in an `allowed_signers` line.
    #[error(transparent)]
    Signers(#[from] SignersFault),
}

/// Reads the key.
///
/// # Errors
/// There is none, others can read it, or it cannot sign manifests.
pub fn load(path: &Path) -> Result<(PrivateKey, Key), KeyError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyError::Missing(path.into()),
        _ => KeyError::Io {
            path: path.into(),
            source,
        },
    };
    // Through symlinks: Kubernetes mounts secrets so.
    let resolved = path.canonicalize().map_err(io)?;
    let mode = resolved.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.into();
        return Err(KeyError::Open { path, mode });
    }
    let text = Zeroizing::new(disk::read_bounded(&resolved, FILE_MAX_BYTES).map_err(io)?);
    let unusable = || KeyError::Unusable(path.into());
    let key = PrivateKey::from_openssh(&*text).map_err(|_| unusable())?;
    let public = Key::of(key.public_key()).filter(|_| !key.is_encrypted());
    public.map(|public| (key, public)).ok_or_else(unusable)
}

/// Makes a key, durable, if nothing stands at `path`. Whether it made one.
///
/// # Errors
/// The folder cannot be written, or there are no random bytes.
pub fn make(path: &Path, agent: &Name) -> Result<bool, KeyError> {
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let io = |source| KeyError::Io {
        path: path.into(),
        source,
    };
    let unusable = |_| KeyError::Unusable(path.into());
    let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(unusable)?;
    key.set_comment(agent.as_str());
    let text = key.to_openssh(LineEnding::LF).map_err(unusable)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let temporary = folder.join(format!(".tmp-{}", disk::random_name().map_err(io)?));
    let written = write(&temporary, text.as_bytes())
        // A crash here leaves a key that nothing was signed with, swept at the agent's next start.
        .and_then(|()| disk::rename_new(&temporary, path));
    if let Err(source) = written {
        // Best effort, for the same reason.
        drop(std::fs::remove_file(&temporary));
        return Err(io(source));
    }
    disk::sync_dir(folder).map_err(io)?;
    Ok(true)
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = disk::create_new(path, KEY_MODE)?;
    file.write_all(text)?;
    file.sync_all()
}

/// The `allowed_signers` line by which auditors know this agent, without LF.
///
/// # Errors
/// The key is of a type that cannot sign manifests.
pub(crate) fn signers_line(agent: &Name, key: &PrivateKey) -> Result<String, KeyError> {
    Ok(signers::line_for(agent, key.public_key())?
        .trim_end()
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let agent: Name = "web-01".parse().unwrap();
        assert!(matches!(load(&path), Err(KeyError::Missing(_))));
        assert!(make(&path, &agent).unwrap());
        let (key, public) = load(&path).unwrap();
        assert!(!make(&path, &agent).unwrap());
        assert_eq!(load(&path).unwrap().1, public);
        assert_eq!(
            path.metadata().unwrap().permissions().mode() & 0o777,
            KEY_MODE
        );
        let line = signers_line(&agent, &key).unwrap();
        assert!(line.starts_with("web-01 namespaces=\"holdfast-manifest\" ssh-ed25519 AAAA"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn keys_that_others_read_or_that_are_none_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        make(&path, &"a".parse().unwrap()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            load(&path),
            Err(KeyError::Open { mode: 0o640, .. })
        ));
        std::fs::write(&path, b"not a key").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(load(&path), Err(KeyError::Unusable(_))));
    }
}
