//! What a page holds, and the commands that several pages share.

use ledger::finding::Severity;

/// What there is to say of one code beside its one-line meaning.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// How grave, and when so; gravest first.
    pub grave: &'static [(Severity, &'static str)],
    /// What may have caused it without bad intent.
    pub innocent: &'static [&'static str],
    /// What else may have.
    pub hostile: &'static [&'static str],
    /// What to do, in order.
    pub act: &'static [&'static str],
    /// Commands of stock tools that show it. BUCKET, KEY, ID, MANIFEST, BODY stand for what the
    /// finding names.
    pub by_hand: &'static [&'static str],
}

/// All versions and delete markers of a key.
pub(super) const LIST: &str = "aws s3api list-object-versions --bucket BUCKET --prefix KEY";
/// Brings one version.
pub(super) const FETCH: &str =
    "aws s3api get-object --bucket BUCKET --key KEY --version-id ID object";
/// One version's lock.
pub(super) const LOCK: &str =
    "aws s3api get-object-retention --bucket BUCKET --key KEY --version-id ID";
/// Splits a manifest into what is signed and its signature.
pub(super) const SPLIT: &str = "head -n 1 MANIFEST > line; tail -n +2 MANIFEST > signature";
/// Checks that signature.
pub(super) const SIGNATURE: &str =
    "ssh-keygen -Y verify -f SIGNERS -I AGENT -n holdfast-manifest -s signature < line";
/// What a manifest says of its body, and what the body is.
pub(super) const HASH: &str = "sha256sum BODY; head -n 1 MANIFEST | jq -r .stored.sha256";
/// What a manifest says of its sources and events.
pub(super) const RANGES: &str = "head -n 1 MANIFEST | jq '.sources, .events'";
