//! What must hold between the manifests of one epoch, followed one by one, and across epochs.
//!
//! Pure bookkeeping: it is told manifests whose signatures are good and answers with what does not
//! fit. It continues after every break, taking what is there as the new truth, so that one fault is
//! told once and hides no other. How grave a break is, is the verifier's to say. Memory is about a
//! hundred bytes for each source of the epoch, and for each epoch of another stream that it names.

mod pauses;
mod pulse;
mod seams;
mod tiling;

use crate::digest::Digest;
use crate::manifest::{EventKind, Manifest, Reference, Source, Was};
use crate::name::{Epoch, Name};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use pauses::Pauses;
pub use pulse::{Pulse, Silence};
pub use seams::{Edge, SeamFault, Seams, Touch};
pub use tiling::{Tiling, TilingFault};

/// Epochs of other streams whose heads one epoch is held to.
const NAMED_MAX: usize = 50_000;

/// Something that does not fit what came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Break {
    /// Manifests `first..=last` are not there.
    SeqGap {
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
    },
    /// `prev` says of the manifest before something else than it is.
    Prev {
        /// What the manifest that is there gives.
        expected: Reference,
        /// What was signed.
        got: Reference,
    },
    /// Behind a gap, `prev` says that less time had passed, or that less is kept, than the epoch had said before it.
    PrevBack {
        /// The newest manifest before the gap.
        before: Reference,
        /// What was signed.
        got: Reference,
    },
    /// `entries.first` is not the next number.
    Entries {
        /// The next number.
        expected: u64,
        /// The one that was signed.
        got: u64,
    },
    /// `retention_max_s` is not the longest so far.
    Retention {
        /// The longest so far.
        expected: u64,
        /// The one that was signed.
        got: u64,
    },
    /// `body.date` is not what the rule gives.
    Date {
        /// The rule's date.
        expected: String,
        /// The one that was signed.
        got: String,
    },
    /// The manifest before had `stop`, this one has no `start`.
    StartMissing,
    /// `start` says wrongly whether the manifest before had `stop`.
    StartUnfit {
        /// What `clean` should be.
        expected: bool,
    },
    /// The manifest before closed the stream.
    AfterClose,
    /// `full` was said and not `resumed`, yet bytes were read.
    ReadWhileFull,
    /// `resumed` is said and `full` was not.
    ResumedWithoutFull,
    /// `heads` names an earlier manifest of another stream's epoch than the epoch has named before.
    HeadBack {
        /// The other stream.
        stream: Name,
        /// Its epoch.
        epoch: Epoch,
        /// The latest seq that was named.
        before: u64,
        /// The one that was signed.
        got: u64,
    },
    /// The boot clock went back within one boot.
    BootClock {
        /// Milliseconds in the manifest before.
        before_ms: u64,
        /// Milliseconds in this one.
        got_ms: u64,
    },
    /// A source's `from` is not where it stood.
    Range {
        /// The source.
        source: u64,
        /// Where it stood.
        expected: u64,
        /// Its `from`.
        got: u64,
    },
    /// A source breaks another rule.
    Source {
        /// The source.
        source: u64,
        /// The rule.
        rule: &'static str,
    },
    /// The gaps of a manifest without entries do not fill its ranges.
    Tiling(TilingFault),
}

/// A source's statement that it continues one of another epoch, to be held against that one's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The manifest that makes it.
    pub seq: u64,
    /// The source in the own epoch.
    pub source: u64,
    /// The one it continues.
    pub was: Was,
    /// Its first byte.
    pub from: u64,
}

/// What following one manifest brought to light.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What does not fit.
    pub breaks: Vec<Break>,
    /// What is to be held against other epochs.
    pub claims: Vec<Claim>,
    /// A silence that this manifest ended.
    pub silence: Option<Silence>,
}

/// Where a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// One after its last byte.
    pub to: u64,
    /// Nothing may follow: a gap of unknown end.
    pub ended: bool,
    /// Where it was first seen, hashed: held for life, and paths may be long.
    path: Digest,
}

/// The state of one epoch after its newest manifest followed so far.
#[derive(Debug, Clone)]
pub struct Chain {
    /// That manifest.
    pub head: Reference,
    /// Its pulse.
    pub pulse: Pulse,
    /// Number of the next entry.
    pub next_entry: u64,
    /// The epoch's sources.
    pub sources: BTreeMap<u64, Position>,
    date: Option<String>,
    pauses: Pauses,
    /// By epoch of another stream, the latest seq that `heads` has named.
    named: BTreeMap<(Name, Epoch), u64>,
    /// Whether every manifest so far was there, so that an unknown source is a new one.
    whole: bool,
}

impl Chain {
    /// Begins with the oldest manifest that is there. One other than seq 0 stands as a root: what it
    /// says of the past is taken as given.
    #[must_use]
    pub fn begin(manifest: &Manifest, sha256: Digest) -> (Self, Step) {
        let mut chain = Self {
            head: manifest.reference(sha256),
            pulse: Pulse::of(manifest),
            next_entry: 0,
            sources: BTreeMap::new(),
            date: None,
            pauses: Pauses::before_oldest(manifest.seq == 0),
            named: BTreeMap::new(),
            whole: manifest.seq == 0,
        };
        let mut step = Step::default();
        if chain.whole && manifest.entries.first != 0 {
            step.breaks.push(Break::Entries {
                expected: 0,
                got: manifest.entries.first,
            });
        }
        step.breaks.extend(check_retention(manifest, 0));
        chain.absorb(manifest, sha256, false, &mut step);
        (chain, step)
    }

    /// Follows the next manifest that is there; its seq must be over the last one's.
    #[must_use]
    pub fn follow(&mut self, manifest: &Manifest, sha256: Digest) -> Step {
        let mut step = Step::default();
        let gap = manifest.seq > self.head.seq.saturating_add(1);
        if gap {
            step.breaks.push(Break::SeqGap {
                first: self.head.seq + 1,
                last: manifest.seq - 1,
            });
            self.whole = false;
            self.pauses.lose();
            // What it names is gone; that it is so by right must not rest on a date that goes back.
            if let Some(got) = manifest.prev.filter(|prev| {
                prev.sealed_max < self.head.sealed_max
                    || prev.retention_max_s < self.head.retention_max_s
            }) {
                step.breaks.push(Break::PrevBack {
                    before: self.head,
                    got,
                });
            }
        } else if let Some(got) = manifest.prev.filter(|prev| *prev != self.head) {
            step.breaks.push(Break::Prev {
                expected: self.head,
                got,
            });
        }
        self.check_entries(manifest, gap, &mut step.breaks);
        let longest = check_retention(manifest, self.head.retention_max_s);
        step.breaks.extend(longest);
        let pulse = Pulse::of(manifest);
        if pulse.boot_id == self.pulse.boot_id && pulse.boot_ms < self.pulse.boot_ms {
            step.breaks.push(Break::BootClock {
                before_ms: self.pulse.boot_ms,
                got_ms: pulse.boot_ms,
            });
        }
        if !gap {
            step.silence = self.pulse.silence_until(&pulse);
        }
        self.absorb(manifest, sha256, gap, &mut step);
        step
    }

    fn check_entries(&self, manifest: &Manifest, gap: bool, breaks: &mut Vec<Break>) {
        let (expected, got) = (self.next_entry, manifest.entries.first);
        if got < expected || (got > expected && !gap) {
            breaks.push(Break::Entries { expected, got });
        }
    }

    fn check_date(&self, manifest: &Manifest, gap: bool) -> Option<Break> {
        let (got, last) = (&manifest.body.as_ref()?.date, manifest.time.last?);
        // Days compare as text. Behind a root or a gap an earlier body's date may be the later one.
        let expected = self.date.clone().unwrap_or_default().max(last.day());
        let open = gap || (self.date.is_none() && !self.whole);
        let fits = *got == expected || (open && *got > expected);
        (!fits).then(|| Break::Date {
            expected,
            got: got.clone(),
        })
    }

    /// Takes `manifest` as the new state, after its links have been judged.
    fn absorb(&mut self, manifest: &Manifest, sha256: Digest, gap: bool, step: &mut Step) {
        step.breaks.extend(self.check_date(manifest, gap));
        step.breaks.extend(self.pauses.follow(manifest));
        self.name_heads(manifest, &mut step.breaks);
        for source in &manifest.sources {
            self.move_source(manifest.seq, source, gap, step);
        }
        for event in &manifest.events {
            let (EventKind::Gap, Some(id), Some(from), None) =
                (event.kind, event.source, event.from, event.to)
            else {
                continue;
            };
            let Some(position) = self.sources.get_mut(&id) else {
                continue;
            };
            if core::mem::replace(&mut position.ended, true) {
                step.breaks.push(Break::Source {
                    source: id,
                    rule: "a gap of unknown end is stated once",
                });
            }
            if position.to != from {
                step.breaks.push(Break::Source {
                    source: id,
                    rule: "a gap of unknown end stands at the source's last byte",
                });
            }
        }
        if manifest.entries.count == 0 {
            let empty = Tiling::of(manifest).finish();
            step.breaks.extend(empty.err().map(Break::Tiling));
        }
        self.head = manifest.reference(sha256);
        self.pulse = Pulse::of(manifest);
        self.next_entry = manifest
            .entries
            .first
            .saturating_add(manifest.entries.count);
        if let Some(body) = &manifest.body {
            self.date = Some(body.date.clone());
        }
    }

    /// Where another stream stood only ever moves forward.
    fn name_heads(&mut self, manifest: &Manifest, breaks: &mut Vec<Break>) {
        for head in manifest.heads.iter().flatten() {
            let place = (head.stream.clone(), head.epoch);
            let before = match self.named.get(&place) {
                Some(before) => *before,
                // Nobody has so many epochs: what is not there is missed wherever it is named.
                None if self.named.len() >= NAMED_MAX => continue,
                None => head.seq,
            };
            if head.seq < before {
                breaks.push(Break::HeadBack {
                    stream: head.stream.clone(),
                    epoch: head.epoch,
                    before,
                    got: head.seq,
                });
            }
            self.named.insert(place, head.seq);
        }
    }

    fn move_source(&mut self, seq: u64, source: &Source, gap: bool, step: &mut Step) {
        let id = source.id;
        let path = Digest::of(&source.path_bytes().map(|path| path.0).unwrap_or_default());
        let known = self.sources.get(&id).copied();
        if let Some(was) = &source.was {
            step.claims.push(Claim {
                seq,
                source: id,
                was: was.clone(),
                from: source.from,
            });
        }
        let mut broken = |rule| step.breaks.push(Break::Source { source: id, rule });
        let expected = match known {
            Some(position) => {
                if source.was.is_some() {
                    broken("was stands in a source's first entry of the epoch alone");
                }
                if position.path != path {
                    broken("a source keeps its path for life");
                }
                if position.ended {
                    broken("nothing follows a gap of unknown end");
                }
                Some(position.to)
            }
            // Where it continues another epoch's source is for the claim to judge.
            None if source.was.is_some() || !self.whole => None,
            None => Some(0),
        };
        let lost = gap && known.is_some_and(|position| source.from > position.to);
        if let Some(expected) = expected.filter(|expected| *expected != source.from && !lost) {
            step.breaks.push(Break::Range {
                source: id,
                expected,
                got: source.from,
            });
        }
        self.sources.insert(
            id,
            Position {
                to: source.to,
                ended: false,
                path,
            },
        );
    }
}

/// `retention_max_s` is the longest of the manifest's own, of what it names before itself, and of `so_far`.
fn check_retention(manifest: &Manifest, so_far: u64) -> Option<Break> {
    let named = manifest.before().map(|before| before.retention_max_s);
    let expected = named.fold(so_far.max(manifest.retention_s), u64::max);
    let got = manifest.retention_max_s;
    (got != expected).then_some(Break::Retention { expected, got })
}

#[cfg(test)]
mod tests;
