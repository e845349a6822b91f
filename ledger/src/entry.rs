//! One entry: a piece of a log line and where it came from, as one line of NDJSON.
//!
//! `message`, `event.*` and `log.file.path` are the Elastic Common Schema's, flattened; `log.offset` and
//! `log.flags` are Filebeat's names; `log.file.id` and `…_base64` are ours. The exact bytes of the line are what is
//! hashed, so this module writes them once and nobody re-serialises them.

mod write;

pub use write::Writer;

use crate::Moment;
use crate::json::Skipped;
use crate::limits::{INTEGER_END, MAX_LINE};
use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use core::fmt;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

/// A path as the host has it: any bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathBytes(pub Vec<u8>);

impl PathBytes {
    /// For people: what is not UTF-8 is replaced; controls and what reorders text are spelled out.
    #[must_use]
    pub fn display(&self) -> String {
        String::from_utf8_lossy(&self.0)
            .chars()
            .flat_map(char_escaped)
            .collect()
    }
}

/// A file's name is its owner's choice, so it must not be able to move a cursor or to read backwards.
fn char_escaped(c: char) -> impl Iterator<Item = char> {
    let hostile = c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let escaped = hostile.then(|| c.escape_default());
    let plain = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

/// Marks on an entry whose piece is not a whole line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// The piece starts inside a line: the byte before it is not LF.
    pub cont: bool,
    /// No LF follows the piece.
    pub open: bool,
}

/// An entry. `message` holds the piece's bytes without the LF that ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Number within the epoch, from 0: `event.sequence`.
    pub sequence: u64,
    /// When the agent read it: `event.created`.
    pub created: Moment,
    /// Where its source was first seen: `log.file.path` or `log.file.path_base64`.
    pub path: Cow<'a, [u8]>,
    /// The source, unique in the epoch: `log.file.id`.
    pub source: u64,
    /// Byte offset of the piece in the source (uncompressed): `log.offset`.
    pub offset: u64,
    /// `log.flags`
    pub flags: Flags,
    /// The piece's bytes: `message` or `message_base64`.
    pub message: Cow<'a, [u8]>,
}

/// Why a line of a body is not an entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Not JSON as strict as the format wants, or a known field of another type.
    #[error("not a strict JSON object of known shape: {0}")]
    Json(#[from] serde_json::Error),
    /// A field is missing, doubled by its twin, or breaks a rule.
    #[error("{0}")]
    Field(&'static str),
}

impl Entry<'_> {
    /// Bytes of the source that this entry accounts for, its LF included.
    #[must_use]
    pub fn source_len(&self) -> u64 {
        self.message.len() as u64 + u64::from(!self.flags.open)
    }

    /// Appends the entry as one JSON line without LF. A [`Writer`] does it for many.
    pub fn write(&self, line: &mut Vec<u8>) {
        Writer::new().write(self, line);
    }
}

/// Reads one line of a body, without its LF. Unknown fields are passed over.
///
/// # Errors
/// The line is not an entry of format 1.
pub fn parse(line: &[u8]) -> Result<Entry<'_>, EntryError> {
    if !(line.starts_with(b"{") && line.ends_with(b"}")) {
        return Err(EntryError::Field("not one object from { to }"));
    }
    let fields: Fields<'_> = serde_json::from_slice(line)?;
    fields.check()
}

/// The fields as they stand in the line.
#[derive(Default)]
struct Fields<'a> {
    sequence: Option<u64>,
    created: Option<Moment>,
    path: Option<Cow<'a, str>>,
    path_base64: Option<Cow<'a, str>>,
    source: Option<u64>,
    offset: Option<u64>,
    flags: Option<Vec<String>>,
    message: Option<Cow<'a, str>>,
    message_base64: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    fn check(self) -> Result<Entry<'a>, EntryError> {
        let number = |value: Option<u64>, what| {
            value
                .filter(|value| *value < INTEGER_END)
                .ok_or(EntryError::Field(what))
        };
        let message = bytes(
            self.message,
            self.message_base64,
            "one of message and message_base64 is needed",
        )?;
        if message.len() > MAX_LINE {
            return Err(EntryError::Field("message is over 1 MiB"));
        }
        if message.contains(&b'\n') {
            return Err(EntryError::Field("message has an LF inside"));
        }
        let given = self.flags.as_deref().unwrap_or_default();
        let distinct: BTreeSet<&str> = given.iter().map(String::as_str).collect();
        if distinct.len() != given.len() || self.flags.as_ref().is_some_and(Vec::is_empty) {
            return Err(EntryError::Field("log.flags is empty or repeats a flag"));
        }
        let flags = Flags {
            cont: distinct.contains("cont"),
            open: distinct.contains("open"),
        };
        if message.is_empty() && flags.open {
            return Err(EntryError::Field("an open entry without a byte"));
        }
        Ok(Entry {
            sequence: number(self.sequence, "event.sequence is missing or over 2^53")?,
            created: self
                .created
                .ok_or(EntryError::Field("event.created is missing"))?,
            path: bytes(
                self.path,
                self.path_base64,
                "one of log.file.path and log.file.path_base64 is needed",
            )?,
            source: number(self.source, "log.file.id is missing or over 2^53")?,
            offset: number(self.offset, "log.offset is missing or over 2^53")?,
            flags,
            message,
        })
    }
}

/// Text, or base64 of what is not text; never both, never base64 of what is text.
fn bytes<'a>(
    text: Option<Cow<'a, str>>,
    base64: Option<Cow<'a, str>>,
    missing: &'static str,
) -> Result<Cow<'a, [u8]>, EntryError> {
    match (text, base64) {
        (Some(Cow::Borrowed(text)), None) => Ok(Cow::Borrowed(text.as_bytes())),
        (Some(Cow::Owned(text)), None) => Ok(Cow::Owned(text.into_bytes())),
        (None, Some(base64)) => decode_base64(&base64)
            .map(Cow::Owned)
            .ok_or(EntryError::Field(
                "base64 that is not RFC 4648 section 4 with padding, or that holds UTF-8",
            )),
        _ => Err(EntryError::Field(missing)),
    }
}

/// Bytes of a `_base64` field: padded standard base64 of what is not UTF-8; `None` for all else.
#[must_use]
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    BASE64
        .decode(text)
        .ok()
        .filter(|bytes| core::str::from_utf8(bytes).is_err())
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an entry: a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                let mut unknown = BTreeSet::new();
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    let fresh = match key.as_ref() {
                        "event.sequence" => fields.sequence.replace(map.next_value()?).is_none(),
                        "event.created" => fields.created.replace(map.next_value()?).is_none(),
                        "log.file.path" => fields
                            .path
                            .replace(map.next_value::<Text<'_>>()?.0)
                            .is_none(),
                        "log.file.path_base64" => fields
                            .path_base64
                            .replace(map.next_value::<Text<'_>>()?.0)
                            .is_none(),
                        "log.file.id" => fields.source.replace(map.next_value()?).is_none(),
                        "log.offset" => fields.offset.replace(map.next_value()?).is_none(),
                        "log.flags" => fields.flags.replace(map.next_value()?).is_none(),
                        "message" => fields
                            .message
                            .replace(map.next_value::<Text<'_>>()?.0)
                            .is_none(),
                        "message_base64" => fields
                            .message_base64
                            .replace(map.next_value::<Text<'_>>()?.0)
                            .is_none(),
                        _ => {
                            map.next_value::<Skipped>()?;
                            unknown.insert(key.clone())
                        }
                    };
                    if !fresh {
                        return Err(de::Error::custom(format_args!("duplicate key {key:?}")));
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A string borrowed from the line where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.into())))
            }
        }
        deserializer.deserialize_str(Any)
    }
}

#[cfg(test)]
mod tests;
