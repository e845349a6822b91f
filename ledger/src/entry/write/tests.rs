//! Lines are, byte for byte, what a plain writing through `serde_json` makes, whatever entries hold.

use super::super::{Entry, Flags};
use super::Writer;
use crate::Moment;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::prelude::*;

/// A string as `serde_json` writes it, but for the two controls for which it has a shorter escape than ours.
fn plain_string(text: &str) -> String {
    let inside = text.chars().map(|c| match c {
        '\u{8}' => "\\u0008".into(),
        '\u{c}' => "\\u000c".into(),
        _ => {
            let quoted = serde_json::to_string(&c).unwrap();
            quoted[1..quoted.len() - 1].to_string()
        }
    });
    format!("\"{}\"", inside.collect::<String>())
}

fn plain_field(name: &str, bytes: &[u8]) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text) => format!("\"{name}\":{}", plain_string(text)),
        Err(_) => format!("\"{name}_base64\":\"{}\"", BASE64.encode(bytes)),
    }
}

fn plain_line(entry: &Entry<'_>) -> String {
    let flags = [(entry.flags.cont, "cont"), (entry.flags.open, "open")];
    let flags: Vec<_> = flags
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, flag)| flag)
        .collect();
    let fields = [
        format!("\"event.sequence\":{}", entry.sequence),
        format!("\"event.created\":\"{}\"", entry.created),
        plain_field("log.file.path", &entry.path),
        format!("\"log.file.id\":{}", entry.source),
        format!("\"log.offset\":{}", entry.offset),
        format!("\"log.flags\":{}", serde_json::to_string(&flags).unwrap()),
        plain_field("message", &entry.message),
    ];
    let skipped = if flags.is_empty() { 5 } else { fields.len() };
    let fields = fields.into_iter().enumerate();
    let fields: Vec<_> = fields
        .filter(|(at, _)| *at != skipped)
        .map(|(_, field)| field)
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// Bytes out of runs that meet at every distance from a word's edge: plain text, what must be escaped, text beyond
/// ASCII, whole or cut, and any bytes. No LF, which an entry never has.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let run = prop_oneof![
        "[ -~]{0,40}".prop_map(String::into_bytes),
        "[\"\\\\\t\r\u{0}\u{8}\u{c}\u{1f}\u{7f}]{1,3}".prop_map(String::into_bytes),
        "\\PC{0,12}".prop_map(String::into_bytes),
        (any::<char>(), 0..4usize).prop_map(|(c, len)| {
            let mut bytes = c.to_string().into_bytes();
            bytes.truncate(len);
            bytes
        }),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    let runs = prop::collection::vec(run, 0..6);
    runs.prop_map(|runs| {
        let mut bytes = runs.concat();
        bytes.retain(|byte| *byte != b'\n');
        bytes
    })
}

/// A number of any length.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2_000)
    })]

    #[test]
    fn lines_are_what_a_plain_writing_makes(
        texts in prop::collection::vec((hostile(), any::<bool>(), any::<bool>()), 1..4),
        paths in [hostile(), hostile()],
        numbers in prop::collection::vec((number(), 0..2u64, number()), 4),
        moments in [number(), number()],
        picks in prop::collection::vec((0..2usize, 0..2usize), 4),
    ) {
        // One writer for all: few times, sources and paths, so that it repeats some and changes some.
        let mut writer = Writer::new();
        for (((message, cont, open), (sequence, source, offset)), (path, moment)) in
            texts.into_iter().zip(numbers).zip(picks)
        {
            let entry = Entry {
                sequence,
                created: Moment::from_micros(moments[moment]),
                path: Cow::Borrowed(&paths[path]),
                source,
                offset,
                flags: Flags { cont, open },
                message: Cow::Owned(message),
            };
            let mut line = b"before".to_vec();
            writer.write(&entry, &mut line);
            let line = core::str::from_utf8(&line).unwrap();
            prop_assert_eq!(line, "before".to_string() + &plain_line(&entry));
        }
    }
}
