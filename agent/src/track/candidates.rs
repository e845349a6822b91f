//! Candidates: files that match a pattern and are not tracked yet. One is a new log, the copy of a
//! known one, or a copy not finished, which is kept open until it can be told.

use super::decide::{self, CandidateIs, ContentClaim, Original};
use super::first_bytes::FirstBytes;
use super::identity::Inode;
use super::originals;
use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_file::{OpenFault, TrackedFile};
use super::tracked_source::{SourceKey, TrackedSource};
use crate::find::MatchedPath;
use crate::read::plain::{self, WINDOW};
use crate::sys::{self, Stat};
use ledger::Digest;
use ledger::entry::PathBytes;
use std::collections::HashMap;

/// Candidates kept open from one scan to the next; more are met again.
const WAITING_MAX: usize = 64;

/// Scans in a row that a candidate waits because what it may be a copy of changed since.
const OVERTAKEN_MAX: u32 = 3;

/// A file that no source is known to be in.
#[derive(Debug)]
struct Candidate {
    watch: usize,
    /// Where it was last seen.
    path: PathBytes,
    file: TrackedFile,
    /// The source whose file it equalled the beginning of, and its own size then.
    witness: Option<(SourceKey, u64)>,
    /// Sources whose content it holds up to their read position.
    matches: Vec<SourceKey>,
    /// Scans in a row in which a source that it may be a copy of changed after it was looked at.
    overtaken: u32,
}

/// What becomes of a candidate in this scan.
enum Fate {
    /// It cannot be told yet.
    Waits,
    /// It was empty, and is gone.
    Gone,
    /// The source continues in it.
    Continues(SourceKey),
    /// It is a source of its own.
    OwnSource { ambiguous: bool },
}

/// How many candidates each source might continue in.
#[derive(Default)]
struct Rivals {
    matches: HashMap<SourceKey, usize>,
    witnesses: HashMap<SourceKey, usize>,
}

/// The candidates that wait.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    waiting: Vec<Candidate>,
    /// Nothing waits for time to pass.
    hurried: bool,
}

/// A candidate that waits, as `status` shows it.
pub(super) struct WaitingFile<'a> {
    pub(super) watch: usize,
    pub(super) path: &'a PathBytes,
    pub(super) size: u64,
}

impl Candidates {
    pub(super) fn wait_no_longer(&mut self) {
        self.hurried = true;
    }

    /// Each file that waits to be told apart.
    pub(super) fn waiting(&self) -> impl Iterator<Item = WaitingFile<'_>> {
        self.waiting.iter().map(|new| WaitingFile {
            watch: new.watch,
            path: &new.path,
            size: new.file.size(),
        })
    }

    /// How many of them a further scan will judge: empty ones only wait to be written.
    pub(super) fn undecided(&self) -> usize {
        self.waiting().filter(|new| new.size > 0).count()
    }

    /// Where each stands, until one is registered or judged.
    pub(super) fn by_inode(&self) -> HashMap<Inode, usize> {
        let all = self.waiting.iter().enumerate();
        all.map(|(at, new)| (new.file.inode(), at)).collect()
    }

    pub(super) fn seen_under(&mut self, at: usize, matched: MatchedPath, scan: &Scan) {
        self.waiting[at].file.named(matched, scan);
    }

    /// Takes note of a file just opened, and keeps the number of descriptors bounded while many come.
    pub(super) fn register(
        &mut self,
        watch: usize,
        path: PathBytes,
        mut file: TrackedFile,
        stat: Stat,
        scan: &Scan,
    ) {
        file.looked(stat, scan.now_ms());
        if self.waiting.len() >= WAITING_MAX {
            file.close();
        }
        self.waiting.push(Candidate {
            watch,
            path,
            file,
            witness: None,
            matches: Vec::new(),
            overtaken: 0,
        });
    }

    /// Whether a candidate that waits may yet turn out to hold the rest of the source.
    pub(super) fn may_hold(&self, key: SourceKey) -> bool {
        self.waiting.iter().any(|new| {
            let witness = new.witness.is_some_and(|(like, _)| like == key);
            witness || new.matches.contains(&key)
        })
    }

    /// Tells what can be told of the candidates.
    pub(super) fn judge(&mut self, table: &mut SourceTable, scan: &mut Scan) {
        let mut all = std::mem::take(&mut self.waiting);
        if all.is_empty() {
            return;
        }
        all.sort_by(|a, b| a.path.cmp(&b.path));
        let known = look_at_all(all, table, scan);
        let rivals = Rivals::among(&known);
        let mut first_bytes = FirstBytes::default();
        for (key, source) in table.iter() {
            first_bytes.insert(key, source);
        }
        for mut new in known {
            match self.fate(&mut new, &rivals, &first_bytes, table, scan) {
                Fate::Waits => self.waiting.push(new),
                Fate::Gone => {}
                Fate::Continues(key) => table.continue_in(key, new.file, new.watch),
                Fate::OwnSource { ambiguous } => {
                    let key = new.begin_source(ambiguous, table, scan);
                    if let Some((key, source)) = key.and_then(|key| Some((key, table.get(key)?))) {
                        first_bytes.insert(key, source);
                    }
                }
            }
        }
        // Empty files are many and hold nothing: they give way first.
        let order = |new: &Candidate| (new.file.size() == 0, new.file.grown_ms());
        self.waiting.sort_by_key(order);
        self.waiting.truncate(WAITING_MAX);
    }

    fn fate(
        &self,
        new: &mut Candidate,
        rivals: &Rivals,
        first_bytes: &FirstBytes,
        table: &mut SourceTable,
        scan: &mut Scan,
    ) -> Fate {
        let (size, linked) = (new.file.size(), new.file.links() > 0);
        if size == 0 {
            return if linked { Fate::Waits } else { Fate::Gone };
        }
        let before = new.witness.map(|(key, _)| key);
        let alike = originals::alike(&mut new.file, &new.path, before, first_bytes, table, scan);
        let like = match alike {
            Ok(like) => like,
            Err(error) => {
                scan.fault(&new.path, &error);
                return Fate::Waits;
            }
        };
        match like {
            Some(key) => new.witness = Some((key, size)),
            None => new.witness = new.witness.filter(|(_, then)| *then == size),
        }
        // After everything that was seen of both.
        let overtaken = new.overtaken < OVERTAKEN_MAX
            && originals::has_changed(&new.matches, &new.file, first_bytes, table, scan);
        if overtaken {
            new.overtaken += 1;
            return Fate::Waits;
        }
        new.overtaken = 0;
        let quiet_ms = new.file.quiet_ms(scan.now_ms());
        let mut waits = |key: SourceKey, draining_only: bool| {
            let original = originals::state(key, table, scan);
            let asked = !draining_only || original == Original::Draining;
            asked && !self.hurried && decide::copy_waits(original, quiet_ms, linked)
        };
        let unfinished = like.is_some_and(|key| waits(key, false));
        if unfinished || new.matches.iter().any(|key| waits(*key, true)) {
            return Fate::Waits;
        }
        if let Some(key) = new.witnessed(rivals, table, scan) {
            return Fate::Continues(key);
        }
        new.judge_claims(rivals, table, scan)
    }
}

/// Looks at each candidate, and at which sources' content it holds; leaves out those that moved.
fn look_at_all(all: Vec<Candidate>, table: &SourceTable, scan: &mut Scan) -> Vec<Candidate> {
    let is_read = |source: &TrackedSource| source.offset() > 0 && !source.is_covered();
    let read = table.keys_where(is_read);
    let mut known = Vec::new();
    for (at, mut new) in all.into_iter().enumerate() {
        match new.look(&read, table, scan) {
            Ok(()) => {
                if at >= WAITING_MAX {
                    new.file.close();
                }
                known.push(new);
            }
            // Under another name, or none: if it is still there, it is met again.
            Err(OpenFault::Moved) => {}
            Err(OpenFault::Io(error)) => {
                scan.fault(&new.path, &error);
                if new.file.is_unnamed() {
                    known.push(new);
                }
            }
        }
    }
    known
}

impl Candidate {
    /// Looks at it again, and at which of the sources read so far it begins with.
    fn look(
        &mut self,
        read: &[SourceKey],
        table: &SourceTable,
        scan: &Scan,
    ) -> Result<(), OpenFault> {
        self.file.unnamed_unless_seen(scan);
        if let Some(path) = self.file.path() {
            self.path = path;
        }
        let file = self.file.open(scan.boot_id())?;
        let stat = sys::stat_file(&file).map_err(OpenFault::Io)?;
        self.file.looked(stat, scan.now_ms());
        let head = plain::first_bytes(&file, WINDOW).map_err(OpenFault::Io)?;
        self.file.begins_with(&head);
        self.matches.clear();
        let first = Digest::of(&head);
        for key in read {
            let Some(source) = table.get(*key) else {
                continue;
            };
            if !plain::reaches(self.file.size(), source.offset()) || source.is_ended() {
                continue;
            }
            let content = source.positions().content();
            let near = source.file().agrees(self.file.head()) && content.may_begin(&head, first);
            if near && content.begins(&file).map_err(OpenFault::Io)? {
                self.matches.push(*key);
            }
        }
        Ok(())
    }

    /// A source that has since lost its file, of which this was seen to be a copy while both stood
    /// side by side: known even where no fingerprint reaches, because nothing was read yet or
    /// because the copy ends before the read position.
    fn witnessed(
        &self,
        rivals: &Rivals,
        table: &SourceTable,
        scan: &mut Scan,
    ) -> Option<SourceKey> {
        let (key, then) = self.witness?;
        let source = table.get(key)?;
        let sole = rivals.witnesses.get(&key) == Some(&1);
        let offset = source.offset();
        let unproven = offset == 0 || !plain::reaches(then, offset);
        let gone = originals::state(key, table, scan) == Original::Gone;
        (then == self.file.size() && sole && unproven && gone).then_some(key)
    }

    fn judge_claims(&self, rivals: &Rivals, table: &SourceTable, scan: &mut Scan) -> Fate {
        let mut claims = Vec::new();
        for key in &self.matches {
            let Some(source) = table.get(*key) else {
                continue;
            };
            claims.push(ContentClaim {
                original_gone: originals::state(*key, table, scan) == Original::Gone,
                sole: rivals.matches.get(key) == Some(&1),
                offset: source.offset(),
                rotated_name: decide::is_rotated_name(&source.path().0, &self.path.0),
            });
        }
        match (decide::candidate(&claims), self.matches.first()) {
            (CandidateIs::Continuation, Some(key)) => Fate::Continues(*key),
            (CandidateIs::Continuation, None) => Fate::OwnSource { ambiguous: true },
            (CandidateIs::OwnSource { ambiguous }, _) => {
                let like = self.witness.map(|(key, _)| key);
                let repeats = || {
                    originals::is_repeated_by(&self.file, &self.path, table)
                        || originals::is_twin(&self.file, like, table)
                };
                Fate::OwnSource {
                    ambiguous: ambiguous || repeats(),
                }
            }
        }
    }

    fn begin_source(
        self,
        ambiguous: bool,
        table: &mut SourceTable,
        scan: &Scan,
    ) -> Option<SourceKey> {
        let stat = self.file.stat()?;
        Some(table.begin(self.watch, self.path, self.file, stat, ambiguous, scan))
    }
}

impl Rivals {
    fn among(candidates: &[Candidate]) -> Self {
        let mut rivals = Self::default();
        for new in candidates {
            for key in &new.matches {
                *rivals.matches.entry(*key).or_default() += 1;
            }
            if let Some((key, _)) = new.witness {
                *rivals.witnesses.entry(key).or_default() += 1;
            }
        }
        rivals
    }
}
