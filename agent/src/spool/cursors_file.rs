//! The `cursors` file of a batch: where its sources stand once it is sealed. It is read back as hostile
//! input and believed only whole.

use crate::track::checkpoint::Checkpoint;
use ledger::Digest;
use serde::{Deserialize, Serialize};

/// Version of the file.
const VERSION: u64 = 1;

/// The first line of a batch's `cursors` file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CursorsHead {
    v: u64,
    /// The manifest it belongs to.
    manifest_sha256: Digest,
    /// Hash of all that follows this line.
    sha256: Digest,
}

/// A batch's `cursors` file: a line that says what it belongs to and proves the rest, then a line
/// for each checkpoint.
///
/// # Errors
/// A checkpoint that JSON cannot hold.
pub(crate) fn cursors_file(
    manifest_sha256: Digest,
    checkpoints: &[Checkpoint],
) -> Result<Vec<u8>, serde_json::Error> {
    let mut lines = Vec::new();
    for checkpoint in checkpoints {
        serde_json::to_writer(&mut lines, checkpoint)?;
        lines.push(b'\n');
    }
    let head = CursorsHead {
        v: VERSION,
        manifest_sha256,
        sha256: Digest::of(&lines),
    };
    let mut file = serde_json::to_vec(&head)?;
    file.push(b'\n');
    file.append(&mut lines);
    Ok(file)
}

/// Reads a `cursors` file back; `None` if it is not whole, or belongs to another manifest.
#[must_use]
pub(crate) fn parse_cursors(file: &[u8], manifest_sha256: Digest) -> Option<Vec<Checkpoint>> {
    let end = file.iter().position(|byte| *byte == b'\n')?;
    let (head, lines) = file.split_at(end + 1);
    let head: CursorsHead = serde_json::from_slice(head).ok()?;
    let fits = head.v == VERSION
        && head.manifest_sha256 == manifest_sha256
        && head.sha256 == Digest::of(lines);
    if !fits {
        return None;
    }
    let lines = lines.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| serde_json::from_slice(line).ok())
        .collect()
}
