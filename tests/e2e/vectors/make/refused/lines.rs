//! Lines that are no entries, and lines that `allowed_signers` must not have.

use super::super::private;
use ledger::signature::signers::line_for;
use serde_json::{Value, json};

/// Lines of a body that are not entries.
pub(super) fn entries() -> Value {
    let good = concat!(
        r#"{"event.sequence":7,"event.created":"2026-11-22T10:00:00.000000Z","log.file.path":"/a","#,
        r#""log.file.id":3,"log.offset":9,"message":"x"}"#
    );
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let many = [
        ("a known key twice", with("}", r#","message":"y"}"#)),
        ("an unknown key twice", with("}", r#","a":1,"a":1}"#)),
        (
            "an unknown key twice, further in",
            with("}", r#","a":[{"b":1,"b":1}]}"#),
        ),
        (
            "both spellings of a message",
            with("}", r#","message_base64":"/w=="}"#),
        ),
        ("no message", with(r#","message":"x""#, "")),
        (
            "base64 of what is UTF-8",
            with(r#""message":"x""#, r#""message_base64":"eA==""#),
        ),
        (
            "base64 without padding",
            with(r#""message":"x""#, r#""message_base64":"/w""#),
        ),
        (
            "base64 with bits left over",
            with(r#""message":"x""#, r#""message_base64":"/x==""#),
        ),
        ("an LF inside", with(r#""x""#, r#""x\ny""#)),
        ("half a character", with(r#""x""#, r#""\ud800""#)),
        ("flags, but none", with("}", r#","log.flags":[]}"#)),
        (
            "a flag twice",
            with("}", r#","log.flags":["open","open"]}"#),
        ),
        (
            "an open piece without a byte",
            with(r#""x"}"#, r#"","log.flags":["open"]}"#),
        ),
        ("a number with a fraction", with(":7", ":7.0")),
        ("a negative number", with(":9,", ":-9,")),
        ("2^53", with(":7", ":9007199254740992")),
        ("a time in milliseconds", with(".000000Z", ".000Z")),
        ("null for a string", with(r#""x""#, "null")),
        ("no object", "[]".into()),
        ("nothing", String::new()),
    ];
    let one = |(why, line): &(&str, String)| json!({"why": why, "line": line});
    json!({"good": good, "bad": many.iter().map(one).collect::<Vec<_>>()})
}

/// Lines of an `allowed_signers` file that are errors.
pub(super) fn signers() -> Value {
    let agent = "web-01".parse().unwrap();
    let good = line_for(&agent, private(42).public_key()).unwrap();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let ours = "namespaces=\"holdfast-manifest\"";
    let many = [
        ("a pattern", with("web-01", "web-*")),
        ("a negation", with("web-01", "web-01,!web-02")),
        ("no namespaces", with(&format!("{ours} "), "")),
        ("another namespace", with(ours, "namespaces=\"file\"")),
        (
            "a pattern among the namespaces",
            with(ours, "namespaces=\"holdfast-manifest,*\""),
        ),
        (
            "a certificate authority",
            with(ours, &format!("cert-authority,{ours}")),
        ),
        (
            "an unknown option",
            with(ours, &format!("{ours},verify-required")),
        ),
        (
            "a date in local time",
            with(ours, &format!("{ours},valid-after=\"20260101\"")),
        ),
        ("CR LF", format!("{good}\r")),
    ];
    let one = |(why, line): &(&str, String)| json!({"why": why, "line": line});
    json!({"good": good, "bad": many.iter().map(one).collect::<Vec<_>>()})
}
