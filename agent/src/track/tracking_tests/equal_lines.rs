//! Sequences of actions on two names, with lines that equal one another: every short one, and random longer ones. Where
//! bytes come from is kept beside them, so equal lines hide neither a loss nor a repetition; a gap where nothing is
//! lost fails too.

use super::desk::{Archived, Desk};
use crate::track::Mode;
use crate::track::decide::TELLING_BYTES;
use ledger::manifest::EventKind;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::env;
use std::fmt::Write as _;
use std::fs;

/// Actions in the longest of all sequences that are tried; HOLDFAST_SEQUENCES has another number. Each more takes some
/// seventeen times as long.
const LEN: usize = 2;

/// A line of a banner, and how many of it are longer than all that is compared of a log at first.
const BANNER: (&str, usize) = ("a banner that every log begins with\n", 500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Write(&'static str),
    Banner,
    Rename,
    CopyTruncate,
    Copy,
    Gzip,
    Remove(&'static str),
    Restart,
    /// Another file system is where the logs were, for two scans.
    Unmount,
}

const ACTS: [Act; 11] = [
    Act::Write("x\n"),
    Act::Write("y\n"),
    Act::Banner,
    Act::Rename,
    Act::CopyTruncate,
    Act::Copy,
    Act::Gzip,
    Act::Remove("a"),
    Act::Remove("a.1"),
    Act::Restart,
    Act::Unmount,
];

/// What the agent does after an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Nothing,
    Scan,
    /// Scans, reads and seals.
    Seal,
}

type Step = (Act, Look);

/// What one log held from its making to its end.
#[derive(Debug, Default, Clone)]
struct Life {
    bytes: Vec<u8>,
    /// So much of it was sealed, or seen by this run.
    seen: usize,
    /// Names that have all of it.
    names: Vec<&'static str>,
    /// It had a name that rotation gives: an equal log is taken for a copy of it, however short it is.
    was_rotated: bool,
    /// Its file was cut: where it grows again to the same bytes, nobody can see that.
    was_cut: bool,
    copies: usize,
}

struct World {
    desk: Desk,
    lives: Vec<Life>,
    /// Copies that are gone, packed or not: one of which nothing was read in time is a gap, whatever else has its bytes.
    copies_gone: usize,
    /// Logs that were removed while a copy stood elsewhere: what came after the copy, nobody knows.
    logs_removed: usize,
}

impl World {
    fn new() -> Self {
        Self {
            desk: Desk::new(&["a*"]),
            lives: Vec::new(),
            copies_gone: 0,
            logs_removed: 0,
        }
    }

    fn at(&mut self, name: &str) -> Option<&mut Life> {
        let mut lives = self.lives.iter_mut();
        lives.find(|life| life.names.contains(&name))
    }

    fn begin(&mut self) {
        self.lives.push(Life {
            names: vec!["a"],
            ..Life::default()
        });
    }

    /// Whether the action changes anything.
    fn can(&self, act: Act) -> bool {
        let is_at = |name: &str| self.desk.path(name).exists();
        match act {
            Act::Write(_) | Act::Banner => true,
            Act::Rename | Act::CopyTruncate | Act::Copy => is_at("a"),
            Act::Gzip => is_at("a.1") && !is_at("a.1.gz"),
            Act::Remove(name) => is_at(name),
            Act::Restart | Act::Unmount => !self.lives.is_empty(),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Write(text) => self.write(text),
            Act::Banner => self.write(&BANNER.0.repeat(BANNER.1)),
            Act::Rename => {
                self.leave("a.1");
                self.desk.rename("a", "a.1");
                self.arrive("a", "a.1");
                self.leave("a");
            }
            Act::CopyTruncate | Act::Copy => {
                if self.desk.path("a.1").exists() {
                    self.leave("a.1");
                    self.desk.remove("a.1");
                }
                self.desk.copy("a", "a.1");
                self.arrive("a", "a.1");
                if let Some(life) = self.at("a") {
                    life.copies += 1;
                }
                if act == Act::CopyTruncate {
                    self.desk.truncate("a", 0);
                    self.at("a")
                        .into_iter()
                        .for_each(|life| life.was_cut = true);
                    self.leave("a");
                    self.begin();
                }
            }
            Act::Gzip => {
                self.arrive("a.1", "a.1.gz");
                self.leave("a.1");
                self.desk.gzip("a.1");
            }
            Act::Remove(name) => {
                let is_copied = |life: &mut Life| life.names.len() > 1;
                self.logs_removed += usize::from(self.at(name).is_some_and(is_copied));
                self.leave(name);
                self.desk.remove(name);
            }
            Act::Restart => {
                self.desk.restart();
                // What was seen and not sealed is forgotten.
                self.lives.iter_mut().for_each(|life| life.seen = 0);
            }
            Act::Unmount => self.unmount(),
        }
    }

    fn write(&mut self, text: &str) {
        self.desk.append("a", text);
        if self.at("a").is_none() {
            self.begin();
        }
        if let Some(life) = self.at("a") {
            life.bytes.extend(text.as_bytes());
            // A copy has what there was before.
            life.names.retain(|name| *name == "a");
        }
    }

    fn arrive(&mut self, from: &str, to: &'static str) {
        if let Some(life) = self.at(from) {
            life.names.push(to);
            life.was_rotated = true;
        }
    }

    /// Said before the file goes.
    fn leave(&mut self, name: &str) {
        let is_there = self.desk.path(name).exists();
        let is_copy = match self.at(name) {
            Some(life) => {
                life.names.retain(|other| *other != name);
                !life.names.is_empty()
            }
            None => is_there,
        };
        self.copies_gone += usize::from(is_copy);
    }

    fn unmount(&mut self) {
        let here = self.desk.path("");
        let away = here.with_extension("away");
        fs::rename(&here, &away).unwrap();
        fs::create_dir(&here).unwrap();
        self.desk.rest(1_000);
        fs::remove_dir(&here).unwrap();
        fs::rename(&away, &here).unwrap();
    }

    fn look(&mut self, look: Look) {
        if look == Look::Nothing {
            return;
        }
        self.desk.scan();
        if look == Look::Seal {
            self.desk.read(Mode::Follow);
            self.desk.seal();
        }
        for life in &mut self.lives {
            if !life.names.is_empty() {
                life.seen = life.bytes.len();
            }
        }
    }

    fn end(&mut self) {
        self.desk.settle();
        for _ in 0..4 {
            self.desk.rest(62_000);
            self.desk.read(Mode::Drain);
            self.desk.seal();
        }
    }

    /// What is wrong in the end, if anything is.
    fn fault(&self) -> Option<String> {
        let all = self.desk.archive.values();
        let last = all.filter(|source| !source.continued);
        let (mut sources, empty): (Vec<_>, Vec<_>) =
            last.partition(|source| !source.bytes.is_empty());
        // Those that must have a life of their own first, the longest first.
        sources.sort_by_key(|source| (is_ambiguous(source), Reverse(source.bytes.len())));
        let nothing = empty.iter().filter(|source| has_gap(source)).count();
        let gaps = sources.iter().filter(|source| has_gap(source));
        let (repeated, gaps): (Vec<&Archived>, Vec<_>) =
            gaps.partition(|source| is_ambiguous(source));
        let is_lost = |life: &&Life| life.names.is_empty() && !life.bytes.is_empty();
        let lost = self.lives.iter().filter(is_lost).count() + self.logs_removed;
        // Which of several copies has the rest of a log, the agent cannot always tell.
        let rivals = self.lives.iter().map(|life| life.copies.saturating_sub(1));
        let lost = lost + rivals.sum::<usize>();
        // What repeats another may be a copy of it that is gone.
        let all = gaps.len() + repeated.len() + nothing;
        let true_gaps = gaps.len() <= lost && all <= lost + self.copies_gone;
        let mut taken = vec![Vec::new(); self.lives.len()];
        let fault = match self.pair(&sources, &mut taken, nothing) {
            true if true_gaps => return None,
            true => "a gap where nothing is lost",
            false => "what is archived is not what was written",
        };
        Some(self.told(fault, &sources, nothing))
    }

    fn told(&self, fault: &str, sources: &[&Archived], nothing: usize) -> String {
        let mut told = format!("{fault}; archived:");
        for source in sources {
            let (name, len) = (source.path.rsplit('/').next(), source.bytes.len());
            let events = source.events.iter().map(|event| (event.kind, event.reason));
            write!(
                told,
                " {len} bytes of {name:?} {:?},",
                events.collect::<Vec<_>>()
            )
            .unwrap();
        }
        write!(told, " {nothing} gaps of nothing; written:").unwrap();
        for life in &self.lives {
            let (len, seen) = (life.bytes.len(), life.seen);
            write!(told, " {len} bytes, {seen} seen, at {:?};", life.names).unwrap();
        }
        told
    }

    /// Whether the sources can be set against the lives: each that does not say `ambiguous` has one of its own.
    /// `nothing`: gaps of logs of which nothing is archived.
    fn pair<'a>(
        &self,
        sources: &[&'a Archived],
        taken: &mut Vec<Vec<&'a Archived>>,
        nothing: usize,
    ) -> bool {
        let Some((source, rest)) = sources.split_first() else {
            let unspoken = self.unspoken(taken);
            return unspoken.iter().all(|life| life.names.is_empty()) && unspoken.len() <= nothing;
        };
        for (at, life) in self.lives.iter().enumerate() {
            let first = taken[at].iter().all(|other| is_ambiguous(other));
            if (first || is_ambiguous(source)) && fits(source, life) {
                taken[at].push(source);
                if self.pair(rest, taken, nothing) {
                    return true;
                }
                taken[at].pop();
            }
        }
        false
    }

    /// The lives that are not archived as far as they have to be, and of which nothing says why.
    fn unspoken(&self, taken: &[Vec<&Archived>]) -> Vec<&Life> {
        let pairs = || self.lives.iter().zip(taken);
        let unspoken = pairs().filter(|(life, of)| {
            let is_copy = |(other, of): (&Life, &Vec<&Archived>)| {
                let taken_for = other.is_telling() || life.was_rotated;
                let whole = |source: &&Archived| source.bytes == life.bytes && !has_gap(source);
                other.bytes == life.bytes && taken_for && of.iter().any(whole)
            };
            let mut all = taken.iter().flatten();
            let held = life.is_held_by(of) || all.any(|source| life.is_part_of(source));
            !held && !pairs().any(is_copy)
        });
        unspoken.map(|(life, _)| life).collect()
    }
}

impl Life {
    /// How much of it must be archived, where no gap says why not.
    fn must(&self) -> usize {
        match self.names.is_empty() {
            true => self.seen,
            false => self.bytes.len(),
        }
    }

    fn is_held_by(&self, sources: &[&Archived]) -> bool {
        let has = sources.iter().map(|source| source.bytes.len()).max();
        let all = has.unwrap_or(0) >= self.must();
        let gap = sources.iter().any(|source| has_gap(source));
        match self.names.is_empty() {
            true => gap || all,
            false => !gap && all,
        }
    }

    /// Whether a source goes through all of it that nobody can tell from its rest: this log is gone, or was cut; or the
    /// source says so, or begins with so much that it is taken for a copy.
    fn is_part_of(&self, source: &Archived) -> bool {
        let begins = source.bytes.starts_with(&self.bytes[..self.must()]);
        begins
            && (self.names.is_empty() || self.was_cut || self.is_telling() || is_ambiguous(source))
    }

    fn is_telling(&self) -> bool {
        self.was_rotated || self.bytes.len() as u64 >= TELLING_BYTES
    }
}

fn says(source: &Archived, kind: EventKind) -> bool {
    source.events.iter().any(|event| event.kind == kind)
}

fn is_ambiguous(source: &Archived) -> bool {
    says(source, EventKind::Ambiguous)
}

fn has_gap(source: &Archived) -> bool {
    says(source, EventKind::Gap)
}

fn fits(source: &Archived, life: &Life) -> bool {
    let same = |(a, b): (&u8, &u8)| a == b || *a == b'?';
    source.bytes.len() <= life.bytes.len() && source.bytes.iter().zip(&life.bytes).all(same)
}

/// What is wrong after the sequence, if anything is. `None` if its last action can do nothing.
fn run(steps: &[Step]) -> Option<Option<String>> {
    let mut world = World::new();
    for (at, (act, look)) in steps.iter().enumerate() {
        if world.can(*act) {
            world.act(*act);
            world.look(*look);
        } else if at + 1 == steps.len() {
            return None;
        }
    }
    world.end();
    Some(world.fault())
}

/// Tries all sequences that begin with `steps` and have at most `left` more; those that failed.
fn try_all(steps: &mut Vec<Step>, left: usize, count: &mut usize, failed: &mut Vec<String>) {
    if left == 0 {
        return;
    }
    for act in ACTS {
        for look in [Look::Nothing, Look::Seal] {
            steps.push((act, look));
            if let Some(fault) = run(steps) {
                *count += 1;
                match fault {
                    Some(fault) => failed.push(format!("{steps:?}: {fault}")),
                    None => try_all(steps, left - 1, count, failed),
                }
            }
            steps.pop();
        }
    }
}

#[test]
fn every_short_sequence_is_archived_once_or_spoken_for() {
    let len = env::var("HOLDFAST_SEQUENCES").map_or(LEN, |len| len.parse().unwrap());
    let (mut count, mut failed) = (0, Vec::new());
    try_all(&mut Vec::new(), len, &mut count, &mut failed);
    println!("{count} sequences of up to {len} actions");
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(count > 100, "{count}");
}

/// Random sequences that failed, as short as they became, and what they fail without.
const FAILED_ONCE: &[(&str, &[Step])] = {
    use Act::{Copy, CopyTruncate, Gzip, Remove, Rename, Restart, Unmount, Write};
    use Look::{Nothing, Scan, Seal};
    const X: Act = Write("x\n");
    const Y: Act = Write("y\n");
    &[
        (
            "a packed copy goes to the log that was cut, not to what repeats it",
            &[
                (X, Seal),
                (CopyTruncate, Nothing),
                (Remove("a"), Nothing),
                (X, Scan),
                (Gzip, Nothing),
            ],
        ),
        (
            "a deleted copy lacks what was written after it",
            &[
                (X, Seal),
                (Copy, Nothing),
                (X, Scan),
                (CopyTruncate, Nothing),
                (Unmount, Scan),
                (Y, Nothing),
            ],
        ),
        (
            "a packed copy goes to the log that may have grown, not to what repeats it",
            &[
                (X, Nothing),
                (Copy, Seal),
                (Rename, Seal),
                (Gzip, Nothing),
                (Restart, Nothing),
            ],
        ),
        (
            "a copy is no older than its log, which an earlier run saw",
            &[
                (X, Seal),
                (Rename, Nothing),
                (X, Seal),
                (Gzip, Nothing),
                (Restart, Nothing),
                (CopyTruncate, Nothing),
            ],
        ),
        (
            "a packed copy waits for the log that continues in a file of the same scan",
            &[
                (X, Nothing),
                (Copy, Scan),
                (X, Nothing),
                (CopyTruncate, Nothing),
                (Gzip, Nothing),
            ],
        ),
        (
            "a copy that is archived as such is replaced while the agent is down",
            &[
                (X, Scan),
                (Rename, Nothing),
                (X, Nothing),
                (Gzip, Seal),
                (Copy, Seal),
                (Restart, Nothing),
                (Rename, Nothing),
            ],
        ),
        (
            "a copy that is deleted after its log was read beyond it holds nothing of the rest",
            &[
                (X, Nothing),
                (Copy, Nothing),
                (X, Seal),
                (X, Scan),
                (CopyTruncate, Nothing),
                (Unmount, Nothing),
            ],
        ),
        (
            "a deleted log that a longer one begins like is no copy of that",
            &[
                (Y, Nothing),
                (Rename, Nothing),
                (Y, Nothing),
                (X, Scan),
                (Gzip, Nothing),
                (CopyTruncate, Nothing),
            ],
        ),
        (
            "of two that nobody saw go, the copy goes to the first",
            &[
                (X, Nothing),
                (Copy, Scan),
                (Rename, Scan),
                (Gzip, Seal),
                (Restart, Nothing),
            ],
        ),
    ]
};

#[test]
fn what_failed_once_is_archived_once_or_spoken_for() {
    for (what, steps) in FAILED_ONCE {
        assert_eq!(run(steps).flatten(), None, "{what}: {steps:?}");
    }
}

fn step() -> impl Strategy<Value = Step> {
    let look = prop_oneof![Just(Look::Nothing), Just(Look::Scan), Just(Look::Seal)];
    // Without banners: a log that begins with all of an earlier one is taken for its rest, and of several such
    // nobody can say which.
    let acts: Vec<_> = ACTS.into_iter().filter(|act| *act != Act::Banner).collect();
    (prop::sample::select(acts), look)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_equal_line_is_archived_once_or_spoken_for(steps in prop::collection::vec(step(), 4..9)) {
        prop_assert_eq!(run(&steps).flatten(), None);
    }
}
