//! A source in a manifest: which file, and which of its bytes this batch takes.

use crate::entry::{PathBytes, decode_base64};
use crate::json::{integer, present};
use crate::name::{Epoch, Name};
use alloc::string::{String, ToString};
use base64::Engine as _;
use serde::{Deserialize, Serialize};

/// How a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// As it is.
    Plain,
    /// Unpacked; offsets count unpacked bytes.
    Gzip,
}

/// A source of another epoch that this one continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Was {
    /// The stream it was read in.
    pub stream: Name,
    /// The epoch it was read in.
    pub epoch: Epoch,
    /// Its id there.
    #[serde(deserialize_with = "integer")]
    pub id: u64,
}

/// What this batch takes from one source through one file: bytes `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Unique in the epoch; `log.file.id` of its entries.
    #[serde(deserialize_with = "integer")]
    pub id: u64,
    /// Where it was first seen, if that is UTF-8.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub path: Option<String>,
    /// Where it was first seen, if that is not UTF-8: base64.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub path_base64: Option<String>,
    /// Device number, decimal.
    pub dev: String,
    /// Inode number, decimal.
    pub ino: String,
    /// The kernel's file handle as hex; left out where it is refused.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub handle: Option<String>,
    /// How it is read.
    pub via: Via,
    /// First byte.
    #[serde(deserialize_with = "integer")]
    pub from: u64,
    /// One after the last byte.
    #[serde(deserialize_with = "integer")]
    pub to: u64,
    /// Only in its first entry of the epoch: the source it continues.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub was: Option<Was>,
}

impl Source {
    /// Splits a path into the two fields that carry it.
    #[must_use]
    pub fn path_fields(path: &PathBytes) -> (Option<String>, Option<String>) {
        match core::str::from_utf8(&path.0) {
            Ok(text) => (Some(text.to_string()), None),
            Err(_) => (
                None,
                Some(base64::engine::general_purpose::STANDARD.encode(&path.0)),
            ),
        }
    }

    /// The path's bytes; `None` unless exactly one field carries it.
    #[must_use]
    pub fn path_bytes(&self) -> Option<PathBytes> {
        match (&self.path, &self.path_base64) {
            (Some(text), None) => Some(PathBytes(text.clone().into_bytes())),
            (None, Some(text)) => decode_base64(text).map(PathBytes),
            _ => None,
        }
    }
}
