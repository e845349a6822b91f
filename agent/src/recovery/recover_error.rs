//! Why nothing can be said about a spool.

use std::io;
use std::path::PathBuf;

/// The system would not let us look.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A new epoch needs random bytes and there are none.
    #[error("no random bytes for a new epoch: {0}")]
    Random(io::Error),
}
