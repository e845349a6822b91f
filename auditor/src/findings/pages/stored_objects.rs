//! What was looked at, and objects and versions that are more or fewer than they should be.

use super::explanation::{Explanation, FETCH, HASH, LIST};
use ledger::finding::Severity::{Critical, Inconclusive, Interference, Note};

pub(super) const NOTHING_FOUND: Explanation = Explanation {
    grave: &[(Inconclusive, "always: an empty place proves nothing")],
    innocent: &[
        "the URL, its prefix, --agent or --stream name another place than the archive's",
        "nothing has been archived yet",
    ],
    hostile: &["everything was removed, or the credentials were pointed at an empty imitation"],
    act: &[
        "compare --store with `store` in the archiver's archiver.toml",
        "list the place by hand; if manifests are there, see whether the signers file names their agent",
        "if it once was full, treat it as the removal of everything: ask the store's owner for its access log",
    ],
    by_hand: &["aws s3api list-object-versions --bucket BUCKET --prefix PREFIX/manifests/"],
};

pub(super) const LOOKS_LIKE_COPY: Explanation = Explanation {
    grave: &[(
        Inconclusive,
        "always: what a copy cannot show was not judged",
    )],
    innocent: &["the directory was made by `aws s3 sync`, rsync or cp, which copy no locks"],
    hostile: &["someone who owns the disk took every lock off"],
    act: &[
        "if it is a copy, say so with --copy; if you can, judge the original instead",
        "if it is the archive itself, its locks are gone: treat it as LOCK_ABSENT on every object",
    ],
    by_hand: &[
        "find DIRECTORY -type f -printf '%m, locked until %A+  %p\\n'    # 444 and a date in the future",
    ],
};

pub(super) const COVERAGE: Explanation = Explanation {
    grave: &[(
        Inconclusive,
        "always: what could not be read was not judged",
    )],
    innocent: &[
        "credentials without ListBucketVersions, GetObjectVersion or GetObjectRetention",
        "network, throttling, a server that was down",
        "a copy that was made while the archive grew: bodies came after their manifests",
        "an object encrypted with a key that these credentials may not use",
    ],
    hostile: &[
        "someone took rights away, or disabled a key, so that nobody can look",
        "someone put an object in the place of a folder, so that a server hides what is below it",
    ],
    act: &[
        "read the message: it names the request and what the store answered",
        "fix the rights or wait, and run again; a copy: sync manifests/ first, then entries/",
        "have the object in a folder's place removed by whoever may delete, and keep its version as evidence",
    ],
    by_hand: &[LIST, FETCH],
};

pub(super) const FOREIGN_OBJECT: Explanation = Explanation {
    grave: &[
        (
            Interference,
            "below manifests/ or entries/, where only an archiver writes",
        ),
        (Note, "elsewhere, or a folder that a console made"),
    ],
    innocent: &[
        "another tool uses the same bucket: inventories, access logs, lifecycle reports",
        "someone uploaded a file by mistake",
    ],
    hostile: &[
        "someone with the right to put tries names, or floods the archive to make listing slow",
        "someone puts an object where the archive has a folder, so that a server such as MinIO lists nothing below it",
    ],
    act: &[
        "give the archive a bucket or prefix of its own",
        "find who may put below the prefix; nobody but the archiver needs to",
        "it is never taken for evidence, so nothing that was listed is in doubt",
        "if it is in the place of a folder, COVERAGE says so: have it removed and verify again",
    ],
    by_hand: &[LIST],
};

pub(super) const SHADOW_VERSION: Explanation = Explanation {
    grave: &[(
        Interference,
        "always: the archived bytes are still there, under another version",
    )],
    innocent: &[
        "a sync or restore job wrote over the archive",
        "replication from another bucket",
    ],
    hostile: &[
        "someone with the right to put hides an object from whoever reads without a version",
        "ransomware that encrypts by putting a new version",
    ],
    act: &[
        "read by version: the right one is the one whose bytes the manifest signed",
        "find who put it: the store's access log, at the version's LastModified",
        "take the right to put away from everyone but the archiver",
    ],
    by_hand: &[LIST, FETCH, "sha256sum object"],
};

pub(super) const DELETE_MARKER: Explanation = Explanation {
    grave: &[
        (Interference, "put before the object's retention was over"),
        (Note, "put after it: nothing was promised any longer"),
    ],
    innocent: &[
        "a lifecycle rule that expires current versions",
        "`aws s3 sync --delete`, or a console's delete without a version",
    ],
    hostile: &["someone tries to hide objects; a marker hides, it removes nothing that is locked"],
    act: &[
        "see that the versions below it are there: if not, MISSING_VERSION or SEQ_GAP says so",
        "take the right to delete away, and lifecycle rules off the prefix",
        "the marker itself may be removed by its own version, by whoever may delete",
    ],
    by_hand: &[LIST],
};

pub(super) const MISSING_VERSION: Explanation = Explanation {
    grave: &[(Critical, "always: signed bytes are gone before their time")],
    innocent: &[
        "a copy or mirror that left some out",
        "a `file://` store whose disk lost files",
    ],
    hostile: &[
        "a store that accepts locks and deletes nevertheless, or that was restored to before",
        "whoever owns the disk of a `file://` store removed it",
    ],
    act: &[
        "look for the bytes elsewhere: a replica, a copy, the agent's spool (spool_keep); any file whose SHA-256 is the manifest's stored.sha256 is the body",
        "the manifest still proves what is missing: how many entries, which files and bytes",
        "ask the store how a locked version could go, and see whether it enforces what it accepts",
    ],
    by_hand: &[
        LIST,
        "head -n 1 MANIFEST | jq '.stored, .entries, .sources'",
    ],
};

pub(super) const ORPHAN: Explanation = Explanation {
    grave: &[
        (
            Interference,
            "its epoch has no manifest at or after its number, and no successor",
        ),
        (Note, "its epoch continued without it, or this is a copy"),
    ],
    innocent: &[
        "the archiver was killed between a body and its manifest, and the agent sealed that batch again",
        "the host was lost just then",
    ],
    hostile: &[
        "the manifest that named it was removed",
        "someone who may put stored a body of their own",
    ],
    act: &[
        "see whether the chain misses a manifest: SEQ_GAP, SILENT, HEAD_MISSING beside it",
        "what only an orphan holds is evidence of nothing: no key vouches for it",
    ],
    by_hand: &[LIST, HASH],
};
