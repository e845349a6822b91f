//! One page for each finding code. The match is exhaustive, so a
//! new code cannot be left out. Which form a page takes, as text or JSON, is the reader's.

mod body_bytes;
mod byte_ranges;
mod epoch_links;
mod explanation;
mod locks;
mod manifest_order;
mod signed_statements;
mod silence;
mod stored_objects;

use ledger::finding::Code;

pub use explanation::Explanation;

/// The page of `code`.
#[must_use]
pub fn explanation(code: Code) -> &'static Explanation {
    match code {
        Code::NothingFound => &stored_objects::NOTHING_FOUND,
        Code::LooksLikeCopy => &stored_objects::LOOKS_LIKE_COPY,
        Code::Coverage => &stored_objects::COVERAGE,
        Code::ForeignObject => &stored_objects::FOREIGN_OBJECT,
        Code::ShadowVersion => &stored_objects::SHADOW_VERSION,
        Code::DeleteMarker => &stored_objects::DELETE_MARKER,
        Code::MissingVersion => &stored_objects::MISSING_VERSION,
        Code::UnknownSigner => &signed_statements::UNKNOWN_SIGNER,
        Code::UnknownFormat => &signed_statements::UNKNOWN_FORMAT,
        Code::SigInvalid => &signed_statements::SIG_INVALID,
        Code::SigScope => &signed_statements::SIG_SCOPE,
        Code::ManifestFormat => &signed_statements::MANIFEST_FORMAT,
        Code::Equivocation => &signed_statements::EQUIVOCATION,
        Code::SeqGap => &manifest_order::SEQ_GAP,
        Code::PrevMismatch => &manifest_order::PREV_MISMATCH,
        Code::EntryGap => &manifest_order::ENTRY_GAP,
        Code::EntryOverlap => &manifest_order::ENTRY_OVERLAP,
        Code::RetentionMismatch => &manifest_order::RETENTION_MISMATCH,
        Code::DateMismatch => &manifest_order::DATE_MISMATCH,
        Code::EventMisplaced => &manifest_order::EVENT_MISPLACED,
        Code::TimeRegression => &manifest_order::TIME_REGRESSION,
        Code::EpochMissing => &epoch_links::EPOCH_MISSING,
        Code::LooseEpoch => &epoch_links::LOOSE_EPOCH,
        Code::EpochFork => &epoch_links::EPOCH_FORK,
        Code::NewEpoch => &epoch_links::NEW_EPOCH,
        Code::Void => &epoch_links::VOID,
        Code::HeadMissing => &epoch_links::HEAD_MISSING,
        Code::HeadMismatch => &epoch_links::HEAD_MISMATCH,
        Code::SizeLimit => &body_bytes::SIZE_LIMIT,
        Code::StoredHash => &body_bytes::STORED_HASH,
        Code::BlockHash => &body_bytes::BLOCK_HASH,
        Code::BlockBad => &body_bytes::BLOCK_BAD,
        Code::BlockTrailing => &body_bytes::BLOCK_TRAILING,
        Code::CountMismatch => &body_bytes::COUNT_MISMATCH,
        Code::RootMismatch => &body_bytes::ROOT_MISMATCH,
        Code::EntryFormat => &body_bytes::ENTRY_FORMAT,
        Code::EntrySequence => &body_bytes::ENTRY_SEQUENCE,
        Code::EntryTime => &body_bytes::ENTRY_TIME,
        Code::EntrySource => &body_bytes::ENTRY_SOURCE,
        Code::EntryCont => &body_bytes::ENTRY_CONT,
        Code::LockAbsent => &locks::LOCK_ABSENT,
        Code::LockMode => &locks::LOCK_MODE,
        Code::LockShort => &locks::LOCK_SHORT,
        Code::LockUnknown => &locks::LOCK_UNKNOWN,
        Code::ByteGap => &byte_ranges::BYTE_GAP,
        Code::ByteOverlap => &byte_ranges::BYTE_OVERLAP,
        Code::SourceMismatch => &byte_ranges::SOURCE_MISMATCH,
        Code::Gap => &byte_ranges::GAP,
        Code::Ambiguous => &byte_ranges::AMBIGUOUS,
        Code::Restated => &byte_ranges::RESTATED,
        Code::Silent => &silence::SILENT,
        Code::Outage => &silence::OUTAGE,
        Code::Stopped => &silence::STOPPED,
        Code::Late => &silence::LATE,
        Code::Pending => &silence::PENDING,
        Code::Orphan => &stored_objects::ORPHAN,
        Code::Expired => &silence::EXPIRED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_all_there_is_to_say() {
        for code in Code::ALL {
            let page = explanation(*code);
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
