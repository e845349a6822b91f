//! Why a batch was not sealed, and whether the agent may continue after that.

use crate::sealing::signing_key::KeyError;
use ledger::codec::CompressError;
use ledger::manifest::ManifestError;
use ledger::signature::SignError;
use std::io;
use std::path::PathBuf;

/// Why a batch was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Nothing was committed: the batch is to be thrown away and its bytes read again.
    #[error("{}: {doing}: {source}", path.display())]
    Discarded {
        path: PathBuf,
        /// The step that failed.
        doing: &'static str,
        source: io::Error,
    },
    /// It may or may not be committed: this process must end, and recovery will see.
    #[error("{}: the sealed batch may not be durable, a restart will tell: {source}", path.display())]
    Undecided {
        /// The folder that could not be synced.
        path: PathBuf,
        source: io::Error,
    },
    /// Another batch stands in its place: someone else writes to this spool.
    #[error("{}: a batch that this agent did not seal stands here; stop what else writes to the spool", .0.display())]
    Taken(PathBuf),
    /// The batch cannot be stated in format 1.
    #[error("batch that format 1 cannot state: {0}")]
    Manifest(#[from] ManifestError),
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The key that signs its stream is not here.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its checkpoints cannot be written as JSON.
    #[error("checkpoints that JSON cannot hold: {0}")]
    Checkpoints(#[from] serde_json::Error),
    /// It cannot be compressed.
    #[error(transparent)]
    Compress(#[from] CompressError),
}
