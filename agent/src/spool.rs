//! The agent's half of the spool: where things stand, how much there may be, what the archiver says
//! of it, what goes.
//!
//! ```text
//! spool/id                                    random, made by `init`, copied into snapshots
//! spool/lock                                  held by the agent that runs here
//! spool/tmp/<random>/                         open batches, and batches being deleted
//! spool/sealed/<stream>/<epoch>/<seq:020>/    body (with entries), manifest, cursors
//! spool/receipts/                             the archiver's half: only read here
//! ```

mod marks;
mod paths;
mod room;

pub(crate) mod cursors_file;

pub(crate) mod prune;
pub(crate) mod receipts;

pub(crate) use self::paths::{FOLDER_MODE, Layout, SpoolError};
pub(crate) use self::room::{Spool, pages, weigh};
