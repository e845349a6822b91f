//! One page for each finding code. The match is exhaustive, so a new code cannot be left out.

use super::page::Page;
use super::{bodies, chain, epochs, locks, objects, ranges, signatures, silence};
use ledger::finding::Code;

/// The page of `code`.
#[must_use]
pub(super) fn page(code: Code) -> &'static Page {
    match code {
        Code::NothingFound => &objects::NOTHING_FOUND,
        Code::LooksLikeCopy => &objects::LOOKS_LIKE_COPY,
        Code::Coverage => &objects::COVERAGE,
        Code::ForeignObject => &objects::FOREIGN_OBJECT,
        Code::ShadowVersion => &objects::SHADOW_VERSION,
        Code::DeleteMarker => &objects::DELETE_MARKER,
        Code::MissingVersion => &objects::MISSING_VERSION,
        Code::UnknownSigner => &signatures::UNKNOWN_SIGNER,
        Code::UnknownFormat => &signatures::UNKNOWN_FORMAT,
        Code::SigInvalid => &signatures::SIG_INVALID,
        Code::SigScope => &signatures::SIG_SCOPE,
        Code::ManifestFormat => &signatures::MANIFEST_FORMAT,
        Code::Equivocation => &signatures::EQUIVOCATION,
        Code::SeqGap => &chain::SEQ_GAP,
        Code::PrevMismatch => &chain::PREV_MISMATCH,
        Code::EntryGap => &chain::ENTRY_GAP,
        Code::EntryOverlap => &chain::ENTRY_OVERLAP,
        Code::RetentionMismatch => &chain::RETENTION_MISMATCH,
        Code::DateMismatch => &chain::DATE_MISMATCH,
        Code::EventMisplaced => &chain::EVENT_MISPLACED,
        Code::TimeRegression => &chain::TIME_REGRESSION,
        Code::EpochMissing => &epochs::EPOCH_MISSING,
        Code::LooseEpoch => &epochs::LOOSE_EPOCH,
        Code::EpochFork => &epochs::EPOCH_FORK,
        Code::Void => &epochs::VOID,
        Code::HeadMissing => &epochs::HEAD_MISSING,
        Code::HeadMismatch => &epochs::HEAD_MISMATCH,
        Code::SizeLimit => &bodies::SIZE_LIMIT,
        Code::StoredHash => &bodies::STORED_HASH,
        Code::BlockHash => &bodies::BLOCK_HASH,
        Code::GzipBad => &bodies::GZIP_BAD,
        Code::GzipTrailing => &bodies::GZIP_TRAILING,
        Code::CountMismatch => &bodies::COUNT_MISMATCH,
        Code::RootMismatch => &bodies::ROOT_MISMATCH,
        Code::EntryFormat => &bodies::ENTRY_FORMAT,
        Code::EntrySequence => &bodies::ENTRY_SEQUENCE,
        Code::EntryTime => &bodies::ENTRY_TIME,
        Code::EntrySource => &bodies::ENTRY_SOURCE,
        Code::EntryCont => &bodies::ENTRY_CONT,
        Code::LockAbsent => &locks::LOCK_ABSENT,
        Code::LockMode => &locks::LOCK_MODE,
        Code::LockShort => &locks::LOCK_SHORT,
        Code::LockUnknown => &locks::LOCK_UNKNOWN,
        Code::ByteGap => &ranges::BYTE_GAP,
        Code::ByteOverlap => &ranges::BYTE_OVERLAP,
        Code::SourceMismatch => &ranges::SOURCE_MISMATCH,
        Code::Gap => &ranges::GAP,
        Code::Restated => &ranges::RESTATED,
        Code::Silent => &silence::SILENT,
        Code::Outage => &silence::OUTAGE,
        Code::Stopped => &silence::STOPPED,
        Code::Late => &silence::LATE,
        Code::Pending => &silence::PENDING,
        Code::Orphan => &objects::ORPHAN,
        Code::Expired => &silence::EXPIRED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_all_there_is_to_say() {
        for code in Code::ALL {
            let page = page(*code);
            let severities: Vec<_> = page.grave.iter().map(|(severity, _)| *severity).collect();
            let mut sorted = severities.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(severities, sorted, "{code}: gravest first, each once");
            let whole =
                |text: &str| !text.is_empty() && text.trim() == text && !text.contains('\n');
            let when = page.grave.iter().map(|(_, when)| *when).collect();
            let causes = [page.innocent, page.hostile].concat();
            for texts in [when, causes, page.act.to_vec()] {
                assert!(!texts.is_empty(), "{code}");
                for text in texts {
                    assert!(whole(text) && !text.ends_with('.'), "{code}: {text:?}");
                }
            }
            assert!(!page.by_hand.is_empty(), "{code}");
            assert!(page.by_hand.iter().all(|command| whole(command)), "{code}");
        }
    }
}
