//! `init`: makes the spool, the state folder and the key, each once; running it again changes
//! nothing.

use crate::config::Config;
use crate::sealing::signing_key::{self, KeyError};
use crate::spool::{FOLDER_MODE, Layout};
use host::disk;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Mode of the state folder: nobody but the agent has business there.
const STATE_MODE: u32 = 0o700;

/// Mode of folders on the way to them that are missing.
const PARENT_MODE: u32 = 0o755;

/// What `init` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialised {
    /// The line for the auditors' `allowed_signers`.
    pub signers_line: String,
    /// Whether the key is new.
    pub made_key: bool,
    /// Whether the spool is new.
    pub made_spool: bool,
}

/// Why `init` could not finish. Running it again continues where it ended.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// What the system said.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder that cannot be made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Makes what `config` names and is not there.
///
/// # Errors
/// Something could not be made. Running it again continues where it ended.
pub fn init(config: &Config) -> Result<Initialised, InitError> {
    let layout = Layout::new(&config.spool);
    let is_complete = config.spool.join(ledger::spool::ID).exists();
    for (path, mode) in [
        (config.state.clone(), STATE_MODE),
        (config.spool.clone(), FOLDER_MODE),
        (layout.tmp(), FOLDER_MODE),
        (layout.sealed(), FOLDER_MODE),
        (layout.receipts(), FOLDER_MODE),
    ] {
        make_folder(&path, mode)?;
        if !is_complete {
            mend_mode(&path, mode)?;
        }
    }
    if let Some(parent) = config.key.parent() {
        make_folder(parent, STATE_MODE)?;
    }
    let made_key = signing_key::make(&config.key, &config.agent)?;
    let (key, _) = signing_key::load(&config.key)?;
    // The id comes last: a spool with an id is complete.
    let made_spool = make_id(&config.spool)?;
    Ok(Initialised {
        signers_line: signing_key::signers_line(&config.agent, &key)?,
        made_key,
        made_spool,
    })
}

fn make_folder(path: &Path, mode: u32) -> Result<(), InitError> {
    let io = |source| InitError::Io {
        path: path.into(),
        source,
    };
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new("/"));
    if !parent.is_dir() {
        make_folder(parent, PARENT_MODE)?;
    }
    let name = path.file_name().unwrap_or_default();
    disk::make_dirs_durable(parent, Path::new(name), mode).map_err(io)
}

/// An earlier `init` may have been cut between a folder's mkdir and its chmod.
fn mend_mode(path: &Path, mode: u32) -> Result<(), InitError> {
    let mended = File::open(path).and_then(|folder| disk::mend_mode(folder, mode));
    mended.map_err(|source| InitError::Io {
        path: path.into(),
        source,
    })
}

fn make_id(spool: &Path) -> Result<bool, InitError> {
    let path = spool.join(ledger::spool::ID);
    let io = |source| InitError::Io {
        path: path.clone(),
        source,
    };
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    // A crash during an earlier `init` leaves its temporary file; nobody else writes here.
    disk::sweep_temporaries(spool).map_err(io)?;
    let halves = [
        disk::random_name().map_err(io)?,
        disk::random_name().map_err(io)?,
    ];
    let text = ledger::spool::id_file(&halves.concat());
    disk::write_durable(spool, ledger::spool::ID, text.as_bytes()).map_err(io)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn it_makes_everything_once_and_changes_nothing_again() {
        let dir = tempfile::tempdir().unwrap();
        let config = crate::testing::config(dir.path(), &[("auth", "*.log")]);
        let first = init(&config).unwrap();
        assert!(first.made_key && first.made_spool);
        let id = Layout::new(&config.spool).id().unwrap();
        let again = init(&config).unwrap();
        assert!(!again.made_key && !again.made_spool);
        assert_eq!(again.signers_line, first.signers_line);
        assert_eq!(Layout::new(&config.spool).id().unwrap(), id);
        assert_eq!(id.len(), 32);
        for (path, mode) in [
            (&config.spool, FOLDER_MODE),
            (&config.spool.join("sealed"), FOLDER_MODE),
            (&config.spool.join("tmp"), FOLDER_MODE),
            (&config.spool.join("receipts"), FOLDER_MODE),
            (&config.state, STATE_MODE),
        ] {
            let got = path.metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(got, mode, "{}", path.display());
        }
    }

    #[test]
    fn it_continues_where_it_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let config = crate::testing::config(dir.path(), &[("auth", "*.log")]);
        std::fs::create_dir_all(config.spool.join("tmp")).unwrap();
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&config.spool, closed.clone()).unwrap();
        std::fs::set_permissions(config.spool.join("tmp"), closed).unwrap();
        std::fs::write(config.spool.join(".tmp-0123456789abcdef"), b"half an id").unwrap();
        assert!(init(&config).unwrap().made_spool);
        assert!(!config.spool.join(".tmp-0123456789abcdef").exists());
        for path in [&config.spool, &config.spool.join("tmp")] {
            let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode, FOLDER_MODE, "{}", path.display());
        }
        std::fs::remove_file(config.spool.join("id")).unwrap();
        assert!(
            init(&config).unwrap().made_spool,
            "a spool without an id is not made yet"
        );
    }
}
