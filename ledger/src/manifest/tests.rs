//! One good manifest of each kind, and everything that is not shaped like one.

mod page;
mod rules;

use super::*;
use crate::damage::Damage;
use crate::name::ObjectName;
use alloc::format;
use alloc::vec;
use serde_json::{Value, json};

const EPOCH: &str = "019aa8a2-6400-7a3b-8c4d-1e2f3a4b5c6d";
const OTHER_EPOCH: &str = "019aa8a2-6400-7a3b-8c4d-1e2f3a4b5c6e";
const BOOT: &str = "11111111-2222-4333-8444-555555555555";
const EMPTY_ROOT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const SEALED: &str = "2026-11-22T10:00:00.000000Z";
const EARLIER: &str = "2026-11-22T09:55:00.000000Z";
const LATER: &str = "2026-11-22T10:05:00.000000Z";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPswVWC4zsZynsc+6rrMadQAmQXbK1e9xGtsj3D+UUtj";

/// A head of another epoch or stream: `name` is the field and value that places it.
fn head(of: &str) -> Value {
    json!({"epoch": OTHER_EPOCH, "seq": 4, "sha256": sha(of), "sealed_max": EARLIER, "retention_max_s": 86_400})
}

/// The head of another stream.
fn stream_head(stream: &str) -> Value {
    let mut head = head("4");
    head["stream"] = json!(stream);
    head
}

fn sha(of: &str) -> String {
    Digest::of(of.as_bytes()).to_string()
}

fn heartbeat() -> Value {
    json!({
        "v": 1, "agent": "web-01", "stream": "auth", "epoch": EPOCH, "seq": 3, "kind": "heartbeat",
        "prev": {"seq": 2, "sha256": sha("2"), "sealed_max": EARLIER, "retention_max_s": 86_400},
        "entries": {"first": 9, "count": 0, "root": EMPTY_ROOT},
        "sources": [], "events": [],
        "time": {
            "sealed": SEALED, "sealed_max": SEALED, "boot_id": BOOT, "boot_ms": 7, "suspended_ms": 2,
        },
        "heartbeat_s": 300, "next_due": "2026-11-22T10:15:00.000000Z",
        "retention_s": 86_400, "retention_max_s": 86_400,
        "config_sha256": sha("config"), "agent_version": "0.1.0", "ext": {}, "crit": [],
    })
}

fn genesis() -> Value {
    let mut value = set(heartbeat(), "/seq", json!(0));
    value = set(value, "/kind", json!("genesis"));
    value = set(value, "/prev_epoch", json!([]));
    value = set(
        value,
        "/events",
        json!([{"kind": "start", "clean": true}, {"kind": "state_lost"}]),
    );
    unset(value, "/prev")
}

fn close() -> Value {
    let value = set(heartbeat(), "/kind", json!("close"));
    set(value, "/next_due", Value::Null)
}

fn batch() -> Value {
    let mut value = set(heartbeat(), "/kind", json!("batch"));
    for (pointer, new) in [
        (
            "/entries",
            json!({"first": 9, "count": 3, "root": sha("root")}),
        ),
        (
            "/body",
            json!({"schema": "holdfast/entries/1", "date": "2026-11-22", "size": 300}),
        ),
        (
            "/stored",
            json!({"codec": "zstd", "size": 120, "sha256": sha("stored")}),
        ),
        (
            "/blocks",
            json!([
                {"offset": 0, "size": 70, "raw": 200, "count": 2, "sha256": sha("a")},
                {"offset": 70, "size": 50, "raw": 100, "count": 1, "sha256": sha("b")},
            ]),
        ),
        (
            "/sources",
            json!([
                {"id": 1, "path": "/a", "dev": "0", "ino": "18446744073709551615", "handle": "0aff",
                 "via": "plain", "from": 5, "to": 50, "was": {"stream": "b", "epoch": OTHER_EPOCH, "id": 2}},
                {"id": 2, "path_base64": "L/8=", "dev": "1", "ino": "2", "via": "gzip", "from": 0, "to": 0},
            ]),
        ),
        (
            "/events",
            json!([
                {"kind": "gap", "source": 1, "from": 20, "to": 30, "reason": "hole"},
                {"kind": "gap", "source": 1, "from": 50, "reason": "truncated"},
                {"kind": "ambiguous", "source": 2},
            ]),
        ),
        ("/time/first", json!("2026-11-22T09:59:00.000000Z")),
        ("/time/last", json!("2026-11-22T09:59:01.000000Z")),
        ("/ext", json!({"a": [1, null, {"b": true}]})),
    ] {
        value = set(value, pointer, new);
    }
    value
}

/// `value` with what `pointer` names replaced or added.
fn set(mut value: Value, pointer: &str, new: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(object) => {
            object.insert(key.into(), new);
        }
        Value::Array(list) if key == "-" => list.push(new),
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = new,
        _ => panic!("{pointer} leads nowhere"),
    }
    value
}

fn unset(mut value: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let object = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    assert!(object.remove(key).is_some(), "{pointer} is not there");
    value
}

fn parse(value: &Value) -> Result<Manifest, ManifestError> {
    Manifest::parse(format!("{value}\n").as_bytes())
}

fn check(broken: Vec<(Value, &str)>) {
    for (value, expected) in broken {
        match parse(&value) {
            Err(error @ (ManifestError::Field(_) | ManifestError::Json(_))) => {
                let text = error.to_string();
                assert!(text.contains(expected), "{expected}: {text}\n{value}");
                assert!(!error.is_inconclusive());
            }
            other => panic!("{expected}: {other:?}\n{value}"),
        }
    }
}

#[test]
fn each_kind_reads_and_writes_back() {
    for value in [genesis(), batch(), heartbeat(), close()] {
        let manifest = parse(&value).unwrap();
        let line = manifest.to_line().unwrap();
        assert_eq!(Manifest::parse(&line).unwrap(), manifest);
        assert_eq!(serde_json::from_slice::<Value>(&line).unwrap(), value);
    }
    let manifest = parse(&batch()).unwrap();
    let named = match ObjectName::parse(&manifest.body_key().unwrap()) {
        ObjectName::Body { slot, .. } => Some(slot),
        _ => None,
    };
    assert_eq!(named, Some(manifest.slot()));
    assert_eq!(parse(&close()).unwrap().body_key(), None);
}

#[test]
fn the_line_has_one_shape() {
    let line = format!("{}\n", heartbeat());
    let long = "x".repeat(MANIFEST_MAX - line.len());
    let longest = line.replace("0.1.0", &format!("0.1.0{long}"));
    assert_eq!(longest.len(), MANIFEST_MAX);
    assert!(Manifest::parse(longest.as_bytes()).is_ok());
    for bad in [
        line.replace("0.1.0", &format!("0.1.0{long}x")),
        line.trim_end().into(),
        format!("{line}\n"),
        format!(" {line}"),
        format!("\u{feff}{line}"),
        line.replace('\n', " \n"),
        line.replace('\n', "\r\n"),
        line.replace(",\"seq\"", ",\n\"seq\""),
        String::new(),
    ] {
        let error = Manifest::parse(bad.as_bytes()).unwrap_err();
        assert!(matches!(error, ManifestError::Shape), "{error}");
    }
}

#[test]
fn json_that_readers_disagree_on_is_refused() {
    let line = format!("{}\n", batch());
    let replace = |from: &str, to: &str| {
        assert!(line.contains(from), "{from}");
        line.replacen(from, to, 1).into_bytes()
    };
    for bad in [
        replace("\"seq\":3", "\"seq\":3.0"),
        replace("\"seq\":3", "\"seq\":3e0"),
        replace("\"seq\":3", "\"seq\":-3"),
        replace("\"seq\":3", "\"seq\":03"),
        replace("\"seq\":3", "\"seq\":\"3\""),
        replace("\"seq\":3", "\"seq\":null"),
        replace("\"seq\":3", "\"seq\":9007199254740992"),
        replace("\"boot_ms\":7", "\"boot_ms\":9007199254740992"),
        replace("\"seq\":3", "\"seq\":3,\"seq\":3"),
        replace("\"v\":1", "\"v\":1,\"v\":1"),
        replace("\"id\":1", "\"id\":1,\"id\":1"),
        replace("\"seq\":3", "\"seq\":3,\"new\":1"),
        replace("\"id\":1", "\"id\":1,\"new\":1"),
        replace("\"b\":true", "\"b\":true,\"b\":true"),
        replace("\"ext\":{", "\"ext\":{\"a\":1,"),
        replace("\"b\":true", "\"b\":1.5"),
        replace("\"b\":true", "\"b\":-1"),
        replace("\"b\":true", "\"b\":\"\\ud800\""),
        replace("\"ext\":{", "\"ext\":[{"),
        replace("0.1.0", "0.1.0\\ud800"),
        replace("}\n", "}}\n"),
        replace("}\n", ",}\n"),
        [&replace("0.1.0", "")[..20], b"\xff}\n"].concat(),
        replace("true", &format!("{}{}", "[".repeat(200), "]".repeat(200))),
    ] {
        let error = Manifest::parse(&bad).unwrap_err();
        let text = String::from_utf8_lossy(&bad);
        assert!(matches!(error, ManifestError::Json(_)), "{error}\n{text}");
    }
}

#[test]
fn what_a_newer_reader_might_know_is_judged_before_keys_and_rules() {
    let broken = |value| set(set(value, "/seq", json!(0)), "/new", json!(1.5));
    let newer = broken(set(batch(), "/v", json!(2)));
    let record = broken(set(batch(), "/kind", json!("record")));
    let critical = set(batch(), "/seq", json!(0));
    let critical = set(critical, "/ext/a", json!(1));
    let critical = set(critical, "/crit", json!(["a"]));
    for (value, expected) in [
        (&newer, "version 2"),
        (&record, "record"),
        (&critical, "\"a\""),
    ] {
        let error = parse(value).unwrap_err();
        assert!(error.is_inconclusive(), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    check(vec![
        (set(batch(), "/v", json!("2")), "invalid type"),
        (set(batch(), "/v", Value::Null), "invalid type"),
        (unset(batch(), "/v"), "missing field `v`"),
        (set(batch(), "/kind", json!("Record")), "unknown variant"),
        (set(batch(), "/crit", json!(["b"])), "that ext lacks"),
        (set(batch(), "/crit", json!(["a", "a"])), "twice"),
    ]);
}

#[test]
fn every_field_is_needed_but_those_the_table_lets_go() {
    let good = batch();
    let free = ["/sources/0/handle", "/sources/0/was", "/events/0/to"];
    let mut pointers = vec![];
    collect(&good, String::new(), &mut pointers);
    assert!(pointers.len() > 60, "{pointers:?}");
    for pointer in pointers {
        let without = unset(good.clone(), &pointer);
        let verdict = parse(&without);
        let is_free = free.contains(&pointer.as_str()) || pointer.starts_with("/ext/");
        assert_eq!(verdict.is_ok(), is_free, "{pointer}: {verdict:?}");
        let null = set(good.clone(), &pointer, Value::Null);
        let verdict = parse(&null);
        assert_eq!(
            verdict.is_ok(),
            pointer.starts_with("/ext/"),
            "{pointer}: {verdict:?}"
        );
    }
}

/// Pointers to every member of every object.
fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let pointer = format!("{at}/{key}");
                pointers.push(pointer.clone());
                collect(value, pointer, pointers);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                collect(value, format!("{at}/{index}"), pointers);
            }
        }
        _ => {}
    }
}

#[test]
fn damaged_lines_are_judged_without_a_panic() {
    let mut damage = Damage::new();
    let lines = [genesis(), batch(), heartbeat(), close()].map(|v| format!("{v}\n").into_bytes());
    let (mut refused, mut passed) = (0, 0);
    for round in 0..20_000 {
        match Manifest::parse(&damage.of(&lines[round % lines.len()])) {
            Ok(manifest) => {
                passed += 1;
                assert!(Manifest::parse(&manifest.to_line().unwrap()).is_ok());
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(
        refused > 10_000 && passed > 100,
        "{refused} refused, {passed} passed"
    );
}
