//! The closed list of finding codes. Adding one is a change of the contract; none changes its meaning.

use core::fmt;
use core::str::FromStr;

macro_rules! codes {
    ($($variant:ident $text:literal $meaning:literal)+) => {
        /// What kind of thing was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// Every code, in the order in which checks are made.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code as reports write it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// What it means, in one line.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

codes! {
    // what was looked at
    NothingFound "NOTHING_FOUND" "no trusted manifest was found where the archive should be"
    LooksLikeCopy "LOOKS_LIKE_COPY" "nothing in this directory is locked: it looks like a copy, and was judged as one"
    Coverage "COVERAGE" "something could not be listed or read, so not all was judged"
    ForeignObject "FOREIGN_OBJECT" "an object or marker that is no part of an archive"
    // versions
    ShadowVersion "SHADOW_VERSION" "another version with other bytes was put over an archived object"
    DeleteMarker "DELETE_MARKER" "someone asked to delete an archived object; its versions are still there if nothing else is said"
    MissingVersion "MISSING_VERSION" "a body that a manifest names is gone before its retention ended"
    // signatures
    UnknownSigner "UNKNOWN_SIGNER" "manifests of an agent for which no key is pinned: refused, not trusted"
    UnknownFormat "UNKNOWN_FORMAT" "a manifest of a newer format, which this reader must not judge"
    SigInvalid "SIG_INVALID" "a manifest without a valid signature of its agent's pinned key over exactly its first line"
    SigScope "SIG_SCOPE" "a validly signed manifest that stands under another manifest's name"
    ManifestFormat "MANIFEST_FORMAT" "a validly signed manifest that breaks the format's rules"
    Equivocation "EQUIVOCATION" "two different validly signed statements for one place in the chain"
    // chain
    SeqGap "SEQ_GAP" "manifests are missing from the chain"
    PrevMismatch "PREV_MISMATCH" "a manifest says of the one that it follows something else than that one does"
    EntryGap "ENTRY_GAP" "entry numbers jump forward between two batches"
    EntryOverlap "ENTRY_OVERLAP" "entry numbers repeat between two batches"
    RetentionMismatch "RETENTION_MISMATCH" "retention_max_s is not the longest retention of the chain so far"
    DateMismatch "DATE_MISMATCH" "a body is filed under another date than the rule gives"
    EventMisplaced "EVENT_MISPLACED" "an event stands where it cannot, or one that is needed is missing"
    TimeRegression "TIME_REGRESSION" "the boot clock went back within one boot"
    // epochs
    EpochMissing "EPOCH_MISSING" "an epoch that a later one continues has no manifest left"
    LooseEpoch "LOOSE_EPOCH" "an epoch that no later one continues: its end was never agreed"
    EpochFork "EPOCH_FORK" "two epochs continue the same one"
    NewEpoch "NEW_EPOCH" "the agent states that something went wrong and made it begin a new epoch"
    Void "VOID" "manifests after the seq at which a later epoch took over; their entries are sealed again there"
    HeadMissing "HEAD_MISSING" "a manifest of another stream names one that is not there"
    HeadMismatch "HEAD_MISMATCH" "a manifest of another stream says something else of one than that one does"
    // bodies
    SizeLimit "SIZE_LIMIT" "an object is larger than its manifest or the format allows; it was not read further"
    StoredHash "STORED_HASH" "a body's stored bytes are not those that its manifest signed"
    BlockHash "BLOCK_HASH" "a block of a body has another hash than its manifest says"
    BlockBad "BLOCK_BAD" "a block is not exactly one unit of its codec, of the stated size"
    BlockTrailing "BLOCK_TRAILING" "bytes follow the frame or member of a block"
    CountMismatch "COUNT_MISMATCH" "a body or block holds another number of entries than its manifest says"
    RootMismatch "ROOT_MISMATCH" "the tree over a body's entries has another root than its manifest says"
    EntryFormat "ENTRY_FORMAT" "a line of a body is not an entry"
    EntrySequence "ENTRY_SEQUENCE" "an entry is not numbered one after the entry before it"
    EntryTime "ENTRY_TIME" "the first or last entry was created at another time than its manifest says"
    EntrySource "ENTRY_SOURCE" "an entry names a source or path that its manifest does not list"
    EntryCont "ENTRY_CONT" "an entry says wrongly whether it starts inside a line"
    // locks
    LockAbsent "LOCK_ABSENT" "an archived object has no lock"
    LockMode "LOCK_MODE" "an archived object has a lock that can be taken off"
    LockShort "LOCK_SHORT" "an archived object's lock ends before its signed retention does"
    LockUnknown "LOCK_UNKNOWN" "the lock could not be read"
    // byte ranges
    ByteGap "BYTE_GAP" "bytes of a source are neither archived nor stated as a gap"
    ByteOverlap "BYTE_OVERLAP" "bytes of a source are archived twice without a statement that says why"
    SourceMismatch "SOURCE_MISMATCH" "a source changes what it is within an epoch, or continues one that is not there"
    Gap "GAP" "the agent states that bytes were lost before it could read them"
    Ambiguous "AMBIGUOUS" "the agent states that lines may repeat lines that it archived before"
    Restated "RESTATED" "bytes were sealed again after a rollback or lost state; they are counted once"
    // silence
    Silent "SILENT" "a stream stopped although its last manifest promised another one"
    Outage "OUTAGE" "a stream was silent for longer than it had promised, then continued"
    Stopped "STOPPED" "a stream rests: its agent stopped on purpose"
    Late "LATE" "manifests reached the store long after they were sealed"
    // reverse check
    Pending "PENDING" "too new to be judged; the next run will"
    Orphan "ORPHAN" "a body that no manifest names"
    Expired "EXPIRED" "its retention is over, so its absence is lawful"
}

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a finding code")]
pub struct UnknownCode;

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let named = |code: &&Self| code.as_str() == text;
        Self::ALL.iter().find(named).copied().ok_or(UnknownCode)
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_and_round_trip() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert!(!code.meaning().is_empty() && !code.meaning().contains('\n'));
        }
        assert_eq!("seq_gap".parse::<Code>(), Err(UnknownCode));
    }
}
