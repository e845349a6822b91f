//! A good signature over a line that breaks a rule, or that only a newer reader could judge.

use super::super::private;
use super::Refused;
use ledger::signature;

/// `line` with one text replaced, signed again.
fn changed(line: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(line).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    let line = text.replacen(from, to, 1).into_bytes();
    let block = signature::sign(&private(42), &line).unwrap();
    [&line, block.as_bytes()].concat()
}

/// Name, why, and the text that replaces another.
type Change<'a> = [&'a str; 4];

fn refused(by: &'static str, line: &[u8], changes: &[Change<'static>]) -> Vec<Refused> {
    let one = |[name, why, from, to]: &Change<'static>| Refused {
        name,
        by,
        why,
        file: changed(line, from, to),
    };
    changes.iter().map(one).collect()
}

/// From a close's line.
pub(super) fn closes(close: &[u8]) -> Vec<Refused> {
    refused("manifest", close, &ENDINGS)
}

/// From a batch's line.
pub(super) fn batches(batch: &[u8]) -> Vec<Refused> {
    let mut all = refused(
        "newer",
        batch,
        &[
            ["newer-version", "v is 2", "{\"v\":1", "{\"v\":2,\"x\":1.5"],
            ["newer-kind", "kind is record", ":\"batch\"", ":\"record\""],
            [
                "newer-critical",
                "a critical extension",
                CRIT,
                "{\"x\":0},\"crit\":[\"x\"]",
            ],
        ],
    );
    all.extend(refused("manifest", batch, &SHAPES));
    all.extend(refused("manifest", batch, &RULES));
    let text = std::str::from_utf8(batch).unwrap();
    let between = |from: &str, to: &str| {
        let start = text.find(from).unwrap() + from.len();
        &text[start..start + text[start..].find(to).unwrap()]
    };
    let root = between("\"root\":\"", "\"");
    all.push(Refused {
        name: "hex-capitals",
        by: "manifest",
        why: "a digest in capitals",
        file: changed(batch, root, &root.to_uppercase()),
    });
    let prev = between("\"kind\":\"batch\",", "\"entries\"");
    all.push(Refused {
        name: "prev-missing",
        by: "manifest",
        why: "no prev at seq 1",
        file: changed(batch, prev, ""),
    });
    all
}

const CRIT: &str = "{},\"crit\":[]";

/// JSON, and the line around it.
const SHAPES: [Change<'static>; 10] = [
    [
        "json-float",
        "a number with a fraction",
        "\"seq\":1,",
        "\"seq\":1.0,",
    ],
    [
        "json-exponent",
        "a number with an exponent",
        "\"seq\":1,",
        "\"seq\":1e0,",
    ],
    [
        "json-too-large",
        "2^53",
        "_ms\":72000",
        "_ms\":9007199254740992",
    ],
    [
        "json-duplicate",
        "a key twice",
        "{\"v\":1,",
        "{\"v\":1,\"seq\":1,",
    ],
    [
        "json-duplicate-ext",
        "a key twice in ext",
        CRIT,
        "{\"a\":1,\"a\":1},\"crit\":[]",
    ],
    [
        "json-unknown",
        "an unknown key",
        "{\"v\":1,",
        "{\"v\":1,\"new\":1,",
    ],
    [
        "json-surrogate",
        "half a character",
        "\"0.1.0\"",
        "\"\\ud800\"",
    ],
    ["line-crlf", "a CR before the LF", "}\n", "}\r\n"],
    [
        "line-space",
        "a space before the object",
        "{\"v\"",
        " {\"v\"",
    ],
    [
        "time-offset",
        "a time without Z",
        "Z\",\"boot_id\"",
        "+00:00\",\"boot_id\"",
    ],
];

/// What a batch must keep to.
const RULES: [Change<'static>; 9] = [
    [
        "suspended-missing",
        "no suspended_ms",
        ",\"suspended_ms\":0",
        "",
    ],
    [
        "sealed-max",
        "sealed_max is not the largest sealed",
        "0Z\",\"boot_id\"",
        "1Z\",\"boot_id\"",
    ],
    [
        "heads-none",
        "heads names no stream",
        "\"heartbeat_s\"",
        "\"heads\":[],\"heartbeat_s\"",
    ],
    [
        "key-without-next",
        "a key event without the next key",
        "\"events\":[",
        "\"events\":[{\"kind\":\"key\"}",
    ],
    [
        "kind-seq",
        "a genesis at seq 1",
        ":\"batch\"",
        ":\"genesis\"",
    ],
    [
        "blocks-sum",
        "blocks that do not add up",
        "\"count\":8,",
        "\"count\":9,",
    ],
    [
        "promise",
        "next_due is not sealed + 3 x heartbeat_s",
        "_s\":300",
        "_s\":301",
    ],
    [
        "retention-short",
        "locked for less than a day",
        "n_s\":86400",
        "n_s\":3600",
    ],
    [
        "gap-bare",
        "a gap without a reason",
        "\"events\":[",
        "\"events\":[{\"kind\":\"gap\",\"source\":1,\"from\":0,\"to\":1}",
    ],
];

/// What a close must keep to.
const ENDINGS: [Change<'static>; 2] = [
    [
        "close-promises",
        "a close that promises more",
        "\"next_due\":null",
        "\"next_due\":\"2026-11-22T10:20:20.000000Z\"",
    ],
    [
        "event-misplaced",
        "rollback outside a genesis",
        "\"events\":[",
        "\"events\":[{\"kind\":\"rollback\"}",
    ],
];
