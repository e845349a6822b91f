//! Each rule of a well-shaped manifest, broken once.

use super::*;

/// The heads of so many streams, in order.
fn many(count: usize) -> Value {
    let names = (0..count).map(|number| stream_head(&format!("s{number:02}")));
    names.collect()
}

#[test]
fn place() {
    let (head, own) = (head("4"), set(head("4"), "/epoch", json!(EPOCH)));
    let (stream, own_stream) = (stream_head("app"), stream_head("auth"));
    let prev_epoch = |value: Value| set(genesis(), "/prev_epoch", value);
    let heads = |value: Value| set(heartbeat(), "/heads", value);
    for good in [
        prev_epoch(json!([head])),
        heads(json!([stream])),
        set(batch(), "/heads", json!([stream])),
        set(genesis(), "/heads", json!([stream])),
        set(close(), "/heads", json!([stream])),
        heads(many(16)),
    ] {
        assert!(parse(&good).is_ok(), "{good}");
    }
    check(vec![
        (
            set(genesis(), "/kind", json!("heartbeat")),
            "genesis exactly",
        ),
        (
            set(heartbeat(), "/kind", json!("genesis")),
            "genesis exactly",
        ),
        (unset(genesis(), "/prev_epoch"), "prev_epoch stands exactly"),
        (
            set(heartbeat(), "/prev_epoch", json!([])),
            "prev_epoch stands exactly",
        ),
        (set(heartbeat(), "/prev/seq", json!(1)), "prev is not"),
        (unset(heartbeat(), "/prev"), "prev is not"),
        (
            set(genesis(), "/prev", heartbeat()["prev"].clone()),
            "prev is not",
        ),
        (prev_epoch(json!([head, head])), "an epoch twice"),
        (prev_epoch(json!([own])), "its own epoch"),
        (heads(json!([stream, stream])), "a stream twice"),
        (heads(json!([own_stream])), "its own stream"),
        (heads(json!([])), "names no stream"),
        (heads(many(17)), "over 16 streams"),
        (
            set(heartbeat(), "/prev/sealed_max", json!(LATER)),
            "largest sealed",
        ),
        (
            prev_epoch(json!([set(head.clone(), "/sealed_max", json!(LATER))])),
            "largest sealed",
        ),
        (
            set(heartbeat(), "/time/sealed_max", json!(LATER)),
            "largest sealed",
        ),
        (
            set(heartbeat(), "/time/sealed_max", json!(EARLIER)),
            "largest sealed",
        ),
        (unset(heartbeat(), "/prev/sealed_max"), "missing field"),
        (unset(heartbeat(), "/prev/retention_max_s"), "missing field"),
        (unset(heartbeat(), "/time/suspended_ms"), "missing field"),
        (set(heartbeat(), "/agent", json!("../x")), "a name"),
        (set(heartbeat(), "/stream", json!("")), "a name"),
        (
            set(heartbeat(), "/epoch", json!(EPOCH.to_uppercase())),
            "a UUID",
        ),
        (
            set(heartbeat(), "/prev/sha256", json!(sha("").to_uppercase())),
            "a SHA-256",
        ),
    ]);
}

#[test]
fn content() {
    let block = |pointer: &str, value: u64| set(batch(), pointer, json!(value));
    check(vec![
        (set(heartbeat(), "/kind", json!("batch")), "batch exactly"),
        (set(batch(), "/kind", json!("heartbeat")), "batch exactly"),
        (block("/entries/first", 9_007_199_254_740_990), "past 2^53"),
        (
            set(heartbeat(), "/entries/root", json!(sha("x"))),
            "root over no entries",
        ),
        (
            set(heartbeat(), "/blocks", json!([])),
            "exactly where entries are",
        ),
        (
            set(heartbeat(), "/body", batch()["body"].clone()),
            "exactly where entries are",
        ),
        (
            set(heartbeat(), "/time/first", batch()["time"]["first"].clone()),
            "only with entries",
        ),
        (unset(batch(), "/stored"), "exactly where entries are"),
        (unset(batch(), "/time/last"), "needed with entries"),
        (
            set(batch(), "/body/schema", json!("holdfast/entries/2")),
            "body.schema",
        ),
        (set(batch(), "/body/date", json!("2026-11-31")), "body.date"),
        (
            set(batch(), "/stored/codec", json!("lz4")),
            "`zstd` or `gzip`",
        ),
        (block("/body/size", 24 * 1024 * 1024 + 1), "24 MiB"),
        (block("/stored/size", 32 * 1024 * 1024 + 1), "32 MiB"),
        (block("/entries/count", (1 << 18) + 1), "2^18"),
        (block("/entries/count", 4), "add up"),
        (block("/body/size", 301), "add up"),
        (block("/stored/size", 121), "add up"),
        (block("/blocks/1/offset", 71), "add up"),
        (block("/blocks/0/offset", 1), "add up"),
        (block("/blocks/1/count", 0), "add up"),
        (block("/blocks/1/raw", 0), "add up"),
        (block("/blocks/1/raw", 8 * 1024 * 1024 + 1), "add up"),
        (block("/blocks/1/size", 8), "add up"),
        (block("/blocks/1/count", 9_007_199_254_740_991), "add up"),
        (set(batch(), "/blocks", json!([])), "add up"),
    ]);
}

#[test]
fn sources() {
    let source = |pointer: &str, value: Value| set(batch(), &format!("/sources/{pointer}"), value);
    let was = json!({"stream": "b", "epoch": EPOCH, "id": 2});
    check(vec![
        (source("0/path_base64", json!("L/8=")), "one of path"),
        (source("1/path_base64", json!("L/8")), "one of path"),
        (source("1/path_base64", json!("L2E=")), "one of path"),
        (unset(batch(), "/sources/0/path"), "one of path"),
        (source("0/dev", json!("01")), "decimal"),
        (source("0/ino", json!("")), "decimal"),
        (source("0/ino", json!("0x1")), "decimal"),
        (source("0/ino", json!(1)), "invalid type"),
        (source("0/handle", json!("abc")), "even lowercase hex"),
        (source("0/handle", json!("AB")), "even lowercase hex"),
        (source("0/handle", json!("")), "even lowercase hex"),
        (source("0/via", json!("zstd")), "unknown variant"),
        (source("0/to", json!(4)), "before its from"),
        (source("0/was", was), "its own epoch"),
        (
            set(set(batch(), "/sources", json!([])), "/events", json!([])),
            "without a source",
        ),
    ]);
}

#[test]
fn events() {
    let event = |value: Value| set(batch(), "/events/-", value);
    let gap = |value: Value| {
        let mut gap = json!({"kind": "gap", "source": 1, "from": 20, "to": 30, "reason": "hole"});
        gap.as_object_mut()
            .unwrap()
            .extend(value.as_object().unwrap().clone());
        set(batch(), "/events/0", gap)
    };
    for kind in ["stop", "full", "resumed"] {
        let good = set(event(json!({"kind": kind})), "/next_due", due(kind));
        assert!(parse(&good).is_ok(), "{good}");
    }
    // What is read via gzip may end at a byte that nobody knows.
    let skipped = unset(gap(json!({"reason": "skipped"})), "/events/0/to");
    let packed = |number: u64| format!("/sources/{number}/via");
    let packed = (0..2).fold(skipped.clone(), |it, at| {
        set(it, &packed(at), json!("gzip"))
    });
    assert!(parse(&packed).is_ok(), "{packed}");
    check(vec![
        (event(json!({"kind": "restart"})), "unknown variant"),
        (
            event(json!({"kind": "ambiguous"})),
            "gap, ambiguous and weak",
        ),
        (
            event(json!({"kind": "ambiguous", "source": 3})),
            "that sources lacks",
        ),
        (
            event(json!({"kind": "resumed", "source": 1})),
            "gap, ambiguous and weak",
        ),
        (event(json!({"kind": "start"})), "clean stands"),
        (
            event(json!({"kind": "stop", "clean": true})),
            "clean stands",
        ),
        (
            event(json!({"kind": "weak", "source": 1, "from": 1})),
            "has from and reason",
        ),
        (
            event(json!({"kind": "weak", "source": 1, "reason": "rot"})),
            "has from and reason",
        ),
        (
            event(json!({"kind": "weak", "source": 1, "to": 1})),
            "to stands in gap",
        ),
        (unset(batch(), "/events/0/reason"), "has from and reason"),
        (unset(batch(), "/events/0/from"), "has from and reason"),
        (
            unset(batch(), "/events/0/source"),
            "gap, ambiguous and weak",
        ),
        (gap(json!({"to": 20})), "not after its from"),
        (gap(json!({"reason": "boredom"})), "unknown variant"),
        (event(json!({"kind": "state_lost"})), "in a genesis alone"),
        (event(json!({"kind": "rollback"})), "in a genesis alone"),
        (event(json!({"kind": "rot"})), "in a genesis alone"),
        (event(json!({"kind": "retention"})), "in a genesis alone"),
        (skipped, "unless it is read via gzip"),
    ]);
}

#[test]
fn the_event_that_names_the_next_key() {
    let event = |value: Value| set(batch(), "/events/-", value);
    assert!(parse(&event(json!({"kind": "key", "next": KEY}))).is_ok());
    check(vec![
        (event(json!({"kind": "key"})), "next stands"),
        (event(json!({"kind": "stop", "next": KEY})), "next stands"),
        (
            event(json!({"kind": "key", "next": format!("{KEY} web-01")})),
            "an OpenSSH public key",
        ),
        (
            set(
                heartbeat(),
                "/events",
                json!([{"kind": "key", "next": KEY}, {"kind": "key", "next": KEY}]),
            ),
            "two events name",
        ),
    ]);
}

fn due(kind: &str) -> Value {
    match kind {
        "resumed" => json!("2026-11-22T10:15:00.000000Z"),
        _ => Value::Null,
    }
}

#[test]
fn promise() {
    let full = set(heartbeat(), "/events", json!([{"kind": "full"}]));
    let stop = set(heartbeat(), "/events", json!([{"kind": "stop"}]));
    let number = |pointer: &str, value: u64| set(heartbeat(), pointer, json!(value));
    check(vec![
        (full, "next_due is"),
        (stop, "next_due is"),
        (
            set(close(), "/next_due", heartbeat()["next_due"].clone()),
            "next_due is",
        ),
        (set(heartbeat(), "/next_due", Value::Null), "next_due is"),
        (
            set(
                heartbeat(),
                "/next_due",
                json!("2026-11-22T10:15:00.000001Z"),
            ),
            "next_due is",
        ),
        (unset(heartbeat(), "/next_due"), "missing field"),
        (number("/heartbeat_s", 0), "heartbeat_s is"),
        (number("/heartbeat_s", 86_401), "heartbeat_s is"),
        (number("/retention_s", 86_399), "under a day"),
        (number("/retention_s", 86_401), "retention_max_s is under"),
    ]);
}
