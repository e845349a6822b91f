//! Both programs killed before each call that changes something on disk, and calls that fail, once or from then on:
//! after each, recovery ends in the world as if nothing had been. strace does both to the programs as they are
//! shipped.
//!
//! A kill before a call that changes nothing leaves the same disk as one before the next call that does, so the calls
//! tried are those that change something. Of disks that are the same but for what is random (epochs, keys), one is
//! recovered.

mod power;
mod scene;

use harness::traced::{Call, calls, injected, injections, terminate, traced, unsynced};
use harness::{Dice, dice, wait_for};
use scene::{Scene, Who};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::time::{Duration, Instant};

/// Calls that change something on disk.
const CHANGING: &[&str] = &[
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "openat",
    "openat2",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "unlink",
    "unlinkat",
    "rmdir",
    "ftruncate",
    "fallocate",
    "link",
    "linkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "utimensat",
];

/// Calls that are made to fail, and how.
const FAILING: &[(&str, &[&str])] = &[
    ("write", &["EIO", "ENOSPC"]),
    ("fsync", &["EIO", "ENOSPC"]),
    ("renameat2", &["EIO", "ENOSPC"]),
    ("rename", &["EIO", "ENOSPC"]),
    ("renameat", &["EIO", "ENOSPC"]),
    ("openat", &["EIO", "ENOSPC", "EMFILE"]),
    ("openat2", &["EIO", "EMFILE"]),
    ("mkdirat", &["EIO", "ENOSPC"]),
    ("mkdir", &["EIO", "ENOSPC"]),
    ("unlinkat", &["EIO"]),
    ("read", &["EIO"]),
    ("pread64", &["EIO"]),
    ("getdents64", &["EIO", "EMFILE"]),
];

/// Calls of each name that are tried unless HOLDFAST_KILLS=all: the first, the last, and others by the dice.
const SAMPLE: usize = 4;

/// Of faults that stay the first and the last alone: each takes a while. With HOLDFAST_KILLS=all four times as many.
const SAMPLE_THAT_STAYS: usize = 2;

/// How long a program may go on under a fault that stays, before it is told to stop.
const STAYS: Duration = Duration::from_secs(3);

fn tries_all() -> bool {
    env::var("HOLDFAST_KILLS").is_ok_and(|word| word == "all")
}

/// Which numbers of each name are tried, of those that the program makes on our folders.
fn chosen(
    calls: &[Call],
    names: &[&str],
    sample: usize,
    dice: &mut Dice,
) -> BTreeMap<String, Vec<usize>> {
    let mut numbers: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.is_ours) {
        if names.contains(&call.name.as_str()) {
            numbers
                .entry(call.name.clone())
                .or_default()
                .insert(call.number);
        }
    }
    let chosen = numbers.into_iter().map(|(name, all_of)| {
        let all_of: Vec<usize> = all_of.into_iter().collect();
        if all_of.len() <= sample {
            return (name, all_of);
        }
        let mut some = BTreeSet::from([all_of[0], all_of[all_of.len() - 1]]);
        while some.len() < sample {
            let at = usize::try_from(dice.below(all_of.len() as u64)).unwrap();
            some.insert(all_of[at]);
        }
        (name, some.into_iter().collect())
    });
    chosen.collect()
}

/// The calls of a run to which nothing is done.
fn plain_calls(who: Who) -> Vec<Call> {
    let scene = Scene::prepare(who);
    let trace = scene.site.path("trace");
    let command = traced(&scene.command(), &trace, &["-y"]);
    drop(scene.site.start(command, "plain").finish().expect(0));
    let found = calls(&trace, |about| scene.is_ours(about));
    scene.check_world("nothing");
    found
}

/// One row of the table that a test prints.
#[derive(Default)]
struct Row {
    made: usize,
    done: usize,
    worlds: usize,
}

fn print_table(title: &str, seed: u64, rows: &BTreeMap<String, Row>) {
    println!("{title} (seed {seed}): call, made on our folders, done, disks recovered");
    for (name, row) in rows {
        println!(
            "  {name:<12}{:>6}{:>6}{:>6}",
            row.made, row.done, row.worlds
        );
    }
}

fn rows(calls: &[Call], names: &BTreeMap<String, Vec<usize>>) -> BTreeMap<String, Row> {
    let made = |name: &String| {
        calls
            .iter()
            .filter(|call| call.is_ours && call.name == *name)
            .count()
    };
    let row = |name: &String| Row {
        made: made(name),
        ..Row::default()
    };
    names.keys().map(|name| (name.clone(), row(name))).collect()
}

/// Kills before each chosen call.
fn killed_before_its_calls(who: Who) {
    let seed = dice::seed("kills", 9);
    let mut dice = Dice::new(seed);
    let calls = plain_calls(who);
    let sample = if tries_all() { usize::MAX } else { SAMPLE };
    let names = chosen(&calls, CHANGING, sample, &mut dice);
    let mut rows = rows(&calls, &names);
    let mut disks = BTreeSet::new();
    for (name, numbers) in &names {
        let row = rows.get_mut(name).unwrap();
        for number in numbers {
            let what = format!("{who:?} killed before {name} {number}");
            let scene = Scene::prepare(who);
            let inject = format!("{name}:signal=KILL:when={number}");
            let trace = scene.site.path("trace");
            let command = injected(&scene.command(), &trace, &inject, &[]);
            let ended = scene.site.start(command, "killed").finish();
            // Threads share the calls out otherwise in each run.
            let was_killed = ended.signal == Some(9);
            assert!(was_killed || ended.code == Some(0), "{what}: {ended:?}");
            row.done += usize::from(was_killed);
            if disks.insert(scene.disk()) {
                row.worlds += 1;
                scene.check_world(&what);
            }
        }
    }
    print_table(&format!("{who:?} killed"), seed, &rows);
    for (name, row) in rows {
        assert!(row.done > 0, "no kill before {name} hit the {who:?}");
    }
}

/// Makes each chosen call fail, once or from then on.
fn with_calls_that_fail(who: Who, stays: bool) {
    let seed = dice::seed("failing calls", 9);
    let mut dice = Dice::new(seed);
    let calls = plain_calls(who);
    let failing: Vec<_> = FAILING.iter().map(|(name, _)| *name).collect();
    let sample = match (stays, tries_all()) {
        (true, all) => SAMPLE_THAT_STAYS * if all { 4 } else { 1 },
        (false, true) => usize::MAX,
        (false, false) => SAMPLE,
    };
    let names = chosen(&calls, &failing, sample, &mut dice);
    let mut rows = rows(&calls, &names);
    for (name, errnos) in FAILING {
        for (at, number) in names.get(*name).into_iter().flatten().enumerate() {
            let errno = errnos[at % errnos.len()];
            let from = if stays { "+" } else { "" };
            let what = format!("{who:?}: {name} {number}{from} {errno}");
            let scene = Scene::prepare(who);
            let inject = format!("{name}:error={errno}:when={number}{from}");
            let trace = scene.site.path("trace");
            let command = injected(&scene.command(), &trace, &inject, &[]);
            let mut running = scene.site.start(command, "failing");
            if stays {
                let began = Instant::now();
                wait_for(&format!("{what}: to end or go on"), || {
                    (!running.is_alive() || began.elapsed() > STAYS).then_some(())
                });
                terminate(&running);
            }
            let ended = running.finish();
            let failed = injections(&trace);
            let row = rows.get_mut(*name).unwrap();
            row.done += usize::from(!failed.is_empty());
            // strace counts by thread: a number may hit what wakes another thread, of which nothing is promised but
            // that it harms nobody.
            if failed.iter().all(|call| scene.is_ours(call)) {
                scene.is_honest(&ended, &what);
            }
            row.worlds += 1;
            scene.check_world(&what);
        }
    }
    let title = if stays {
        "calls fail from then on"
    } else {
        "calls fail once"
    };
    print_table(&format!("{who:?}: {title}"), seed, &rows);
    for (name, row) in rows {
        assert!(row.done > 0, "no {name} of the {who:?} was made to fail");
    }
}

/// What a power cut must not take back.
const MEANT_TO_LAST: [&str; 4] = ["/sealed/", "/state/cursors", ".receipt", ".manifest"];

#[test]
fn what_is_renamed_into_place_is_synced_there() {
    for who in [Who::Agent, Who::Archiver] {
        let scene = Scene::prepare(who);
        let trace = scene.site.path("trace");
        let command = traced(&scene.command(), &trace, &["-y"]);
        drop(scene.site.start(command, "plain").finish().expect(0));
        let mut names = unsynced(&trace);
        names.retain(|name| {
            let name = name.to_string_lossy();
            MEANT_TO_LAST.iter().any(|part| name.contains(part))
        });
        assert!(names.is_empty(), "{who:?}: not synced: {names:?}");
        scene.check_world("synced");
    }
}

#[test]
fn an_agent_killed_before_any_change_loses_and_doubles_nothing() {
    killed_before_its_calls(Who::Agent);
}

#[test]
fn an_archiver_killed_before_any_change_loses_and_doubles_nothing() {
    killed_before_its_calls(Who::Archiver);
}

#[test]
fn an_agent_whose_calls_fail_once_loses_and_doubles_nothing() {
    with_calls_that_fail(Who::Agent, false);
}

#[test]
fn an_archiver_whose_calls_fail_once_loses_and_doubles_nothing() {
    with_calls_that_fail(Who::Archiver, false);
}

#[test]
fn an_agent_whose_calls_fail_from_then_on_loses_and_doubles_nothing() {
    with_calls_that_fail(Who::Agent, true);
}

#[test]
fn an_archiver_whose_calls_fail_from_then_on_loses_and_doubles_nothing() {
    with_calls_that_fail(Who::Archiver, true);
}
