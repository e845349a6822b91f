//! Why a run of the archiver did not begin, and its exit code.

use crate::spool::OpenSpoolError;
use crate::upload::gate::Cause;
use host::exit;
use host::lock::LockError;
use probe::Refusal;
use std::io;
use store::{SetupFault, StoreError};

/// Why archiving did not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The spool is not there or not to be read.
    #[error("{0}; expected a spool made by `holdfast-agent init`, which this user may read")]
    Spool(io::Error),
    /// Another version of the agent made it, or the archiver's half of it is not the archiver's.
    #[error(transparent)]
    UnfitSpool(OpenSpoolError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Open(#[from] store::OpenError),
    #[error(transparent)]
    Setup(SetupFault),
    #[error(transparent)]
    NotEnforced(Refusal),
    /// A run that is to end does not wait for what may be mended.
    #[error("held: {0}")]
    Held(String, #[source] StoreError),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl From<OpenSpoolError> for StartError {
    fn from(error: OpenSpoolError) -> Self {
        match error {
            OpenSpoolError::Io(error) => Self::Spool(error),
            unfit => Self::UnfitSpool(unfit),
        }
    }
}

impl StartError {
    /// The exit code that goes with it.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self {
            // Not there, or not open to this user: a matter of how it is set up. All else may pass.
            Self::Spool(error)
                if ![
                    io::ErrorKind::NotFound,
                    io::ErrorKind::NotADirectory,
                    io::ErrorKind::PermissionDenied,
                ]
                .contains(&error.kind()) =>
            {
                exit::UNFINISHED
            }
            Self::Spool(_) | Self::UnfitSpool(_) | Self::Open(_) | Self::Setup(_) => exit::USAGE,
            Self::NotEnforced(_) => exit::DAMAGED,
            Self::Lock(_) | Self::Held(..) | Self::System(_) => exit::UNFINISHED,
        }
    }

    /// What it is to those who ask for the status.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Held(_, cause) => Cause::of(cause),
            Self::NotEnforced(_) => Cause::NotEnforced,
            _ => Cause::Unfit,
        }
    }
}
