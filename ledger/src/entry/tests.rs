//! Entries round trip whatever their bytes; near misses are refused.

use super::*;
use crate::damage::Damage;

fn entry<'a>(message: &'a [u8], path: &'a [u8], flags: Flags) -> Entry<'a> {
    Entry {
        sequence: 7,
        created: Moment::from_micros(1_763_800_000_123_456),
        path: Cow::Borrowed(path),
        source: 3,
        offset: 99,
        flags,
        message: Cow::Borrowed(message),
    }
}

#[test]
fn any_bytes_round_trip() {
    let all: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let messages: [&[u8]; 7] = [
        b"",
        b"plain",
        b"\xef\xbb\xbfBOM\r",
        b"\0\x1b[31m\t\"\\",
        b"\xff\xfe",
        "\u{2028}é".as_bytes(),
        &all,
    ];
    for message in messages {
        for path in [&b"/var/log/a.log"[..], b"/var/log/\xff"] {
            for flags in [
                Flags::default(),
                Flags {
                    cont: true,
                    open: !message.is_empty(),
                },
            ] {
                let entry = entry(message, path, flags);
                let mut line = Vec::new();
                entry.write(&mut line);
                assert_eq!(parse(&line).unwrap(), entry);
                assert!(!line.contains(&b'\n'));
            }
        }
    }
}

#[test]
fn the_line_is_frozen() {
    let mut line = Vec::new();
    entry(
        b"x",
        b"/a",
        Flags {
            cont: false,
            open: true,
        },
    )
    .write(&mut line);
    let expected = r#"{"event.sequence":7,"event.created":"2025-11-22T08:26:40.123456Z","log.file.path":"/a","log.file.id":3,"log.offset":99,"log.flags":["open"],"message":"x"}"#;
    assert_eq!(core::str::from_utf8(&line).unwrap(), expected);
}

#[test]
fn unknown_fields_pass_and_broken_ones_do_not() {
    let good = r#"{"event.sequence":7,"event.created":"2025-11-22T08:26:40.123456Z","log.file.path":"/a","log.file.id":3,"log.offset":9,"message":"x"}"#;
    assert!(parse(good.as_bytes()).is_ok());
    let with = |more: &str| good.replace('}', &alloc::format!(",{more}}}"));
    assert!(parse(with(r#""user.name":{"n":-1.5}"#).as_bytes()).is_ok());
    assert!(parse(with(r#""n":[1e999,123456789012345678901234567890]"#).as_bytes()).is_ok());
    for bad in [
        with(r#""a":1,"a":2"#),
        with(r#""a":{"b":1,"b":2}"#),
        with(r#""message":"y""#),
        with(r#""message_base64":"/w==""#),
        with(r#""log.flags":[]"#),
        with(r#""log.flags":["open","open"]"#),
        good.replace(":7", ":7.0"),
        good.replace(":7", ":9007199254740992"),
        good.replace(r#""x""#, r#""x\ny""#),
        good.replace(r#""x""#, r#""\ud800""#),
        good.replace(r#""message":"x""#, r#""message_base64":"eA==""#),
        good.replace(r#""message":"x""#, r#""message_base64":"/w""#),
        good.replace(r#","message":"x""#, ""),
        good.replace("123456Z", "123Z"),
        good.replace('{', "["),
        alloc::format!(" {good}"),
        alloc::format!("{good} "),
        alloc::format!("{good}\r"),
    ] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn paths_are_shown_harmless() {
    let path = PathBytes("/a\x1b[2J\u{202e}gol.\u{e9}\n".into());
    assert_eq!(path.display(), "/a\\u{1b}[2J\\u{202e}gol.\u{e9}\\n");
    assert_eq!(PathBytes(b"/a\xff".into()).display(), "/a\u{fffd}");
}

#[test]
fn damaged_lines_are_judged_without_a_panic() {
    let mut damage = Damage::new();
    let (mut refused, mut passed) = (0, 0);
    for round in 0..20_000 {
        let message: &[u8] = if round % 2 == 0 {
            b"text \\ \x1b"
        } else {
            b"\xff\xfe"
        };
        let flags = Flags {
            cont: true,
            open: round % 3 == 0,
        };
        let mut line = Vec::new();
        entry(message, b"/var/log/a", flags).write(&mut line);
        let bad = damage.of(&line);
        if let Ok(entry) = parse(&bad) {
            passed += 1;
            let mut again = Vec::new();
            entry.write(&mut again);
            assert_eq!(parse(&again).unwrap(), entry);
        } else {
            refused += 1;
        }
    }
    assert!(
        refused > 10_000 && passed > 100,
        "{refused} refused, {passed} passed"
    );
}
