//! Manifests that do not follow one another as they must.

use super::explanation::{Explanation, LIST};
use ledger::finding::Severity::{Critical, Interference};

const BOTH: &[&str] = &["head -n 1 BEFORE.manifest | jq .; head -n 1 MANIFEST | jq ."];

pub(super) const SEQ_GAP: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: statements are gone before their time, and what they stated with them",
    )],
    innocent: &[
        "a copy or mirror that left some out",
        "a `file://` store whose disk lost files",
    ],
    hostile: &[
        "manifests were removed: the store did not enforce its locks, or its disk's owner did",
        "a store that was restored to an earlier day",
    ],
    act: &[
        "the message names every missing number: look for them in other versions, replicas, copies, the agent's spool",
        "their bodies may still be there, as ORPHAN",
        "ask the store how a locked version could go, and see whether it enforces what it accepts",
    ],
    by_hand: &[
        "ls manifests/AGENT/STREAM/EPOCH/     # numbers from 0 without a hole",
        LIST,
    ],
};

pub(super) const PREV_MISMATCH: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: history before it is not the one it was signed after",
    )],
    innocent: &["a host restored from a snapshot sealed the place before it once more"],
    hostile: &["someone who has the key replaced the manifest before it"],
    act: &[
        "look for another version of the manifest before it: the one whose line has the hash that this one names is the older truth",
        "treat it as EQUIVOCATION",
    ],
    by_hand: &["head -n 1 BEFORE.manifest | sha256sum; head -n 1 MANIFEST | jq -r .prev.sha256"],
};

pub(super) const ENTRY_GAP: Explanation = Explanation {
    grave: &[(Critical, "always: numbered entries that no batch holds")],
    innocent: &["a defect of the agent"],
    hostile: &["someone who has the key left entries out"],
    act: &[
        "compare both lines; the sources' byte ranges say whether bytes are missing too (BYTE_GAP)",
    ],
    by_hand: BOTH,
};

pub(super) const ENTRY_OVERLAP: Explanation = Explanation {
    grave: &[(Critical, "always: two batches claim the same numbers")],
    innocent: &["a defect of the agent", "two agents with one key and name"],
    hostile: &["someone who has the key put entries in between"],
    act: &["compare the entries of both bodies by event.sequence; see also EQUIVOCATION"],
    by_hand: BOTH,
};

pub(super) const RETENTION_MISMATCH: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: it would let manifests end before what they vouch for",
    )],
    innocent: &["a defect of the agent"],
    hostile: &["someone who has the key shortens how long the chain is kept"],
    act: &["read retention_max_s along the chain: it must never go down"],
    by_hand: &[
        "head -qn 1 manifests/AGENT/STREAM/EPOCH/* | jq -c '[.seq, .retention_s, .retention_max_s]'",
    ],
};

pub(super) const DATE_MISMATCH: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: whoever searches by date would not find the batch",
    )],
    innocent: &["a defect of the agent"],
    hostile: &["someone who has the key hides a batch under another day"],
    act: &["the date is the later of the one before it and the UTC day of time.last"],
    by_hand: &["head -n 1 MANIFEST | jq '.body.date, .time.last'"],
};

pub(super) const EVENT_MISPLACED: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: it would hide that the agent was down, full, closed or not the one who signs",
    )],
    innocent: &["a defect of the agent"],
    hostile: &[
        "someone who has the key hides a stop, a start or a full spool, or continues after a close",
        "someone who has the key feigns a change of keys",
    ],
    act: &[
        "read the events around it: after `stop`, and only there, the next manifest has a clean `start`; `resumed` follows `full`; nothing follows a close; `key` names another key than the one that signs",
    ],
    by_hand: &["head -qn 1 manifests/AGENT/STREAM/EPOCH/* | jq -c '[.seq, .kind, .events]'"],
};

pub(super) const TIME_REGRESSION: Explanation = Explanation {
    grave: &[(
        Interference,
        "always: that clock never goes back within one boot",
    )],
    innocent: &["a virtual machine that was saved and brought back to an earlier moment"],
    hostile: &["someone who has the key pre-dates batches"],
    act: &[
        "ask who runs the host whether it was restored; compare time.sealed with LastModified in the store",
    ],
    by_hand: &[
        "head -qn 1 manifests/AGENT/STREAM/EPOCH/* | jq -c '[.seq, .time.boot_id, .time.boot_ms, .time.sealed]'",
    ],
};
