//! What was read under one body's key, judged: STORED_HASH, and with the checks of `objects` its markers,
//! shadow versions, lock and absence. Pure: facts in, findings out.

use super::body_content::Touches;
use super::body_versions::{BodyVersions, NamedBody, OtherBytes};
use crate::criteria::Criteria;
use crate::findings::by_hand::ByHand;
use crate::objects::shadow_versions::ShadowVersion;
use crate::objects::{lock_state, markers, missing_objects, unjudged};
use ledger::finding::{Code, Finding, Severity};
use ledger::name::Slot;

/// Whether a body is there.
#[derive(Debug)]
pub(crate) enum BodyPresence {
    /// A version holds the signed bytes, and all that is in them is as it should be.
    Whole(Touches),
    /// A version holds the signed bytes, which are not as they should be.
    Faulty,
    /// Gone after its retention.
    Expired,
    /// Not in this copy, of which one run of bodies is judged as a whole.
    NotCopied,
    /// Gone, changed or unreadable, which its findings say.
    Bad,
}

/// A body, judged.
#[derive(Debug)]
pub(crate) struct BodyVerdict {
    pub(crate) presence: BodyPresence,
    pub(crate) findings: Vec<Finding>,
}

/// Judges what was read under the key of `named`.
pub(crate) fn judge(
    criteria: &Criteria,
    by_hand: &ByHand,
    named: &NamedBody,
    found: BodyVersions,
) -> BodyVerdict {
    let key = named.manifest.body_key().unwrap_or_default();
    let place = BodyPlace {
        by_hand,
        named,
        slot: named.manifest.slot(),
        key: &key,
    };
    let retained_until = named.retained_until();
    let markers = found.markers.iter();
    let mut findings: Vec<_> = markers
        .map(|marker| markers::judge(by_hand, &place.slot, marker, Some(retained_until)))
        .collect();
    let Some(signed) = found.signed else {
        let (presence, missing) = place.judge_missing(criteria, &found.other, &found.unreadable);
        findings.extend(missing);
        return BodyVerdict { presence, findings };
    };
    let others = found.other.iter().chain(&found.unreadable);
    findings.extend(others.map(|other| place.shadow(other)));
    findings.extend(found.lock.and_then(|lock| {
        lock_state::finding(by_hand, &place.slot, &key, &signed.version_id, &lock)
    }));
    let presence = match signed.content {
        Ok(touches) => BodyPresence::Whole(touches),
        Err(fault) => {
            let finding = fault
                .at(&place.slot)
                .on(by_hand.full_key(&key), &signed.version_id)
                .by_hand(by_hand.unpack(&key, &signed.version_id));
            findings.push(finding);
            BodyPresence::Faulty
        }
    };
    BodyVerdict { presence, findings }
}

/// Where the body should be.
struct BodyPlace<'a> {
    by_hand: &'a ByHand,
    named: &'a NamedBody,
    slot: Slot,
    key: &'a str,
}

impl BodyPlace<'_> {
    /// No version holds the signed bytes.
    fn judge_missing(
        &self,
        criteria: &Criteria,
        others: &[OtherBytes],
        unreadable: &[OtherBytes],
    ) -> (BodyPresence, Vec<Finding>) {
        let retained_until = self.named.retained_until();
        let lawful = !criteria.copy && criteria.now >= retained_until;
        let shadows = || others.iter().map(|other| self.shadow(other));
        if let Some(one) = unreadable.first() {
            let (version_id, cause) = (&one.version_id, &one.got);
            let unread = unjudged::body(self.by_hand, &self.slot, self.key, version_id, cause);
            let findings = [unread].into_iter().chain(shadows());
            (BodyPresence::Bad, findings.collect())
        } else if lawful {
            (BodyPresence::Expired, shadows().collect())
        } else if others.is_empty() && criteria.copy {
            (BodyPresence::NotCopied, Vec::new())
        } else if others.is_empty() {
            let gone = missing_objects::body(self.by_hand, &self.slot, self.key, retained_until);
            (BodyPresence::Bad, vec![gone])
        } else {
            let changed = others.iter().map(|other| self.changed(other));
            (BodyPresence::Bad, changed.collect())
        }
    }

    /// This version is where the signed bytes should be.
    fn changed(&self, other: &OtherBytes) -> Finding {
        let message = "the body's bytes are not those that its manifest signed";
        Finding::new(Code::StoredHash, Severity::Critical, message)
            .at(&self.slot)
            .on(self.by_hand.full_key(self.key), &other.version_id)
            .expected_got(self.named.stored_hash(), other.got.as_str())
            .by_hand(self.by_hand.hash(self.key, &other.version_id))
    }

    /// This version is beside the signed bytes, or where they lawfully were.
    fn shadow(&self, other: &OtherBytes) -> Finding {
        let shadow = ShadowVersion {
            slot: &self.slot,
            key: self.key,
            version_id: &other.version_id,
            stored_at: other.stored_at,
        };
        shadow.of_body(self.by_hand, self.named.stored_hash(), &other.got)
    }
}
