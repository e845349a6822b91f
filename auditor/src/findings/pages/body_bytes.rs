//! Bodies that are not what their manifests signed.

use super::explanation::{Explanation, FETCH, HASH, LIST};
use ledger::finding::Severity::{Critical, Interference};

/// For what can only come about by a change of the stored bytes.
const CHANGED: &[&str] = &[
    "look for the right bytes: another version, a replica, the agent's spool; the manifest's stored.sha256 decides",
    "see whether other objects of that store are hit; a single one points to bit rot, several to a person",
];

/// For what the agent's own key signed, though it cannot be.
const SIGNED_SO: &[&str] = &[
    "the stored bytes are the signed ones, so the agent signed something wrong: keep both objects and agent_version, report it as a defect",
    "see who can read the key file",
];

const DEFECT: &[&str] = &["a defect of the agent"];
const KEY: &[&str] = &["someone who has the key made up a batch"];

pub(super) const SIZE_LIMIT: Explanation = Explanation {
    grave: &[
        (
            Critical,
            "a body larger than its manifest says, or a manifest the chain needs",
        ),
        (Interference, "a manifest, beside a valid one"),
    ],
    innocent: &["none: no writer makes such an object"],
    hostile: &["someone put a huge object to make readers fail; it was not read to its end"],
    act: &["look for the right version; find who may put below the prefix"],
    by_hand: &[LIST],
};

pub(super) const STORED_HASH: Explanation = Explanation {
    grave: &[(Critical, "always: these are not the bytes that were signed")],
    innocent: &[
        "a bit rotted on the disk or in a copy",
        "a tool repacked the file",
    ],
    hostile: &[
        "someone changed what is stored: a disk's owner, a store that does not enforce locks",
    ],
    act: CHANGED,
    by_hand: &[FETCH, HASH],
};

pub(super) const BLOCK_HASH: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: the manifest contradicts itself, for its hash of the whole holds",
    )],
    innocent: DEFECT,
    hostile: KEY,
    act: SIGNED_SO,
    by_hand: &[
        "head -n 1 MANIFEST | jq -c '.blocks[]'; tail -c +OFFSET+1 BODY | head -c SIZE | sha256sum",
    ],
};

pub(super) const BLOCK_BAD: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: the entries cannot be read in the stated form",
    )],
    innocent: DEFECT,
    hostile: &["someone who has the key hides what a lenient reader would show differently"],
    act: SIGNED_SO,
    by_hand: &[
        "zstd -lv BODY; zstd -dc BODY | wc -c; head -n 1 MANIFEST | jq .body.size",
        "gzip -tv BODY; zcat BODY | wc -c      # where stored.codec is gzip",
    ],
};

pub(super) const BLOCK_TRAILING: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: tools differ in whether they show what follows",
    )],
    innocent: DEFECT,
    hostile: &["someone who has the key appends lines that some readers show and others do not"],
    act: SIGNED_SO,
    by_hand: &[
        "head -n 1 MANIFEST | jq -c '.blocks[] | [.offset, .size, .raw]'",
        "zstd -dc BODY | wc -c",
    ],
};

pub(super) const COUNT_MISMATCH: Explanation = Explanation {
    grave: &[(Critical, "always: entries are missing or were added")],
    innocent: DEFECT,
    hostile: KEY,
    act: SIGNED_SO,
    by_hand: &["zstd -dc BODY | wc -l; head -n 1 MANIFEST | jq .entries.count"],
};

pub(super) const ROOT_MISMATCH: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: the entries are not those that the tree was made of",
    )],
    innocent: DEFECT,
    hostile: KEY,
    act: SIGNED_SO,
    by_hand: &["docs/verify-by-hand.md, \"The root\", computes it with sha256sum"],
};

pub(super) const ENTRY_FORMAT: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: a line that readers may understand differently, or not at all",
    )],
    innocent: DEFECT,
    hostile: KEY,
    act: SIGNED_SO,
    by_hand: &["zstd -dc BODY | jq -c . > /dev/null      # jq is more lenient than the format"],
};

pub(super) const ENTRY_SEQUENCE: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: an entry is missing, repeated or out of order",
    )],
    innocent: DEFECT,
    hostile: KEY,
    act: SIGNED_SO,
    by_hand: &[
        "zstd -dc BODY | jq '.[\"event.sequence\"]' | awk 'NR > 1 && $1 != last + 1; { last = $1 }'",
    ],
};

pub(super) const ENTRY_TIME: Explanation = Explanation {
    grave: &[(Critical, "always: a search by time would miss entries")],
    innocent: DEFECT,
    hostile: KEY,
    act: SIGNED_SO,
    by_hand: &[
        "zstd -dc BODY | jq -r '.[\"event.created\"]' | sed -n '1p;$p'; head -n 1 MANIFEST | jq .time",
    ],
};

pub(super) const ENTRY_SOURCE: Explanation = Explanation {
    grave: &[(Critical, "always: an entry cannot be traced to a file")],
    innocent: DEFECT,
    hostile: KEY,
    act: SIGNED_SO,
    by_hand: &[
        "zstd -dc BODY | jq -c '[.[\"log.file.id\"], .[\"log.file.path\"]]' | sort -u; head -n 1 MANIFEST | jq -c '.sources[] | [.id, .path]'",
    ],
};

pub(super) const ENTRY_CONT: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: lines would be joined or cut wrongly when a file is rebuilt",
    )],
    innocent: DEFECT,
    hostile: KEY,
    act: SIGNED_SO,
    by_hand: &["zstd -dc BODY | jq -c '[.[\"log.file.id\"], .[\"log.offset\"], .[\"log.flags\"]]'"],
};
