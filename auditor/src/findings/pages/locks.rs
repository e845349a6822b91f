//! Locks that do not keep what the manifests promise.

use super::explanation::{Explanation, LOCK};
use ledger::finding::Severity::{Critical, Inconclusive};

const NEEDED: &str = "head -n 1 MANIFEST | jq '.retention_s, .retention_max_s'     # a body, a manifest: LastModified + so many seconds";

const ACT: &[&str] = &[
    "the bytes are still right, so lock this version now: `aws s3api put-object-retention` with mode COMPLIANCE, by --version-id",
    "find out who wrote or touched it: no receipt is given without the lock read back, so the archiver did not leave it so",
    "see that the store enforces what it accepts",
];

pub(super) const LOCK_ABSENT: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: anyone who may delete could remove it now",
    )],
    innocent: &[
        "objects were copied into a new bucket by a tool that copies no locks (then judge it with --copy)",
        "a `file://` store that was moved: cp and rsync do not keep the access time",
    ],
    hostile: &["someone put an object without its lock, or a disk's owner took it off"],
    act: ACT,
    by_hand: &[LOCK, "stat -c '%A, locked until %x' FILE       # on a disk"],
};

pub(super) const LOCK_MODE: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: whoever has BypassGovernanceRetention could remove it now",
    )],
    innocent: &["a copy job that locks by the bucket's default, which is GOVERNANCE"],
    hostile: &["a store that lets COMPLIANCE be turned into GOVERNANCE"],
    act: ACT,
    by_hand: &[LOCK],
};

pub(super) const LOCK_SHORT: Explanation = Explanation {
    grave: &[(
        Critical,
        "always: it could be removed before its promised time",
    )],
    innocent: &[
        "a copy job that locks by the bucket's default, which is shorter",
        "a store whose clock was wrong when it was put",
    ],
    hostile: &[
        "someone put the object with a short lock of their own",
        "a store that lets locks be shortened",
    ],
    act: ACT,
    by_hand: &[LOCK, NEEDED],
};

pub(super) const LOCK_UNKNOWN: Explanation = Explanation {
    grave: &[(Inconclusive, "always: unknown is not absent")],
    innocent: &[
        "credentials without GetObjectRetention",
        "network, throttling",
    ],
    hostile: &["someone took that right away, so that nobody sees what was done to the locks"],
    act: &["give the auditor s3:GetObjectRetention on the prefix and run again"],
    by_hand: &[LOCK],
};
