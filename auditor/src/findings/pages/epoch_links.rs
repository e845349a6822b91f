//! Epochs that do not continue one another as they must, and what an agent's first stream vouches for.

use super::explanation::{Explanation, LIST};
use ledger::finding::Severity::{Critical, Inconclusive, Interference, Note};

const GENESES: &str = "head -qn 1 manifests/AGENT/STREAM/*/00000000000000000000.manifest | jq -c '[.epoch, .prev_epoch]'";
const HEADS: &str = "head -n 1 MANIFEST | jq .heads      # the manifest that names it";

pub(super) const EPOCH_MISSING: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: a whole stretch of history is gone before its time",
    )],
    innocent: &[
        "a copy that left a folder out",
        "`init --after` was given a wrong epoch",
    ],
    hostile: &["an epoch was removed as a whole"],
    act: &[
        "look for its folder in replicas and copies, and for its bodies (ORPHAN)",
        "the genesis that names it says its last number and hash",
    ],
    by_hand: &[GENESES, "ls manifests/AGENT/STREAM/"],
};

pub(super) const LOOSE_EPOCH: Explanation = Explanation {
    grave: &[
        (
            Critical,
            "no later epoch names it: whether it ended there, nobody has signed",
        ),
        (
            Note,
            "it began a new history and was adopted by a later one",
        ),
    ],
    innocent: &[
        "a host was set up again and not told of the old one's epoch",
        "two hosts run under one agent name",
    ],
    hostile: &["someone began a second history, so that the end of the first goes unnoticed"],
    act: &[
        "find out which host wrote it, and whether its end is where that host ended",
        "if so, adopt it: the message has the line, `holdfast-agent init --after …`; it counts from the agent's next start",
        "if not, what followed its last manifest is missing",
    ],
    by_hand: &[GENESES],
};

pub(super) const EPOCH_FORK: Explanation = Explanation {
    grave: &[(
        Interference,
        "always: both are whole, but one of them should not be",
    )],
    innocent: &["a host was cloned or restored, and both continued"],
    hostile: &["someone who has the key continues the stream beside the agent"],
    act: &[
        "tell the hosts apart by boot_id; stop one, and give it a name and key of its own",
        "`holdfast-agent init --after` on the one that stays joins both again",
    ],
    by_hand: &[GENESES],
};

pub(super) const NEW_EPOCH: Explanation = Explanation {
    grave: &[(
        Note,
        "always: the stream continues, and the agent says itself, signed, what happened",
    )],
    innocent: &[
        "state_lost: its state or spool was lost, moved or older than the other",
        "rollback: the disk or the machine was set back to an earlier time",
        "rot: a sealed batch was damaged on the host's disk before it was uploaded",
        "retention: the settings asked for a retention over the archiver's max_retention",
    ],
    hostile: &[
        "someone on the host removed or changed state or spool to make lines be forgotten: what was uploaded stays, and what the logs still had was read again",
    ],
    act: &[
        "see what happened to the host's disk at the time of the genesis",
        "GAP, RESTATED and AMBIGUOUS beside it say what it cost",
    ],
    by_hand: &[GENESES, "head -n 1 GENESIS | jq .events"],
};

pub(super) const VOID: Explanation = Explanation {
    grave: &[
        (
            Interference,
            "the later epoch does not say why it took over before their end",
        ),
        (Note, "it says so: rollback, rot, retention or lost state"),
    ],
    innocent: &[
        "the agent found that its state was lost or rolled back, began a new epoch and sealed again",
    ],
    hostile: &["someone who has the key cuts an epoch short of its last manifests"],
    act: &[
        "compare the void entries with what the later epoch sealed: nothing may be missing there",
    ],
    by_hand: &[GENESES, "head -n 1 GENESIS | jq .events"],
};

pub(super) const HEAD_MISSING: Explanation = Explanation {
    grave: &[
        (Critical, "the signed tail of a stream is gone"),
        (
            Inconclusive,
            "in a copy, which may have been made while it grew",
        ),
    ],
    innocent: &["none: it was stored before the manifest that names it was sealed"],
    hostile: &["the newest manifests of a stream were removed or never let through"],
    act: &[
        "treat it as SEQ_GAP at the end of the stream; a stream of which nothing is left was removed",
    ],
    by_hand: &[HEADS, LIST],
};

pub(super) const HEAD_MISMATCH: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: the agent vouched for another statement, or takes back what it vouched for",
    )],
    innocent: &["a host restored from a snapshot sealed that place once more"],
    hostile: &[
        "someone who has the key replaced a stream's tail, or cuts it back and has its neighbours agree",
    ],
    act: &[
        "look for the version whose line has the hash that is named; treat it as EQUIVOCATION",
        "a head that goes back: the later of the two must be there, and what follows it",
    ],
    by_hand: &[HEADS, "head -n 1 NAMED.manifest | sha256sum"],
};
