//! Files seen for the first time: a new log, the copy of a known one, or a copy still in the making,
//! which waits, held open, until it can be told.

use super::decide::{self, Claim, Original};
use super::first_bytes::Heads;
use super::scan::Round;
use super::tracked_file::{HEAD_MAX, Held, OpenFault};
use super::tracked_source::{Reach, Source};
use super::{SourceKey, Sources};
use crate::find::MatchedPath;
use crate::sys::{self, Stat};
use crate::track::fingerprint::WINDOW;
use ledger::entry::PathBytes;
use ledger::name::Epoch;
use std::collections::HashMap;
use std::os::unix::fs::FileExt;

/// Newcomers held open from one scan to the next; more are met again.
const WAITING_MAX: usize = 64;

/// Sources that one newcomer is compared with window by window in a scan.
pub(super) const COMPARED_MAX: usize = 16;

/// Scans in a row that a newcomer waits because what it may be a copy of changed meanwhile.
const OVERTAKEN_MAX: u32 = 3;

/// A file that no source is known to be in.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) watch: usize,
    /// Where it was last seen.
    pub(super) path: PathBytes,
    pub(super) held: Held,
    /// The source whose file it equalled the beginning of, and its own size then.
    pub(super) witness: Option<(SourceKey, u64)>,
    /// Sources whose content it holds up to their read position.
    pub(super) matches: Vec<SourceKey>,
    /// Scans in a row in which a source that it may be a copy of changed after it was looked at.
    overtaken: u32,
}

/// What becomes of a newcomer in this scan.
enum Fate {
    /// It cannot be told yet.
    Waits,
    /// It was empty, and is gone.
    Gone,
    /// It is where the source goes on.
    Adopted(SourceKey),
    /// It is a source of its own.
    Fresh { ambiguous: bool },
}

/// How many newcomers each source might go on in.
#[derive(Default)]
pub(super) struct Rivals {
    pub(super) matches: HashMap<SourceKey, usize>,
    pub(super) witnesses: HashMap<SourceKey, usize>,
}

impl Newcomer {
    pub(super) fn new(watch: usize, mut held: Held, stat: Stat, now_ms: u64) -> Self {
        held.looked(stat, now_ms);
        Self {
            watch,
            path: held
                .matched
                .as_ref()
                .map_or(PathBytes(Vec::new()), MatchedPath::bytes),
            held,
            witness: None,
            matches: Vec::new(),
            overtaken: 0,
        }
    }

    fn links(&self) -> u32 {
        self.held.stat.map_or(0, |stat| stat.links)
    }

    /// Looks at it again and reads its first window.
    fn look(&mut self, boot_id: Epoch, now_ms: u64) -> Result<Vec<u8>, OpenFault> {
        let file = self.held.open(boot_id)?;
        let stat = sys::stat_file(&file).map_err(OpenFault::Io)?;
        self.held.looked(stat, now_ms);
        let mut head = vec![0; WINDOW];
        let len = file.read_at(&mut head, 0).map_err(OpenFault::Io)?;
        head.truncate(len);
        self.held.head = head[..len.min(HEAD_MAX)].to_vec();
        Ok(head)
    }
}

impl Sources {
    /// Keeps the number of newcomers' descriptors bounded while many are met.
    pub(super) fn spare_descriptors(&mut self) {
        if self.newcomers.len() > WAITING_MAX
            && let Some(last) = self.newcomers.last_mut()
        {
            last.held.file = None;
        }
    }

    /// Whether a newcomer that waits may yet turn out to hold the rest of the source.
    pub(super) fn is_claimed(&self, key: SourceKey) -> bool {
        self.newcomers.iter().any(|new| {
            let witness = new.witness.is_some_and(|(like, _)| like == key);
            witness || new.matches.contains(&key)
        })
    }

    /// Tells what can be told of the newcomers.
    pub(super) fn judge_newcomers(&mut self, round: &mut Round) {
        let mut all = std::mem::take(&mut self.newcomers);
        all.sort_by(|a, b| a.path.cmp(&b.path));
        if all.is_empty() {
            return;
        }
        let is_read = |source: &Source| source.read.offset() > 0 && !source.spent;
        let read = self.sources.iter().filter(|(_, source)| is_read(source));
        let read: Vec<SourceKey> = read.map(|(key, _)| *key).collect();
        let mut known = Vec::new();
        for (at, mut new) in all.into_iter().enumerate() {
            match self.recall(&mut new, &read, round) {
                Ok(()) => {
                    if at >= WAITING_MAX {
                        new.held.file = None;
                    }
                    known.push(new);
                }
                // Under another name, or none: if it is still there, it is met again.
                Err(OpenFault::Moved) => {}
                Err(OpenFault::Io(error)) => {
                    round.fault(&new.path, &error);
                    if new.held.is_unnamed() {
                        known.push(new);
                    }
                }
            }
        }
        let mut rivals = Rivals::default();
        for new in &known {
            for key in &new.matches {
                *rivals.matches.entry(*key).or_default() += 1;
            }
            if let Some((key, _)) = new.witness {
                *rivals.witnesses.entry(key).or_default() += 1;
            }
        }
        let mut heads = Heads::default();
        for (key, source) in &self.sources {
            heads.insert(*key, source);
        }
        let mut waiting = Vec::new();
        for mut new in known {
            match self.fate(&mut new, &rivals, &heads, round) {
                Fate::Waits => waiting.push(new),
                Fate::Gone => {}
                Fate::Adopted(key) => self.adopt(key, new),
                Fate::Fresh { ambiguous } => {
                    let key = self.settle_in(new, ambiguous, round);
                    if let Some((key, source)) =
                        key.and_then(|key| self.sources.get_key_value(&key))
                    {
                        heads.insert(*key, source);
                    }
                }
            }
        }
        // Empty files are many and hold nothing: they give way first.
        waiting.sort_by_key(|new| (new.held.size == 0, new.held.grown_ms));
        waiting.truncate(WAITING_MAX);
        self.newcomers = waiting;
    }

    /// Looks at a newcomer, and which sources' content it holds.
    fn recall(
        &self,
        new: &mut Newcomer,
        read: &[SourceKey],
        round: &Round,
    ) -> Result<(), OpenFault> {
        if new.held.scan != self.scan {
            new.held.matched = None;
            new.held.scan = self.scan;
        }
        if let Some(matched) = &new.held.matched {
            new.path = matched.bytes();
        }
        let head = new.look(self.boot_id, round.now_ms)?;
        new.matches.clear();
        let file = new.held.open(self.boot_id)?;
        let first = ledger::Digest::of(&head);
        for key in read {
            let Some(source) = self.sources.get(key) else {
                continue;
            };
            let too_short = new.held.size < source.read.offset();
            if too_short || matches!(source.reach, Reach::Over { .. }) {
                continue;
            }
            let known = &source.held.head;
            let near = known.len().min(new.held.head.len());
            if known[..near] != new.held.head[..near] {
                continue;
            }
            let content = &source.read.content;
            if content.may_begin(&head, first) && content.begins(&file).map_err(OpenFault::Io)? {
                new.matches.push(*key);
            }
        }
        Ok(())
    }

    fn fate(
        &mut self,
        new: &mut Newcomer,
        rivals: &Rivals,
        heads: &Heads,
        round: &mut Round,
    ) -> Fate {
        let (size, linked) = (new.held.size, new.links() > 0);
        if size == 0 {
            return if linked { Fate::Waits } else { Fate::Gone };
        }
        let like = match self.likeness(new, heads) {
            Ok(like) => like,
            Err(error) => {
                round.fault(&new.path, &error);
                return Fate::Waits;
            }
        };
        match like {
            Some(key) => new.witness = Some((key, size)),
            None => new.witness = new.witness.filter(|(_, then)| *then == size),
        }
        // After everything that was seen of both.
        if new.overtaken < OVERTAKEN_MAX && self.is_overtaken(new, heads) {
            new.overtaken += 1;
            return Fate::Waits;
        }
        new.overtaken = 0;
        let quiet_ms = new.held.quiet_ms(round.now_ms);
        let mut waits = |key: SourceKey, draining_only: bool| {
            let original = self.original(key, round);
            let asked = !draining_only || original == Original::Draining;
            let asked = asked && !self.hurried;
            asked && decide::copy_waits(original, quiet_ms, linked)
        };
        let in_the_making = like.is_some_and(|key| waits(key, false));
        if in_the_making || new.matches.iter().any(|key| waits(*key, true)) {
            return Fate::Waits;
        }
        if let Some(key) = self.witnessed(new, rivals, round) {
            return Fate::Adopted(key);
        }
        self.judge_claims(new, rivals, round)
    }

    fn judge_claims(&mut self, new: &Newcomer, rivals: &Rivals, round: &mut Round) -> Fate {
        let mut claims = Vec::new();
        for key in &new.matches {
            let Some(source) = self.sources.get(key) else {
                continue;
            };
            claims.push(Claim {
                orphaned: self.original(*key, round) == Original::Gone,
                sole: rivals.matches.get(key) == Some(&1),
                offset: source.read.offset(),
                rotated_name: decide::is_rotated_name(&source.path.0, &new.path.0),
            });
        }
        match (decide::newcomer(&claims), new.matches.first()) {
            (decide::Newcomer::Continues, Some(key)) => Fate::Adopted(*key),
            (decide::Newcomer::Continues, None) => Fate::Fresh { ambiguous: true },
            (decide::Newcomer::Fresh { ambiguous }, _) => Fate::Fresh {
                ambiguous: ambiguous || self.is_echo(new) || self.is_twin(new),
            },
        }
    }

    /// The source goes on in the newcomer's file.
    fn adopt(&mut self, key: SourceKey, new: Newcomer) {
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        let offset = source.read.offset();
        source.extent = source.extent.max(source.held.size).max(offset);
        source.spent = new.held.size < offset;
        source.held = new.held;
        source.reach = Reach::Here;
        source.stream = source.stream.or(Some(new.watch));
        source.suspect = false;
        source.unwatched = false;
        source.refiled = true;
        self.touch(key);
        self.opened += 1;
        self.close_surplus();
    }

    fn settle_in(&mut self, new: Newcomer, ambiguous: bool, round: &Round) -> Option<SourceKey> {
        let (stat, now_ms) = (new.held.stat?, round.now_ms);
        Some(self.begin(new.watch, new.path, new.held, stat, ambiguous, now_ms))
    }
}
