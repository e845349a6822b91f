//! Streams that say nothing, say it late, or need not be there any longer.

use super::explanation::{Explanation, LIST};
use ledger::finding::Severity::{Critical, Inconclusive, Interference, Note};

const PROMISE: &str = "head -n 1 LAST.manifest | jq '.time.sealed, .next_due, .events'";
const ALONG: &str = "head -qn 1 manifests/AGENT/STREAM/EPOCH/* | jq -c '[.seq, .time.sealed, .next_due, .time.boot_id]'";

pub(super) const SILENT: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: more was promised by a time that has passed on the store's clock",
    )],
    innocent: &[
        "the host or the agent crashed, or the host was switched off without a `stop`",
        "the archiver is down or held, so batches wait in the spool",
        "the host's clock is far ahead or behind",
    ],
    hostile: &[
        "someone stopped the agent, or cuts its connection to the store",
        "the newest manifests were removed",
    ],
    act: &[
        "on the host: `holdfast-agent status`, `holdfast archive status`, and what they say",
        "if batches wait there, fix the archiver: they arrive as LATE, and silence ends",
        "if the host is gone for good, its last manifest is the end; a new host continues with `init --after`",
    ],
    by_hand: &[PROMISE],
};

pub(super) const OUTAGE: Explanation = Explanation {
    grave: &[
        (
            Interference,
            "within one boot: the host ran, the agent did not",
        ),
        (Note, "the host booted in between"),
    ],
    innocent: &[
        "the host was down, or rebooting",
        "the agent was killed or could not write its spool, and came back",
    ],
    hostile: &["someone stopped the agent for a while without its `stop`, to write unseen"],
    act: &[
        "the agent read on from where it was, so files that are still there were read late, not lost; a GAP says what was",
        "see the host's own record of that time: who killed it, and why",
    ],
    by_hand: &[ALONG],
};

pub(super) const STOPPED: Explanation = Explanation {
    grave: &[(Note, "always: a stop on purpose promises nothing")],
    innocent: &["the agent was stopped, or its spool is full, or the stream was closed"],
    hostile: &["someone who may stop the agent did; the message says for how long it rests"],
    act: &[
        "see that it was meant, and for how long",
        "a full spool: see why the archiver does not upload",
        "a new host continues it with the line in the message",
    ],
    by_hand: &[PROMISE],
};

pub(super) const LATE: Explanation = Explanation {
    grave: &[(Note, "always: it all arrived")],
    innocent: &["the store or the network was down, or the archiver held, and caught up"],
    hostile: &[
        "someone held batches back; they are whole, but until they arrived only the host had them",
    ],
    act: &["if it lasted, see the archiver's log of that time"],
    by_hand: &[
        LIST,
        "head -n 1 MANIFEST | jq .time.sealed       # beside LastModified",
    ],
};

pub(super) const PENDING: Explanation = Explanation {
    grave: &[(Note, "always: the next run judges it")],
    innocent: &["the archive grows while it is verified"],
    hostile: &["none that this shows: what stays so becomes ORPHAN, HEAD_MISSING or SILENT"],
    act: &["run again after the grace (15 minutes by default)"],
    by_hand: &[LIST],
};

pub(super) const EXPIRED: Explanation = Explanation {
    grave: &[
        (
            Inconclusive,
            "in a copy, which cannot show whether the time was over",
        ),
        (Note, "the store's clock is past its promised time"),
    ],
    innocent: &["a lifecycle rule or a person removed what nobody promised to keep any longer"],
    hostile: &["in a copy: someone left the beginning out"],
    act: &[
        "nothing, if it was meant; what is left of the chain still holds by itself",
        "a copy: judge the bucket itself",
    ],
    by_hand: &[
        "head -n 1 MANIFEST | jq '.retention_s, .retention_max_s'",
        LIST,
    ],
};
