//! What is named and not there: lawfully gone (EXPIRED), not there yet (PENDING), or missing (SEQ_GAP,
//! EPOCH_MISSING, HEAD_MISSING, MISSING_VERSION). Pure: facts in, findings out. Whether something is
//! there is not asked here.

use super::unjudged;
use crate::criteria::Criteria;
use crate::findings::by_hand::ByHand;
use crate::findings::seq_range;
use ledger::Moment;
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::Reference;
use ledger::name::Slot;

/// Manifests `first..=last` are not there: `expired`, by a reference to the last one, or missing.
pub(crate) fn manifests(first: u64, last: u64, expired: bool) -> Finding {
    if expired {
        let seqs = seq_range(first, last);
        let message = format!("manifests {seqs} are past their retention and gone");
        return Finding {
            seq: Some(first),
            ..Finding::new(Code::Expired, Severity::Note, message)
        };
    }
    let message = if first == last {
        format!("manifest {first} is missing")
    } else {
        format!(
            "manifests {first} to {last} are missing, {} of them",
            last - first + 1
        )
    };
    Finding {
        seq: Some(first),
        ..Finding::new(Code::SeqGap, Severity::Critical, message)
    }
    .expected_got(seq_range(first, last), "none")
}

/// The manifests before the oldest that is left, which is at `oldest`; `None` if they are missing.
pub(crate) fn before_oldest(
    criteria: &Criteria,
    oldest: &Slot,
    lawful_from: Moment,
) -> Option<Finding> {
    let severity = if criteria.copy {
        Severity::Inconclusive
    } else if criteria.now >= lawful_from {
        Severity::Note
    } else {
        return None;
    };
    let what = format!(
        "manifests {} are gone; what {} says of the past is taken as given",
        seq_range(0, oldest.seq.saturating_sub(1)),
        oldest.seq
    );
    let finding = Finding::new(Code::Expired, severity, what);
    Some(finding.at(&Slot {
        seq: 0,
        ..oldest.clone()
    }))
}

/// No manifest is left of an epoch that `message` tells of, and that may be gone from `lawful_from` on.
pub(crate) fn epoch(criteria: &Criteria, lawful_from: Moment, message: String) -> Finding {
    let (code, severity) = if criteria.copy {
        (Code::Expired, Severity::Inconclusive)
    } else if criteria.now >= lawful_from {
        (Code::Expired, Severity::Note)
    } else {
        (Code::EpochMissing, Severity::Critical)
    };
    Finding::new(code, severity, message)
}

/// A manifest that another stream's names and that is not there.
pub(crate) struct MissingHead<'a> {
    pub(crate) reference: Reference,
    /// The manifest that names it.
    pub(crate) by: &'a Slot,
}

pub(crate) fn head(criteria: &Criteria, missing: &MissingHead<'_>) -> Finding {
    let missing_as = |severity, why| (Code::HeadMissing, severity, why);
    let (code, severity, why) = if criteria.copy {
        missing_as(Severity::Inconclusive, "not in this copy")
    } else if criteria.has_expired(&missing.reference) {
        (Code::Expired, Severity::Note, "past its retention and gone")
    } else {
        // It was stored before the manifest that names it was sealed: nothing is still under way.
        missing_as(Severity::Critical, "not there")
    };
    let message = format!("the manifest that {} names is {why}", missing.by);
    let sha256 = missing.reference.sha256.to_string();
    Finding::new(code, severity, message).expected_got(sha256, "none")
}

/// A manifest that is not there yet, for an object that is.
pub(crate) fn manifest_pending(message: &str) -> Finding {
    Finding::new(Code::Pending, Severity::Note, message)
}

/// A body that is not there before its retention is over.
pub(crate) fn body(by_hand: &ByHand, slot: &Slot, key: &str, retained_until: Moment) -> Finding {
    let message = format!("the body is gone, though its retention lasts until {retained_until}");
    Finding::new(Code::MissingVersion, Severity::Critical, message)
        .at(slot)
        .on(by_hand.full_key(key), "")
        .by_hand(by_hand.list(key))
}

/// Bodies of manifests `first..=last` past their retention, `count` of them.
pub(crate) fn expired_bodies(first: u64, last: u64, count: u64) -> Finding {
    let seqs = seq_range(first, last);
    let message = format!("{count} bodies of manifests {seqs} are past their retention and gone");
    Finding {
        seq: Some(first),
        ..Finding::new(Code::Expired, Severity::Note, message)
    }
}

/// Where a run of bodies that a copy lacks stands in its epoch or stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingAt {
    /// Within an epoch.
    WithinEpoch,
    /// Between bodies of the stream.
    BetweenEpochs,
    /// Before the stream's first body that is there.
    Beginning,
    /// After its last one, or none is there.
    End,
}

/// Bodies of manifests `first..=last` that a copy lacks: lawful or unfinished at its ends, lost between.
pub(crate) fn copied_bodies(first: u64, last: u64, at: MissingAt) -> Finding {
    let seqs = seq_range(first, last);
    let what = format!("the bodies of manifests {seqs} are not there");
    let lost = |message| Finding::new(Code::MissingVersion, Severity::Critical, message);
    let finding = match at {
        MissingAt::WithinEpoch => lost(format!(
            "the bodies of manifests {seqs} are gone; bodies around it are there"
        )),
        MissingAt::BetweenEpochs => lost(format!("{what}; bodies before and after them are")),
        MissingAt::Beginning => Finding::new(
            Code::Expired,
            Severity::Inconclusive,
            format!("{what}; a copy cannot show whether their retention was over"),
        ),
        MissingAt::End => unjudged::copied_too_early(&what),
    };
    Finding {
        seq: Some(first),
        ..finding
    }
}
