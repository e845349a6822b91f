//! Statements that are not the agent's, not judged, or too many.

use super::explanation::{Explanation, FETCH, LIST, SIGNATURE, SPLIT};
use ledger::finding::Severity::{Critical, Inconclusive, Interference};

const READ: &[&str] = &[FETCH, SPLIT, SIGNATURE];

pub(super) const UNKNOWN_SIGNER: Explanation = Explanation {
    grave: &[(
        Inconclusive,
        "always: without its key nothing of that agent can be believed",
    )],
    innocent: &[
        "a new agent whose line nobody gave you yet",
        "an archive that several teams share, each with its own signers file",
    ],
    hostile: &["someone writes manifests in an invented agent's name"],
    act: &[
        "get the agent's line through a channel that the bucket's owner does not control: `holdfast-agent init` prints it on the host",
        "never pin a key that you took from the bucket",
        "to judge the others alone: --agent NAME",
    ],
    by_hand: &[
        "ls manifests/                # the agents that are there",
        "cut -d ' ' -f 1 SIGNERS      # the agents that are pinned",
    ],
};

pub(super) const UNKNOWN_FORMAT: Explanation = Explanation {
    grave: &[(
        Inconclusive,
        "always: a reader must not guess what it does not know",
    )],
    innocent: &["the agent is newer than this verifier"],
    hostile: &["none without the agent's key: its signature was checked first"],
    act: &["verify with a newer holdfast"],
    by_hand: &["head -n 1 MANIFEST | jq '.v, .kind, .crit'"],
};

pub(super) const SIG_INVALID: Explanation = Explanation {
    grave: &[
        (
            Critical,
            "no valid statement is at its place, and the chain needs one",
        ),
        (
            Interference,
            "a valid statement is beside it, or nothing needs its place",
        ),
    ],
    innocent: &[
        "the agent's key was changed and the signers file has only the other one",
        "the line's valid-after or valid-before does not cover the time it was stored",
        "a tool re-encoded the file: line ends, pretty-printed JSON",
    ],
    hostile: &[
        "someone wrote or changed a manifest without having the key",
        "a file cut short or rotten",
    ],
    act: &[
        "compare the agent's key on its host (`holdfast-agent init` prints it again) with your signers file",
        "if the keys agree, someone changed it: look for the right bytes in other versions, replicas, the spool",
    ],
    by_hand: READ,
};

pub(super) const SIG_SCOPE: Explanation = Explanation {
    grave: &[
        (
            Critical,
            "no valid statement is at its place, and the chain needs one",
        ),
        (
            Interference,
            "a valid statement is beside it, or nothing needs its place",
        ),
    ],
    innocent: &["someone moved or renamed objects"],
    hostile: &["a signed manifest was put under another's name, to stand for it"],
    act: &[
        "the line says where it belongs: look whether it is there too",
        "find who put it, as for SHADOW_VERSION",
    ],
    by_hand: &[
        SPLIT,
        "jq -r '\"\\(.agent)/\\(.stream)/\\(.epoch)/\\(.seq)\"' line",
    ],
};

pub(super) const MANIFEST_FORMAT: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: the agent's own key signed it, so it is the agent's statement, and broken",
    )],
    innocent: &["a defect of the agent, or of whatever signs with its key"],
    hostile: &["the key is used by another program"],
    act: &[
        "keep the object and the agent's version (agent_version in the line); report it as a defect",
        "see who can read the key file; if in doubt, make a new key and pin it from a date on",
    ],
    by_hand: &[SPLIT, SIGNATURE, "jq . line"],
};

pub(super) const EQUIVOCATION: Explanation = Explanation {
    grave: &[(Critical, "always: one key said two things")],
    innocent: &[
        "a host or container restored from a snapshot, or cloned with its key, continued beside the first",
    ],
    hostile: &["someone who has the key rewrites history after it was archived"],
    act: &[
        "keep both versions: together they are the proof",
        "find out which host signed which: boot_id and time.sealed in the lines",
        "stop the second host, give it a name and key of its own, and adopt its epoch or not",
    ],
    by_hand: &[LIST, FETCH, SPLIT, SIGNATURE, "sha256sum line"],
};
