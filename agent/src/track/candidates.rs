//! Candidates: files that match a pattern and are not tracked yet. One is a new log, the copy of a
//! known one, packed or not, or a copy in progress, which waits until it can be told.

use super::candidate::{Candidate, Content};
use super::decide::{self, CandidateIs, ContentClaim, CopyWait, Original, Resemblance};
use super::first_bytes::FirstBytes;
use super::form::Form;
use super::identity::Inode;
use super::known_files::{KnownFiles, KnownWhy};
use super::originals;
use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_file::{OpenFault, TrackedFile};
use super::tracked_source::{SourceKey, TrackedSource};
use crate::find::MatchedPath;
use crate::read::gzip::PackedEnd;
use crate::sys::{Instant, Stat};
use crate::track::SkipRule;
use ledger::Digest;
use ledger::entry::PathBytes;
use ledger::manifest::{Reason, Via};
use std::collections::HashMap;

/// Candidates that wait; more are met again by the next scan.
const WAITING_MAX: usize = 10_000;

/// Scans in a row that a candidate waits because what it may be a copy of changed since.
const OVERTAKEN_MAX: u32 = 3;

/// Scans in a row that a candidate waits because it could not be seen whether what it may be a copy of is gone. What
/// hides it may stay: then the candidate is archived again rather than never.
const HIDDEN_MAX: u32 = 3;

/// What becomes of a candidate in this scan.
enum Fate {
    /// It cannot be told yet.
    Waits,
    /// It is gone, with nothing in it.
    Gone,
    /// It is not read, and need not be looked at again as long as it stays as it is.
    Known(KnownWhy),
    /// The source continues in it.
    Continues { key: SourceKey, ambiguous: bool },
    /// It is a source of its own.
    OwnSource { ambiguous: bool },
}

/// When a candidate was last changed. Of several that were at once, one with a name comes first, then by device and
/// inode number, so that no two are equal.
type Age = (Option<Instant>, bool, (u64, u64));

fn age(new: &Candidate) -> Age {
    let file = &new.file;
    (new.file.modified(), file.is_unnamed(), file.id().numbers())
}

/// How many candidates each source might continue in, and how many files have each content.
#[derive(Default)]
struct Rivals {
    matches: HashMap<SourceKey, Vec<Age>>,
    witnesses: HashMap<SourceKey, usize>,
    wholes: HashMap<(u64, Digest), usize>,
    /// Logs that have lost their name and are still open.
    unnamed: Vec<SourceKey>,
}

/// The candidates that wait, and the files that are known not to be read.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    waiting: Vec<Candidate>,
    known: KnownFiles,
    /// Nothing waits for time to pass.
    hurried: bool,
    /// By stream.
    skips: Vec<SkipRule>,
}

/// A candidate that waits, as `status` shows it.
pub(super) struct WaitingFile<'a> {
    pub(super) watch: usize,
    pub(super) path: &'a PathBytes,
    pub(super) size: u64,
}

impl Candidates {
    pub(super) fn new(skips: Vec<SkipRule>) -> Self {
        Self {
            skips,
            ..Self::default()
        }
    }

    /// Whether what a log of its own holds now is skipped.
    fn skips(&self, new: &Candidate, scan: &Scan) -> bool {
        let rule = self.skips.get(new.watch).copied().unwrap_or_default();
        let modified = new.file.modified().map_or(i64::MAX, |at| at.0);
        rule.skips(new.met_scan, modified, scan.now())
    }

    pub(super) fn wait_no_longer(&mut self) {
        self.hurried = true;
    }

    pub(super) fn is_hurried(&self) -> bool {
        self.hurried
    }

    pub(super) fn known_mut(&mut self) -> &mut KnownFiles {
        &mut self.known
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

    /// How many of them are being looked at, a part in each scan.
    pub(super) fn passing(&self) -> usize {
        let passing =
            |new: &&Candidate| new.has_passed && matches!(new.content, Content::Passing(_));
        self.waiting.iter().filter(passing).count()
    }

    /// Where each stands, by device and inode number, until one is met or judged.
    pub(super) fn by_numbers(&self) -> HashMap<(u64, u64), usize> {
        let all = self.waiting.iter().enumerate();
        all.map(|(at, new)| (new.file.id().numbers(), at)).collect()
    }

    /// Whether a name that leads to a file of the same numbers leads to the candidate's.
    pub(super) fn may_be_at(&self, at: usize, matched: &MatchedPath, inode: Inode) -> bool {
        self.waiting[at]
            .file
            .may_be_at(&self.waiting[at].path, matched, inode)
    }

    pub(super) fn seen_under(&mut self, at: usize, matched: MatchedPath, stat: &Stat, scan: &Scan) {
        let new = &mut self.waiting[at];
        new.file.named(matched, scan);
        new.is_still_empty = stat.size == 0 && new.file.size() == 0;
    }

    /// Takes note of a file just opened, and keeps the number of descriptors bounded while many come. `registered`:
    /// an earlier run did.
    pub(super) fn meet(
        &mut self,
        watch: usize,
        (path, mut file, stat): (PathBytes, TrackedFile, Stat),
        registered: Option<SourceKey>,
        open_max: usize,
        scan: &Scan,
    ) {
        file.looked(stat, scan.now_ms());
        if self.waiting.len() >= open_max {
            file.close();
        }
        let mut new = Candidate::new(watch, path, file, scan.number());
        new.registered = registered;
        self.waiting.push(new);
    }

    /// Whether a candidate that waits may yet turn out to hold the rest of the source.
    pub(super) fn may_hold(&self, key: SourceKey) -> bool {
        self.waiting.iter().any(|new| {
            let witness = new.witness.is_some_and(|(like, _)| like == key);
            let asked = match &new.content {
                Content::Passing(pass) | Content::Known(pass, _) => pass.asked().any(|k| k == key),
                Content::Unasked | Content::Unheard => false,
            };
            witness || asked || new.matches.contains(&key)
        })
    }

    /// Tells what can be told of the candidates.
    pub(super) fn judge(&mut self, table: &mut SourceTable, scan: &mut Scan) {
        let mut all = std::mem::take(&mut self.waiting);
        if all.is_empty() {
            return;
        }
        // Of what is empty by name and was so before, there is nothing to tell.
        self.waiting = all
            .extract_if(.., |new| std::mem::take(&mut new.is_still_empty))
            .collect();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        let (mut candidates, unlooked) = look_at_all(all, table, scan);
        // Nothing is concluded of what could not be looked at.
        self.waiting.extend(unlooked);
        // A log is known before what is packed of it.
        candidates.sort_by_key(|new| new.form == Form::Gzip);
        let rivals = Rivals::among(&candidates, &self.known, table);
        let mut first_bytes = FirstBytes::default();
        for (key, source) in table.iter() {
            first_bytes.insert(key, source);
        }
        for mut new in candidates {
            let fate = self.fate(&mut new, &rivals, &first_bytes, table, scan);
            if new.form == Form::Gzip {
                new.file.is_via(Via::Gzip);
            }
            match fate {
                Fate::Waits => self.waiting.push(new),
                Fate::Gone => withdraw(&new, table),
                Fate::Known(why) => {
                    withdraw(&new, table);
                    self.known.insert(new.path, &new.file, why);
                }
                Fate::Continues { key, ambiguous } => {
                    withdraw(&new, table);
                    table.continue_in(key, new.file, new.watch, ambiguous);
                    if let Some(source) = table.get(key) {
                        first_bytes.insert(key, source);
                    }
                }
                Fate::OwnSource { ambiguous } => {
                    let skips = self.skips(&new, scan);
                    let key = begin_source(new, ambiguous, table, scan);
                    if let Some(key) = key.filter(|_| skips) {
                        table.skip_present(key, scan);
                    }
                    if let Some((key, source)) = key.and_then(|key| Some((key, table.get(key)?))) {
                        first_bytes.insert(key, source);
                    }
                }
            }
        }
        // Empty files are many and hold nothing: they give way first.
        let order = |new: &Candidate| (new.file.size() == 0, new.file.grown_ms());
        self.waiting.sort_by_key(order);
        for new in self.waiting.drain(self.waiting.len().min(WAITING_MAX)..) {
            lose(&new, table);
        }
        for new in self.waiting.iter_mut().skip(table.budget().candidates) {
            new.file.close();
        }
        self.register(table);
    }

    /// A candidate that waits is known to recovery from its stream's next manifest on.
    fn register(&mut self, table: &mut SourceTable) {
        // Of a file that is written in place, the version before has ended with a gap, which says enough.
        let unregistered = |new: &&mut Candidate| {
            new.registered.is_none() && new.file.size() > 0 && !new.is_held_back
        };
        for new in self.waiting.iter_mut().filter(unregistered) {
            new.registered = Some(table.register(new.watch, new.path.clone(), &new.file));
        }
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
        let quiet = new.file.quiet_ms(scan.now_ms()) >= decide::QUIET_MS;
        match new.form {
            Form::Other(name) => return Fate::Known(KnownWhy::PassedOver(name)),
            Form::Plain if new.is_undecided() && linked && !quiet && !self.hurried => {
                return Fate::Waits;
            }
            Form::Plain | Form::Gzip => {}
        }
        match &new.content {
            Content::Passing(_) => return Fate::Waits,
            // A log of this scan begins so: what both are, the next one tells.
            Content::Unheard if new.form == Form::Gzip && first_bytes.has(new.file.head()) => {
                return Fate::Waits;
            }
            Content::Known(_, PackedEnd::Cut) if linked && !quiet && !self.hurried => {
                return Fate::Waits;
            }
            Content::Known(..) | Content::Unasked | Content::Unheard => {}
        }
        if new.hidden < HIDDEN_MAX && is_hidden(new, table, scan) {
            new.hidden += 1;
            return Fate::Waits;
        }
        new.hidden = 0;
        let fate = match new.form {
            Form::Gzip => self.fate_of_packed(new, rivals, table, scan),
            Form::Plain | Form::Other(_) => {
                self.fate_of_lines(new, rivals, first_bytes, table, scan)
            }
        };
        match fate {
            Fate::OwnSource { .. } => match known_copy(new, rivals, table) {
                Some(known) => Fate::Known(known),
                None => {
                    new.is_held_back = self.is_held_back(new, table, scan);
                    if new.is_held_back { Fate::Waits } else { fate }
                }
            },
            fate => fate,
        }
    }

    /// Whether a file that is written in place has given a version not long ago.
    fn is_held_back(&self, new: &Candidate, table: &mut SourceTable, scan: &mut Scan) -> bool {
        let numbers = new.file.id().numbers();
        let waits = !self.hurried && table.rewritten_mut().waits(numbers, scan.now_ms());
        if waits {
            let what =
                "written in place: a version in ten minutes is archived; a log is only appended to";
            scan.note(&new.path, what.into());
        }
        waits
    }

    /// A packed file is a copy of what its content begins with, or a source of its own.
    fn fate_of_packed(
        &self,
        new: &Candidate,
        rivals: &Rivals,
        table: &SourceTable,
        scan: &mut Scan,
    ) -> Fate {
        let Content::Known(pass, _) = &new.content else {
            return Fate::OwnSource { ambiguous: false };
        };
        let waits = |key: SourceKey, scan: &mut Scan| {
            // What is still to be read of the original is read there: until then it is no shorter than this.
            let unread = table.get(key).is_some_and(TrackedSource::has_unread);
            unread || originals::state(key, table, scan) == Original::Draining
        };
        if !self.hurried && pass.asked().any(|key| waits(key, scan)) {
            return Fate::Waits;
        }
        match judge_claims(new, rivals, table, scan) {
            Fate::OwnSource { .. } => Fate::OwnSource { ambiguous: true },
            fate => fate,
        }
    }

    /// Whether a log begins so that has lost its name and is not read and sealed yet: what this repeats of it, or
    /// continues, is told then.
    fn may_repeat_unnamed(
        &self,
        new: &Candidate,
        rivals: &Rivals,
        table: &SourceTable,
        scan: &mut Scan,
    ) -> bool {
        rivals.unnamed.iter().any(|key| {
            let source = table.get(*key);
            source.is_some_and(|source| {
                source.file().is_begun_by(new.file.head())
                    && (!self.hurried || source.has_unread())
                    && originals::state(*key, table, scan) == Original::Draining
            })
        })
    }

    fn fate_of_lines(
        &self,
        new: &mut Candidate,
        rivals: &Rivals,
        first_bytes: &FirstBytes,
        table: &mut SourceTable,
        scan: &mut Scan,
    ) -> Fate {
        let (size, linked) = (new.file.size(), new.file.links() > 0);
        let before = new.witness.map(|(key, _)| key);
        let alike = originals::alike(&mut new.file, &new.path, before, first_bytes, table, scan);
        let like = match alike {
            Ok(like) => like,
            Err(error) => {
                scan.unlooked(&new.path, &error, table);
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
        if self.may_repeat_unnamed(new, rivals, table, scan) {
            return Fate::Waits;
        }
        if !self.hurried && (is_copying(new, like, linked, table, scan) || drains(new, table, scan))
        {
            return Fate::Waits;
        }
        if let Some(key) = witnessed(new, rivals, table, scan) {
            return Fate::Continues {
                key,
                ambiguous: false,
            };
        }
        match judge_claims(new, rivals, table, scan) {
            Fate::OwnSource { ambiguous } => Fate::OwnSource {
                ambiguous: ambiguous
                    || originals::has_unread_of_another(&new.file, first_bytes, table, scan),
            },
            fate => fate,
        }
    }
}

/// Whether the candidate may be a copy in progress of a file in sight.
fn is_copying(
    new: &mut Candidate,
    like: Option<SourceKey>,
    linked: bool,
    table: &SourceTable,
    scan: &mut Scan,
) -> bool {
    let Some((key, source)) = like.and_then(|key| Some((key, table.get(key)?))) else {
        new.copying = None;
        return false;
    };
    let original = originals::state(key, table, scan);
    let begun = CopyWait::begin(source.file().size(), scan.now_ms());
    let wait = new.copying.get_or_insert(begun);
    let resemblance = Resemblance {
        original,
        original_size: source.file().size(),
        size: new.file.size(),
        quiet_ms: new.file.quiet_ms(scan.now_ms()),
        linked,
    };
    wait.continues(resemblance, scan.now_ms())
}

/// Whether a look failed that would have told whether a source is gone whose content this holds. To conclude now would
/// pass the file over as a copy, and miss the rest of the source later.
fn is_hidden(new: &Candidate, table: &SourceTable, scan: &mut Scan) -> bool {
    let mut keys = new.matches.iter();
    keys.any(|key| originals::state(*key, table, scan) == Original::Hidden)
}

/// Whether bytes may still come to a source through a descriptor alone whose content this holds.
fn drains(new: &Candidate, table: &SourceTable, scan: &mut Scan) -> bool {
    let mut keys = new.matches.iter();
    keys.any(|key| originals::state(*key, table, scan) == Original::Draining)
}

/// It has the very content of logs that are archived whole, and no other file has.
fn known_copy(new: &Candidate, rivals: &Rivals, table: &SourceTable) -> Option<KnownWhy> {
    let (len, sha256) = new.whole()?;
    let paths = table.archived_whole(len, sha256, new.content.first()?);
    let claims = rivals.wholes.get(&(len, sha256)).copied().unwrap_or(1);
    let rotated = |path: &PathBytes| decide::is_rotated_name(&path.0, &new.path.0);
    let named = paths.iter().any(rotated);
    decide::is_known_copy(paths.len(), claims, len, named).then_some(KnownWhy::Copy(len, sha256))
}

/// Looks at each candidate, and at which sources' content it holds; leaves out those that moved. The second list could
/// not be looked at.
fn look_at_all(
    all: Vec<Candidate>,
    table: &mut SourceTable,
    scan: &mut Scan,
) -> (Vec<Candidate>, Vec<Candidate>) {
    let is_read = |source: &TrackedSource| source.offset() > 0 && !source.is_covered();
    let read = table.keys_where(is_read);
    let (mut candidates, mut unlooked) = (Vec::new(), Vec::new());
    for (at, mut new) in all.into_iter().enumerate() {
        match new.look(&read, table, scan) {
            Ok(()) => {
                if let Some(key) = new.lost_content() {
                    table.end(key, Some(Reason::Truncated));
                }
                if at >= table.budget().candidates {
                    new.file.close();
                }
                candidates.push(new);
            }
            Err(OpenFault::Moved) => {
                // What it was seen to hold is a gap, unless it is met under another name.
                if new.registered.is_none() && new.file.size() > 0 && !new.is_held_back {
                    new.registered = Some(table.register(new.watch, new.path.clone(), &new.file));
                }
                lose(&new, table);
            }
            Err(OpenFault::Io(error)) => {
                // It may be what a source continues in.
                scan.blocked(new.file.inode(), new.file.folder());
                scan.unlooked(&new.path, &error, table);
                unlooked.push(new);
            }
        }
    }
    (candidates, unlooked)
}

/// It is under another name, or none: if it is still there, it is met again.
fn lose(new: &Candidate, table: &mut SourceTable) {
    if let Some(key) = new.registered {
        table.lose_candidate(key);
    }
}

/// A source that has since lost its file, of which this was seen to be a copy while both stood
/// side by side: known even where no fingerprint reaches, because nothing was read yet or
/// because the copy ends before the read position.
fn witnessed(
    new: &Candidate,
    rivals: &Rivals,
    table: &SourceTable,
    scan: &mut Scan,
) -> Option<SourceKey> {
    let (key, then) = new.witness?;
    let source = table.get(key)?;
    let sole = rivals.witnesses.get(&key) == Some(&1);
    let offset = source.offset();
    let unproven = offset == 0 || then < offset;
    let gone = originals::state(key, table, scan) == Original::Gone && !lacks_rest(new, source);
    (then == new.file.size() && sole && unproven && gone).then_some(key)
}

/// Whether it is deleted and shorter than the source is known to be: the rest is elsewhere, if anywhere.
fn lacks_rest(new: &Candidate, source: &TrackedSource) -> bool {
    new.file.links() == 0 && new.file.source_len() < source.known_len()
}

fn judge_claims(new: &Candidate, rivals: &Rivals, table: &SourceTable, scan: &mut Scan) -> Fate {
    let (mut keys, mut claims) = (Vec::new(), Vec::new());
    for key in &new.matches {
        let Some(source) = table.get(*key) else {
            continue;
        };
        let (first, path) = (&source.path().0, &new.path.0);
        let gone = originals::state(*key, table, scan) == Original::Gone;
        keys.push(*key);
        claims.push(ContentClaim {
            original_gone: gone && !decide::is_successor(first, path),
            sole: rivals.matches.get(key).is_some_and(|all| all.len() == 1),
            earliest: rivals.is_earliest(*key, new, source),
            offset: source.offset(),
            rotated_name: decide::is_rotated_name(first, path),
            own_path: first == path,
            needed: source.needs_copy(),
            lacks_rest: lacks_rest(new, source),
        });
    }
    match decide::candidate(&claims) {
        CandidateIs::Continuation { claim, ambiguous } => Fate::Continues {
            key: keys[claim],
            ambiguous,
        },
        CandidateIs::OwnSource { ambiguous } => {
            let like = new.witness.map(|(key, _)| key);
            let repeats = || {
                originals::is_repeated_by(&new.file, table)
                    || originals::is_twin(&new.file, like, table)
                    || new.whole().is_some()
            };
            Fate::OwnSource {
                ambiguous: ambiguous || repeats(),
            }
        }
    }
}

/// What was registered is nothing of its own after all.
fn withdraw(new: &Candidate, table: &mut SourceTable) {
    if let Some(key) = new.registered {
        table.withdraw(key);
    }
}

fn begin_source(
    new: Candidate,
    ambiguous: bool,
    table: &mut SourceTable,
    scan: &Scan,
) -> Option<SourceKey> {
    let stat = new.file.stat()?;
    Some(match new.registered {
        Some(key) => {
            table.begin_registered(key, new.path, new.file, stat, ambiguous, scan);
            key
        }
        None => table.begin(new.watch, new.path, new.file, stat, ambiguous, scan),
    })
}

impl Rivals {
    fn among(candidates: &[Candidate], known: &KnownFiles, table: &SourceTable) -> Self {
        let unnamed = table.iter().filter(|(_, source)| {
            source.is_in_sight() && source.file().is_unnamed() && source.file().is_open()
        });
        let mut rivals = Self {
            wholes: known.copies(),
            unnamed: unnamed.map(|(key, _)| key).collect(),
            ..Self::default()
        };
        for new in candidates {
            for key in &new.matches {
                rivals.matches.entry(*key).or_default().push(age(new));
            }
            if let Some((key, _)) = new.witness {
                *rivals.witnesses.entry(key).or_default() += 1;
            }
            if let Some(whole) = new.whole() {
                *rivals.wholes.entry(whole).or_default() += 1;
            }
        }
        rivals
    }

    /// Whether no other candidate that may hold the source is older, and this is not older than the source itself.
    fn is_earliest(&self, key: SourceKey, new: &Candidate, source: &TrackedSource) -> bool {
        let last = source.file().modified();
        let all = self.matches.get(&key).into_iter().flatten();
        let not_before = |(at, ..): &&Age| match (at, last) {
            // Some programs that copy a file's times copy whole seconds.
            (Some(Instant(at, 0)), Some(Instant(last, _))) => *at >= last,
            (at, last) => last.is_none() || *at >= last,
        };
        all.filter(not_before).min() == Some(&age(new))
    }
}
