//! Every way a log is rotated, cut, copied and deleted, with the agent up and down.

use super::desk::{Archived, Desk, Happened, budget};
use crate::track::{Budget, Mode};
use ledger::manifest::{EventKind, Reason};
use std::io::Write;

/// Lines that no other call gives, `bytes` long or a little more.
pub(super) fn lines(tag: &str, bytes: usize) -> String {
    let mut text = String::new();
    for n in 0.. {
        if text.len() >= bytes {
            break;
        }
        text += &format!("{tag} line {n} of a log that continues\n");
    }
    text
}

pub(super) fn step(desk: &mut Desk) {
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
}

fn gap(reason: Reason, name: &str, from: usize) -> Happened {
    (
        name.into(),
        EventKind::Gap,
        Some(from as u64),
        None,
        Some(reason),
    )
}

#[test]
fn rename_and_create() {
    for names in [&["a*"][..], &["a"][..]] {
        let mut desk = Desk::new(names);
        let mut writer = desk.writer("a");
        writer.write_all(b"one\n").unwrap();
        step(&mut desk);
        desk.rename("a", "a.1");
        desk.append("a", "new one\n");
        writer.write_all(b"late\n").unwrap();
        step(&mut desk);
        writer.write_all(b"later").unwrap();
        desk.settle();
        assert_eq!(
            desk.texts("a"),
            ["one\nlate\nlater", "new one\n"],
            "{names:?}"
        );
        assert!(desk.events().is_empty());
    }
}

#[test]
fn rename_chains_keep_their_sources() {
    let mut desk = Desk::new(&["a*"]);
    for round in 0..5 {
        for n in (0..round).rev() {
            let from = if n == 0 { "a".into() } else { format!("a.{n}") };
            desk.rename(&from, &format!("a.{}", n + 1));
        }
        desk.append("a", format!("round {round}\n"));
        step(&mut desk);
    }
    desk.settle();
    let expected: Vec<_> = (0..5).map(|n| format!("round {n}\n")).collect();
    assert_eq!(desk.texts("a"), expected);
}

#[test]
fn rename_while_down() {
    for size in [10, 5_000, 50_000] {
        let mut desk = Desk::new(&["a*"]);
        let (first, rest, new) = (
            lines("first", size),
            lines("rest", size),
            lines("new", size),
        );
        desk.append("a", &first);
        step(&mut desk);
        desk.append("a", &rest);
        desk.rename("a", "a.1");
        desk.append("a", &new);
        desk.restart();
        desk.settle();
        assert_eq!(desk.texts("a"), [format!("{first}{rest}"), new]);
        assert!(desk.events().is_empty(), "{:?}", desk.events());
    }
}

#[test]
fn copytruncate_without_a_copy_in_sight_leaves_a_gap() {
    let mut desk = Desk::new(&["a"]);
    desk.append("a", "one\n");
    step(&mut desk);
    desk.append("a", "unread\n");
    desk.truncate("a", 0);
    desk.append("a", "new\n");
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\n", "new\n"]);
    assert_eq!(desk.events(), [gap(Reason::Truncated, "a", 4)]);
}

#[test]
fn copytruncate_continues_in_the_copy() {
    for size in [10, 5_000, 50_000] {
        let mut desk = Desk::new(&["a*"]);
        let (first, rest, new) = (lines("first", size), lines("rest", size), lines("new", 9));
        desk.append("a", &first);
        step(&mut desk);
        desk.append("a", &rest);
        desk.copy("a", "a.1");
        desk.truncate("a", 0);
        desk.append("a", &new);
        desk.settle();
        assert_eq!(desk.texts("a"), [format!("{first}{rest}"), new]);
        assert!(desk.texts("a.1").is_empty());
        assert!(desk.events().is_empty(), "{:?}", desk.events());
    }
}

#[test]
fn an_unfinished_copy_waits() {
    let mut desk = Desk::new(&["a*"]);
    let (first, rest) = (lines("first", 9_000), lines("rest", 9_000));
    desk.append("a", &first);
    step(&mut desk);
    desk.append("a", &rest);
    let whole = format!("{first}{rest}");
    for at in [0, 100, 4_096, 9_500, whole.len()] {
        std::fs::write(desk.path("a.1"), &whole[..at]).unwrap();
        step(&mut desk);
    }
    desk.truncate("a", 0);
    step(&mut desk);
    desk.append("a", "new\n");
    desk.settle();
    assert_eq!(desk.texts("a"), [whole, "new\n".into()]);
    assert!(desk.texts("a.1").is_empty());
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

#[test]
fn a_copy_of_a_log_not_yet_read_holds_all_of_it() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a", "one\ntwo\n");
    desk.scan();
    desk.copy("a", "a.1");
    desk.scan();
    desk.truncate("a", 0);
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\ntwo\n"]);
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

#[test]
fn a_copy_that_ends_before_the_read_position_is_not_read_again() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a", lines("first", 9_000));
    step(&mut desk);
    desk.copy("a", "a.1");
    desk.scan();
    desk.append("a", "between copy and truncate\n");
    step(&mut desk);
    desk.truncate("a", 0);
    step(&mut desk);
    desk.append("a", "new\n");
    desk.settle();
    let whole = lines("first", 9_000) + "between copy and truncate\n";
    assert_eq!(desk.texts("a"), [whole.clone(), "new\n".into()]);
    desk.restart();
    desk.rename("a.1", "a.2");
    desk.settle();
    assert_eq!(desk.texts("a"), [whole, "new\n".into()]);
    assert_eq!(desk.archive.len(), 2);
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

#[test]
fn bytes_seen_after_the_copy_and_lost_are_a_gap() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a", "one\n");
    step(&mut desk);
    desk.append("a", "two\n");
    desk.copy("a", "a.1");
    desk.append("a", "lost\n");
    desk.scan();
    desk.truncate("a", 0);
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\ntwo\n?????"]);
    let lost = (
        "a".into(),
        EventKind::Gap,
        Some(8),
        Some(13),
        Some(Reason::Truncated),
    );
    assert_eq!(desk.events(), [lost]);
}

#[test]
fn copytruncate_while_down() {
    for size in [10, 5_000, 50_000] {
        let mut desk = Desk::new(&["a*"]);
        let (first, rest, new) = (lines("first", size), lines("rest", size), lines("new", 99));
        desk.append("a", &first);
        step(&mut desk);
        desk.append("a", &rest);
        desk.copy("a", "a.1");
        desk.truncate("a", 0);
        desk.append("a", &new);
        desk.restart();
        desk.settle();
        assert_eq!(desk.texts("a"), [format!("{first}{rest}"), new]);
        assert!(desk.events().is_empty(), "{:?}", desk.events());
    }
}

#[test]
fn a_copy_beside_its_original_is_a_log_of_its_own() {
    let mut desk = Desk::new(&["a*"]);
    let text = lines("same", 6_000);
    desk.append("a", &text);
    step(&mut desk);
    desk.copy("a", "a.bak");
    step(&mut desk);
    assert!(desk.texts("a.bak").is_empty(), "it might be a rotation");
    desk.settle();
    assert_eq!(desk.texts("a.bak"), [text]);
    assert_eq!(
        desk.events(),
        [("a.bak".into(), EventKind::Ambiguous, None, None, None)]
    );
}

#[test]
fn logs_with_equal_beginnings_stay_apart() {
    let mut desk = Desk::new(&["*"]);
    let head = lines("the same header", 5_000);
    desk.append("a", format!("{head}a\n"));
    desk.append("b", format!("{head}b\n"));
    step(&mut desk);
    desk.append("c", format!("{head}c\n"));
    desk.settle();
    for name in ["a", "b", "c"] {
        assert_eq!(desk.texts(name), [format!("{head}{name}\n")]);
    }
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

#[test]
fn truncated_and_regrown_beyond_the_position() {
    for down in [false, true] {
        let mut desk = Desk::new(&["a"]);
        let first = lines("first", 6_000);
        desk.append("a", &first);
        step(&mut desk);
        desk.truncate("a", 0);
        let second = lines("second", 8_000);
        desk.append("a", &second);
        if down {
            desk.restart();
        }
        desk.settle();
        assert_eq!(desk.texts("a"), [first.clone(), second]);
        assert_eq!(desk.events(), [gap(Reason::Truncated, "a", first.len())]);
    }
}

#[test]
fn rewritten_to_the_same_size() {
    let mut desk = Desk::new(&["a"]);
    desk.append("a", "one\n");
    step(&mut desk);
    std::fs::write(desk.path("a"), "two\n").unwrap();
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\n", "two\n"]);
    assert_eq!(desk.events(), [gap(Reason::Truncated, "a", 4)]);
}

#[test]
fn unread_bytes_cut_off_are_stated_and_so_is_the_repetition() {
    let mut desk = Desk::new(&["a"]);
    desk.append("a", "one\n");
    step(&mut desk);
    desk.append("a", "two\nthree\n");
    desk.scan();
    desk.truncate("a", 8);
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\n", "one\ntwo\n"]);
    let again = ("a".into(), EventKind::Ambiguous, None, None, None);
    assert_eq!(desk.events(), [gap(Reason::Truncated, "a", 4), again]);
}

#[test]
fn deleted_while_open_is_read_to_its_end() {
    let mut desk = Desk::new(&["a"]);
    let mut writer = desk.writer("a");
    writer.write_all(b"one\n").unwrap();
    desk.scan();
    desk.remove("a");
    writer.write_all(b"two\n").unwrap();
    step(&mut desk);
    writer.write_all(b"three\nopen").unwrap();
    step(&mut desk);
    desk.discard();
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\ntwo\nthree\nopen"]);
    assert!(desk.events().is_empty());
    assert_eq!(desk.tracker.status().len(), 1, "its writer may write more");
    drop(writer);
    desk.scan();
    desk.seal();
    assert!(desk.tracker.status().is_empty(), "let go");
    desk.restart();
    desk.append("a", "another\n");
    desk.settle();
    assert_eq!(desk.texts("a")[1], "another\n");
    assert!(
        desk.events().is_empty(),
        "no gap for what was let go: {:?}",
        desk.events()
    );
}

#[test]
fn a_reused_inode_is_another_file() {
    let mut desk = Desk::new(&["a"]);
    for round in 0..20 {
        desk.append("a", "same first line\n");
        desk.append("a", format!("round {round}\n"));
        step(&mut desk);
        if round % 2 == 1 {
            desk.snapshot();
            desk.restart();
        }
        desk.remove("a");
    }
    desk.settle();
    let expected: Vec<_> = (0..20)
        .map(|n| format!("same first line\nround {n}\n"))
        .collect();
    assert_eq!(desk.texts("a"), expected);
}

#[test]
fn deleted_while_down_is_a_gap() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a", "one\n");
    desk.append("a.other", "x\n");
    step(&mut desk);
    desk.append("a", "never seen\n");
    desk.remove("a");
    desk.restart();
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\n"]);
    assert_eq!(desk.events(), [gap(Reason::Deleted, "a", 4)]);
}

#[test]
fn rotated_out_while_down_is_no_gap_if_it_was_read() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a", "one\n");
    step(&mut desk);
    desk.rename("a", "a.1");
    desk.append("a", "two\n");
    step(&mut desk);
    desk.snapshot();
    desk.remove("a.1");
    desk.restart();
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\n", "two\n"]);
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

#[test]
fn an_unmounted_volume_keeps_its_checkpoints() {
    let mut desk = Desk::new(&["v/*"]);
    std::fs::create_dir(desk.path("v")).unwrap();
    desk.append("v/a", "one\n");
    step(&mut desk);
    // What a volume's mount point looks like without it: another folder, and it is empty.
    desk.rename("v", "away");
    std::fs::create_dir(desk.path("v")).unwrap();
    desk.restart();
    desk.rest(3_600_000);
    desk.rest(3_600_000);
    desk.seal();
    std::fs::remove_dir(desk.path("v")).unwrap();
    desk.rename("away", "v");
    desk.append("v/a", "two\n");
    desk.settle();
    assert_eq!(desk.texts("v/a"), ["one\ntwo\n"]);
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

/// Found by feeding logs that rotate several times a second: the log grew, was copied to a name of the
/// rotation before and cut, all between a scan's look at it and the look at its copy.
#[test]
fn a_copy_made_and_cut_during_a_scan_is_no_log_of_its_own() {
    let mut desk = Desk::new(&["*"]);
    desk.append("a.1", "older\n");
    let text = lines("first", 6_000);
    desk.append("a", &text);
    step(&mut desk);
    desk.append("a", "seen\n");
    desk.scan_while("a.1", |desk| {
        desk.append("a", "grown\n");
        desk.rename("a.1", "a.2");
        desk.copy("a", "a.1");
        desk.truncate("a", 0);
        desk.append("a", "next\n");
    });
    desk.settle();
    let sources = [format!("{text}seen\ngrown\n"), "next\n".into()];
    assert_eq!(desk.texts("a"), sources);
    assert_eq!(desk.texts("a.1"), ["older\n"]);
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

/// The look showed the whole log; what it had become when its bytes were read was taken for as long as
/// that, and then for cut once more, with a loss of bytes that never were.
#[test]
fn a_log_that_is_cut_during_a_look_is_cut_once() {
    let mut desk = Desk::new(&["*"]);
    let text = lines("first", 6_000);
    desk.append("a", &text);
    step(&mut desk);
    desk.append("a", "copied\n");
    desk.copy("a", "a.1");
    desk.cut_during_a_look("a", "next\n");
    desk.settle();
    let sources = [format!("{text}copied\n"), "next\n".into()];
    assert_eq!(desk.texts("a"), sources);
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

/// Found by a run of minutes: a log at rest for over a minute, renamed between list and look, was let go
/// and archived once more under its next name.
#[test]
fn a_log_at_rest_that_is_renamed_during_a_scan_is_archived_once() {
    let mut desk = Desk::new(&["*"]);
    let text = lines("rested", 6_000);
    desk.append("a.1", &text);
    step(&mut desk);
    desk.rest(61_000);
    desk.scan_while("a.1", |desk| desk.rename("a.1", "a.2"));
    desk.settle();
    assert_eq!(desk.texts("a.1"), [text]);
    assert!(desk.texts("a.2").is_empty());
}

/// The copy of a cut log is passed on by a second rotation between list and look, scan after scan.
#[test]
fn a_copy_that_moves_on_during_a_scan_is_found_by_the_next() {
    let mut desk = Desk::new(&["*"]);
    let text = lines("first", 6_000);
    desk.append("a", &text[..5_000]);
    step(&mut desk);
    desk.append("a", &text[5_000..]);
    desk.copy("a", "unlisted.tmp");
    desk.truncate("a", 0);
    desk.scan();
    desk.scan();
    desk.rename("unlisted.tmp", "a.2");
    desk.settle();
    assert_eq!(desk.texts("a"), [text]);
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

#[test]
fn a_drain_decides_all_without_waiting() {
    let mut desk = Desk::new(&["*"]);
    let text = lines("same", 6_000);
    desk.append("a", &text);
    desk.append("a.1", &text[..5_000]);
    desk.append("cut", "one\n");
    desk.append("open", "half");
    step(&mut desk);
    desk.truncate("cut", 0);
    desk.drain();
    assert_eq!(desk.texts("a.1"), [&text[..5_000]]);
    assert_eq!(desk.texts("open"), ["half"]);
    let echo = ("a.1".into(), EventKind::Ambiguous, None, None, None);
    assert_eq!(desk.events(), [gap(Reason::Truncated, "cut", 4), echo]);
    assert!(desk.tracker.status().iter().all(|s| s.read >= s.size));
}

#[test]
fn bytes_that_came_after_the_look_are_proven_by_the_read() {
    let mut desk = Desk::new(&["a"]);
    let first = lines("first", 6_000);
    desk.append("a", &first);
    step(&mut desk);
    desk.append("a", "unread\n");
    desk.scan();
    desk.truncate("a", 0);
    let second = lines("second", 9_000);
    desk.append("a", &second);
    desk.read(Mode::Drain);
    desk.seal();
    assert_eq!(desk.texts("a"), [first.as_str()]);
    desk.settle();
    assert_eq!(desk.texts("a"), [first.clone(), second]);
    assert_eq!(desk.events(), [gap(Reason::Truncated, "a", first.len())]);
}

#[test]
fn descriptors_of_deleted_files_are_kept_while_others_are_closed() {
    let mut desk = Desk::new(&["*"]);
    let count = budget().sources;
    for n in 0..count {
        desk.append(&format!("{n:04}"), format!("{n}\n"));
    }
    step(&mut desk);
    for n in 0..count {
        let name = format!("{n:04}");
        desk.append(&name, "unread\n");
        desk.remove(&name);
    }
    for n in 0..200 {
        desk.append(&format!("new{n:04}"), format!("new {n}\n"));
    }
    desk.settle();
    for n in 0..count {
        assert_eq!(desk.texts(&format!("{n:04}")), [format!("{n}\nunread\n")]);
    }
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

#[test]
fn what_editors_leave_in_a_logs_place_says_that_it_may_repeat() {
    let long = lines("kept", 30_000);
    let without_first: String = long
        .lines()
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect();
    let trimmed: String = long
        .lines()
        .skip(500)
        .map(|line| format!("{line}\n"))
        .collect();
    for (why, text) in [("sed -i", &without_first), ("tail", &trimmed)] {
        for in_place in [false, true] {
            let mut desk = Desk::new(&["a"]);
            desk.append("a", &long);
            step(&mut desk);
            if in_place {
                desk.truncate("a", 0);
                desk.append("a", text);
            } else {
                desk.append("new.tmp", text);
                desk.rename("new.tmp", "a");
            }
            desk.settle();
            assert_eq!(
                desk.texts("a"),
                [long.clone(), text.clone()],
                "{why} {in_place}"
            );
            let kinds: Vec<_> = desk.events().iter().map(|event| event.1).collect();
            assert!(
                kinds.contains(&EventKind::Ambiguous),
                "{why} {in_place}: {kinds:?}"
            );
        }
    }
}

#[test]
fn a_log_written_anew_and_longer_continues() {
    for (bytes, restart) in [(300, false), (300, true), (90_000, false), (90_000, true)] {
        let mut desk = Desk::new(&["a"]);
        desk.append("a", lines("old", bytes));
        step(&mut desk);
        // As rsync does it.
        desk.append("new.tmp", lines("old", bytes) + "and more\n");
        desk.rename("new.tmp", "a");
        if restart {
            desk.restart();
        }
        desk.settle();
        assert_eq!(
            desk.texts("a"),
            [lines("old", bytes) + "and more\n"],
            "{bytes} {restart}"
        );
        let kinds: Vec<_> = desk.events().iter().map(|event| event.1).collect();
        assert_eq!(kinds, [EventKind::Ambiguous], "{bytes} {restart}");
    }
}

#[test]
fn logs_that_get_equal_lines_are_archived_each() {
    let mut desk = Desk::new(&["*"]);
    let mut text = String::new();
    for n in 0..40 {
        let line = format!("equal line {n} of all three logs\n");
        text += &line;
        for name in ["a", "b", "c"] {
            desk.append(name, &line);
        }
        desk.now_ms += 9_000;
        step(&mut desk);
    }
    for name in ["a", "b", "c"] {
        assert_eq!(
            desk.texts(name),
            [text.clone()],
            "{name}: none waits for ever"
        );
    }
    let kinds: Vec<_> = desk.events().iter().map(|event| event.1).collect();
    assert!(
        kinds.iter().all(|kind| *kind == EventKind::Ambiguous),
        "{kinds:?}"
    );
}

#[test]
fn a_candidate_that_is_removed_while_the_agent_is_down_is_a_gap() {
    let mut desk = Desk::new(&["*"]);
    for name in ["a", "b", "c"] {
        desk.append(name, "equal\n");
    }
    step(&mut desk);
    step(&mut desk);
    assert_eq!(desk.archive.len(), 1, "two wait");
    desk.remove("b");
    desk.remove("c");
    desk.restart();
    desk.settle();
    let mut told = desk.events();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(
        told,
        [gap(Reason::Deleted, "b", 0), gap(Reason::Deleted, "c", 0)]
    );
    assert_eq!(desk.texts("a"), ["equal\n"]);
}

#[test]
fn short_lived_logs_are_archived_whole() {
    let mut desk = Desk::new(&["*"]);
    let mut before: Vec<String> = Vec::new();
    let mut written = 0;
    for round in 0..30 {
        for name in before.drain(..) {
            desk.remove(&name);
        }
        for n in 0..50 {
            let name = format!("job-{round}-{n}");
            desk.append(&name, format!("line of {name}\n"));
            before.push(name);
            written += 1;
        }
        step(&mut desk);
    }
    for name in before {
        desk.remove(&name);
    }
    desk.settle();
    let archived = desk
        .archive
        .values()
        .filter(|source| source.bytes.starts_with(b"line of"));
    assert_eq!(archived.count(), written);
    assert_eq!(desk.events(), []);
    assert!(desk.tracker.status().is_empty(), "all are let go");
}

#[test]
fn a_file_that_is_written_in_place_does_not_fill_the_archive() {
    let mut desk = Desk::new(&["a"]);
    desk.append("a", "");
    for n in 0..600 {
        desk.truncate("a", 0);
        desk.append(
            "a",
            format!("version {n:04} of a status file\n").repeat(200),
        );
        step(&mut desk);
    }
    let versions = desk.archive.len();
    assert!((4..8).contains(&versions), "{versions} in ten minutes");
    let notes = desk.scan().notes;
    assert!(notes[0].1.starts_with("written in place"), "{notes:?}");
    desk.now_ms += 600_000;
    desk.settle();
    assert!(desk.texts("a").last().unwrap().starts_with("version 0599"));
}

/// A rotated log of which nothing more is read has no other checkpoint than the one from where it was written.
#[test]
fn a_rotated_log_that_is_removed_while_the_agent_is_down_is_no_gap() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a", lines("old", 900));
    step(&mut desk);
    desk.rename("a", "a.1");
    desk.append("a", lines("new", 900));
    step(&mut desk);
    desk.restart();
    desk.remove("a.1");
    desk.settle();
    assert!(desk.events().is_empty(), "{:?}", desk.events());
}

/// Rotated while the agent was down: the name at which each was first seen is the one that it kept.
#[test]
fn a_log_first_seen_rotated_is_removed_while_the_agent_is_down_without_a_gap() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a-20261129", lines("packed", 9_000));
    desk.gzip("a-20261129");
    desk.append("a-20261130", lines("older", 9_000));
    desk.append("a", lines("new", 900));
    desk.settle();
    desk.restart();
    desk.remove("a-20261129.gz");
    desk.remove("a-20261130");
    desk.settle();
    assert!(desk.events().is_empty(), "{:?}", desk.events());
    // But where it is written, it may have grown.
    desk.restart();
    desk.remove("a");
    desk.settle();
    assert_eq!(desk.events().len(), 1, "{:?}", desk.events());
}

/// Its writer had it open.
#[test]
fn a_log_without_a_name_that_may_have_grown_while_the_agent_was_down_is_a_gap() {
    for rotated in [false, true] {
        let mut desk = Desk::new(&["a*"]);
        let mut writer = desk.writer("a");
        writer.write_all(b"one\n").unwrap();
        step(&mut desk);
        if rotated {
            desk.rename("a", "a.1");
            step(&mut desk);
            desk.remove("a.1");
        } else {
            desk.remove("a");
            writer.write_all(b"two\n").unwrap();
        }
        desk.append("a", "another\n");
        step(&mut desk);
        desk.restart();
        writer.write_all(b"unseen\n").unwrap();
        drop(writer);
        desk.settle();
        let gap = |event: &Happened| event.1 == EventKind::Gap && event.4 == Some(Reason::Deleted);
        assert_eq!(
            desk.events().iter().filter(|event| gap(event)).count(),
            1,
            "rotated: {rotated}, {:?}",
            desk.events()
        );
    }
}

/// Files that are deleted while their writers hold them, many more than there are descriptors: what was written before
/// one had to be let go is archived, that more may follow is stated, and a calm log is read all the while.
#[test]
fn short_lived_files_that_are_held_open_exhaust_no_descriptors() {
    let mut desk = Desk::new(&["*"]);
    let budget = Budget::new(128, 1);
    desk.limit(budget);
    let most = budget.sources + budget.candidates + budget.slack;
    let count: usize = 301;
    let mut writers = Vec::new();
    let mut calm = String::new();
    for n in 0..count {
        let name = format!("{n:04}");
        let mut writer = desk.writer(&name);
        writeln!(writer, "{n}").unwrap();
        writers.push(writer);
        if n % 20 > 0 {
            continue;
        }
        desk.append("calm", format!("calm {n}\n"));
        calm += &format!("calm {n}\n");
        desk.scan();
        for here in n.saturating_sub(20)..=n {
            drop(std::fs::remove_file(desk.path(&format!("{here:04}"))));
        }
        desk.scan();
        desk.read(Mode::Follow);
        let stream = desk.streams[0].clone();
        if desk.tracker.is_pressed(&stream) || n % 100 == 0 {
            desk.seal();
        }
        assert!(!desk.tracker.is_pressed(&stream), "what is sealed can go");
        let open = open_below(&desk);
        assert!(open <= most, "{open} of {most}");
    }
    desk.settle();
    assert_eq!(desk.texts("calm"), [calm]);
    let mut let_go = 0;
    for n in 0..count {
        let name = format!("{n:04}");
        assert_eq!(desk.texts(&name), [format!("{n}\n")]);
        let path = desk.path(&name).display().to_string();
        let of_it = |archived: &&Archived| archived.path == path;
        let archived = desk.archive.values().find(of_it).unwrap();
        let_go += usize::from(archived.ended);
        let others = archived.events.iter();
        assert!({ others }.all(|event| event.reason == Some(Reason::Deleted)));
    }
    assert!(let_go >= count - most, "{let_go} of {count}");
    // Those that are kept are read on, and over once their writers are.
    for (n, writer) in writers.iter_mut().enumerate() {
        writeln!(writer, "more {n}").unwrap();
    }
    drop(writers);
    desk.settle();
    let more = |n: &usize| desk.texts(&format!("{n:04}")) == [format!("{n}\nmore {n}\n")];
    assert_eq!((0..count).filter(more).count(), count - let_go);
    assert!(open_below(&desk) <= 1, "the calm log's");
}

/// Descriptors of logs in the desk's folder: other tests share the process.
fn open_below(desk: &Desk) -> usize {
    let folder = desk.path("");
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let read_only = |entry: &std::fs::DirEntry| {
        let info = format!("/proc/self/fdinfo/{}", entry.file_name().to_string_lossy());
        let info = std::fs::read_to_string(info).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        // The test's own descriptors write.
        flags.is_some_and(|flags| flags & 3 == 0)
    };
    let logs = descriptors.flatten().filter(read_only);
    let targets = logs.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.starts_with(&folder)).count()
}
