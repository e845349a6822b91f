//! Bytes of log files that are not accounted for once.

use super::explanation::{Explanation, RANGES};
use ledger::finding::Severity::{Critical, Note};

const ALONG: &str = "head -qn 1 manifests/AGENT/STREAM/EPOCH/* | jq -c '.seq as $s | .sources[] | [$s, .id, .from, .to]'";

pub(super) const BYTE_GAP: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: bytes were read past, and no statement says so",
    )],
    innocent: &["a defect of the agent"],
    hostile: &["someone who has the key left lines out"],
    act: &[
        "the message names source and bytes: the log file on the host may still have them",
        "keep the manifests and agent_version; report it as a defect",
    ],
    by_hand: &[RANGES, ALONG],
};

pub(super) const BYTE_OVERLAP: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: a line may count twice, and nobody says why",
    )],
    innocent: &["a defect of the agent"],
    hostile: &["someone who has the key put lines in beside the true ones"],
    act: &[
        "compare the entries of both batches at these offsets: equal ones are a repetition, others a contradiction",
    ],
    by_hand: &[RANGES, ALONG],
};

pub(super) const SOURCE_MISMATCH: Explanation = Explanation {
    grave: &[(Critical, "always: entries cannot be traced to one file")],
    innocent: &[
        "a defect of the agent",
        "the epoch that `was` names is not in this copy",
    ],
    hostile: &["someone who has the key makes lines of one file pass for another's"],
    act: &[
        "read the source along the chain: id, path, dev and ino stay, `was` names a source that is there, and a gap without `to` is a source's end",
    ],
    by_hand: &[RANGES],
};

pub(super) const GAP: Explanation = Explanation {
    grave: &[(
        Note,
        "always: the agent says itself, signed, that these bytes are lost",
    )],
    innocent: &[
        "truncated: the file was cut before it was read (copytruncate)",
        "deleted: the file was removed while the agent was down or its spool full",
        "unreadable: the disk no longer gives the bytes back; hole: they were never written",
    ],
    hostile: &["someone on the host cut or removed the log before it was read"],
    act: &[
        "rotate with `create` rather than `copytruncate`; keep the agent running and the spool drained",
        "if nobody rotated then, see who was on the host at that time",
    ],
    by_hand: &["head -n 1 MANIFEST | jq '.events[] | select(.kind == \"gap\")'"],
};

pub(super) const AMBIGUOUS: Explanation = Explanation {
    grave: &[(
        Note,
        "always: nothing is missing, and the agent says itself, signed, where lines may count twice",
    )],
    innocent: &[
        "a file has content of a log that is known, and nothing shows whether it is a copy or was written again: equal banners, a restored backup, `sed -i`",
        "the agent's state was lost, so it read logs again from their start",
    ],
    hostile: &["someone on the host copied lines into another log, so that they count twice"],
    act: &[
        "whoever counts lines compares the source's with those of the batches before it: equal lines in equal order are likely a repetition",
    ],
    by_hand: &["head -n 1 MANIFEST | jq '.events[] | select(.kind == \"ambiguous\")'"],
};

pub(super) const RESTATED: Explanation = Explanation {
    grave: &[(Note, "always: the repetition is stated, and counted once")],
    innocent: &[
        "the agent's state was lost or rolled back, so it sealed again what it could not know was sealed",
    ],
    hostile: &["none that this shows: both statements are the agent's"],
    act: &[
        "whoever counts lines leaves the earlier statement out; docs/format.md, \"Rebuilding a file\"",
    ],
    by_hand: &["head -n 1 GENESIS | jq '.events, .sources'"],
};
