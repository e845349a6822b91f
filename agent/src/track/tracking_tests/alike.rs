//! Logs that equal one another, or the beginnings of one another: each is told apart, or an event says that it was not.

use super::desk::Desk;
use super::desk::Happened;
use super::rotation::{lines, step};
use crate::track::Mode;
use ledger::manifest::EventKind;
use std::os::unix::fs::MetadataExt as _;

fn gaps(desk: &Desk) -> usize {
    let events = desk.events();
    let gaps = events
        .iter()
        .filter(|(_, kind, ..)| *kind == EventKind::Gap);
    gaps.count()
}

#[test]
fn a_log_that_begins_like_its_packed_rotation_is_archived() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a.1", "x\nx\n");
    desk.scan();
    desk.append("a", "x\n");
    desk.gzip("a.1");
    desk.settle();
    desk.settle();
    assert_eq!(desk.texts("a.1"), ["x\nx\n"]);
    assert_eq!(desk.texts("a"), ["x\n"]);
    assert_eq!(gaps(&desk), 0, "{:?}", desk.events());
}

#[test]
fn a_copy_of_one_of_two_equal_logs_continues_it() {
    let mut desk = Desk::new(&["*"]);
    let text = lines("both", 9_000);
    desk.append("a", &text);
    desk.append("b", &text);
    desk.settle();
    desk.copy("a", "a.1");
    desk.truncate("a", 0);
    desk.settle();
    assert_eq!(desk.texts("a")[0], text);
    assert_eq!(desk.texts("b"), [&*text]);
    assert!(desk.texts("a.1").is_empty(), "it is archived once");
    assert_eq!(gaps(&desk), 0, "{:?}", desk.events());
}

#[test]
fn a_copy_met_before_the_end_of_its_log_is_sealed_is_known() {
    let mut desk = Desk::new(&["a*"]);
    let text = lines("log", 9_000);
    desk.append("a", &text);
    step(&mut desk);
    desk.copy("a", "copy.tmp");
    desk.remove("a");
    // The log is over; that is not sealed yet.
    desk.rest(20_000);
    desk.rename("copy.tmp", "a.1");
    desk.settle();
    assert_eq!(desk.texts("a"), [&*text]);
    assert!(desk.texts("a.1").is_empty(), "it is archived once");
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

/// Its log's first file was known at this path by the same inode number, so what was registered was not found.
#[test]
fn a_registered_file_that_reuses_its_logs_inode_is_no_gap() {
    let mut desk = Desk::new(&["a*"]);
    for _ in 0..30 {
        desk.append("a", lines("first", 9_000));
        step(&mut desk);
        let before = std::fs::metadata(desk.path("a")).unwrap().ino();
        // Rotated while the agent is down, for what is open keeps its inode.
        desk.restart();
        desk.remove("a");
        // More bytes may yet make a packed file of it: it waits.
        desk.append("a", "\x1f");
        if std::fs::metadata(desk.path("a")).unwrap().ino() != before {
            desk.settle();
            desk.remove("a");
            continue;
        }
        // Met and registered, and not told yet.
        step(&mut desk);
        desk.restart();
        desk.settle();
        assert_eq!(desk.texts("a").last().unwrap(), "\x1f");
        let of_nothing = |event: &&Happened| event.1 == EventKind::Gap && event.2 == Some(0);
        let events = desk.events();
        assert_eq!(events.iter().filter(of_nothing).count(), 0, "{events:?}");
        return;
    }
    println!("SKIPPED: this file system does not reuse inode numbers");
}

#[test]
fn what_begins_with_a_short_log_that_is_over_says_so() {
    for packed in [false, true] {
        let mut desk = Desk::new(&["a*"]);
        desk.append("a", "a line\n");
        desk.settle();
        desk.remove("a");
        desk.settle();
        desk.append("a", "a line\nand more\n");
        if packed {
            desk.gzip("a");
        }
        desk.settle();
        let events = desk.events();
        let ambiguous = |event: &&Happened| event.1 == EventKind::Ambiguous;
        assert_eq!(
            events.iter().filter(ambiguous).count(),
            1,
            "packed: {packed}, {events:?}"
        );
        assert_eq!(gaps(&desk), 0, "{events:?}");
    }
}

/// A version of a log is over, and that it is was not sealed before the agent died.
#[test]
fn what_begins_with_a_log_whose_end_is_unsealed_says_so() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a", "a line\n");
    desk.scan();
    desk.copy("a", "new.tmp");
    desk.rename("new.tmp", "a");
    desk.rest(31_000);
    desk.read(Mode::Follow);
    desk.seal();
    desk.copy("a", "new.tmp");
    desk.rename("new.tmp", "a");
    desk.append("a", "and more\n");
    desk.scan();
    desk.snapshot();
    desk.restart();
    desk.settle();
    let events = desk.events();
    let ambiguous = |event: &&Happened| event.1 == EventKind::Ambiguous;
    assert_eq!(events.iter().filter(ambiguous).count(), 1, "{events:?}");
    assert_eq!(desk.texts("a").last().unwrap(), "a line\nand more\n");
}

/// At the path at which the log was first seen, where its inode number is taken for its own.
#[test]
fn a_removed_log_whose_inode_is_given_to_its_successor_is_no_gap() {
    let ino = |desk: &Desk, name| std::fs::metadata(desk.path(name)).unwrap().ino();
    for _ in 0..30 {
        let mut desk = Desk::new(&["a*"]);
        desk.append("a", lines("first", 9_000));
        let first = ino(&desk, "a");
        step(&mut desk);
        desk.rename("a", "a.1");
        desk.append("a", lines("second", 9_000));
        step(&mut desk);
        step(&mut desk);
        desk.restart();
        desk.remove("a.1");
        desk.rename("a", "a.1");
        desk.append("a", lines("third", 9_000));
        let is_reused = ino(&desk, "a") == first;
        desk.settle();
        desk.rest(62_000);
        desk.settle();
        assert_eq!(gaps(&desk), 0, "{:?}", desk.events());
        if is_reused {
            return;
        }
    }
    println!("SKIPPED: this file system does not reuse inode numbers");
}

/// What stood for the lost bytes stood for those before them as well.
#[test]
fn what_repeats_a_short_log_that_lost_bytes_says_so_after_a_restart() {
    for longer in [false, true] {
        let mut desk = Desk::new(&["a*"]);
        desk.append("a", "a line\n");
        desk.scan();
        desk.copy("a", "a.1");
        desk.scan();
        desk.append("a", "seen, and cut off\n");
        desk.scan();
        desk.truncate("a", 0);
        desk.settle();
        desk.settle();
        let lost = |event: &&Happened| event.1 == EventKind::Gap && event.2 == Some(7);
        assert_eq!(desk.events().iter().filter(lost).count(), 1);
        desk.remove("a.1");
        desk.settle();
        desk.snapshot();
        desk.restart();
        desk.append("a", "a line\n");
        if longer {
            desk.append("a", "and one more\n");
        }
        desk.settle();
        let events = desk.events();
        let ambiguous = |event: &&Happened| event.1 == EventKind::Ambiguous;
        assert_eq!(events.iter().filter(ambiguous).count(), 1, "{events:?}");
    }
}
