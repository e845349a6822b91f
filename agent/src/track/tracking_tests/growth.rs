//! Files that only grow: lines, parts, unfinished ends, holes, many files.

use super::desk::{Desk, budget, setup};
use crate::find::OwnFiles;
use crate::track::{Mode, SkipRule};
use ledger::limits::MAX_LINE;
use ledger::manifest::{EventKind, Reason};
use ledger::name::Epoch;
use std::fs::FileTimes;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

#[test]
fn lines_are_taken_once_as_they_are_written() {
    let mut desk = Desk::new(&["*.log"]);
    assert_eq!(desk.scan().unmatched.len(), 1, "it waits");
    desk.append("a.log", "one\ntw");
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
    assert_eq!(desk.texts("a.log"), ["one\n"]);
    desk.append("a.log", "o\nthree\n");
    desk.append("b.log", "b\n");
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
    assert_eq!(desk.texts("a.log"), ["one\ntwo\nthree\n"]);
    assert_eq!(desk.texts("b.log"), ["b\n"]);
    assert!(desk.events().is_empty());
}

#[test]
fn any_bytes_survive() {
    let mut desk = Desk::new(&["a"]);
    let mut bytes = b"\xef\xbb\xbfbom\r\n\0nul\0\n\xff\xfe\n\n\r\n\x1b[31m\n".to_vec();
    bytes.extend(vec![b'x'; MAX_LINE]);
    bytes.push(b'\n');
    bytes.extend("é".repeat(3 * MAX_LINE / 2).as_bytes());
    bytes.extend(b"\nno final newline");
    desk.append("a", &bytes);
    desk.scan();
    desk.read(Mode::Drain);
    desk.seal();
    let archived = desk.archive.values().next().unwrap();
    assert!(archived.bytes == bytes, "byte for byte");
}

#[test]
fn an_unfinished_line_waits_for_its_end_but_not_for_ever() {
    let mut desk = Desk::new(&["a"]);
    desk.append("a", "half");
    desk.scan();
    desk.read(Mode::Follow);
    desk.rest(20_000);
    desk.append("a", " a");
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
    assert!(desk.texts("a").is_empty(), "its end may come");
    desk.rest(8_000);
    desk.read(Mode::Follow);
    desk.seal();
    assert_eq!(
        desk.texts("a"),
        ["half a"],
        "its first byte is half a minute old"
    );
    desk.append("a", " line\nnext\n");
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
    assert_eq!(desk.texts("a"), ["half a line\nnext\n"]);
}

#[test]
fn a_batch_thrown_away_is_read_again() {
    let mut desk = Desk::new(&["a"]);
    let line = |n: usize| format!("{n:0>50}\n");
    let all: String = (0..400).map(line).collect();
    desk.append("a", &all[..9000]);
    desk.scan();
    desk.read(Mode::Follow);
    desk.discard();
    let (stream, key) = desk.next_unread().unwrap();
    desk.read_one(&stream, key, Mode::Follow, 7);
    desk.read_one(&stream, key, Mode::Follow, 100);
    desk.seal();
    desk.append("a", &all[9000..]);
    desk.scan();
    desk.read(Mode::Follow);
    desk.discard();
    desk.read(Mode::Follow);
    desk.seal();
    assert_eq!(desk.texts("a"), [all]);
}

#[test]
fn a_restart_continues_where_the_last_batch_ended() {
    let mut desk = Desk::new(&["a"]);
    desk.append("a", "one\ntwo\n");
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
    desk.append("a", "three\n");
    desk.scan();
    desk.read(Mode::Follow);
    desk.restart();
    desk.append("a", "four\n");
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
    desk.snapshot();
    desk.reboot();
    desk.append("a", "five\n");
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\ntwo\nthree\nfour\nfive\n"]);
    assert!(desk.events().is_empty());
}

#[test]
fn a_new_epoch_continues_with_was() {
    let mut desk = Desk::new(&["a"]);
    desk.append("a", "one\n");
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
    desk.begin(Epoch::new(2, &[3; 10]));
    desk.append("a", "two\n");
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
    desk.restart();
    desk.append("a", "three\n");
    desk.settle();
    assert_eq!(desk.texts("a"), ["one\n", "one\ntwo\nthree\n"]);
}

#[test]
fn a_closed_streams_files_go_to_the_first_stream_that_wants_them() {
    let mut desk = Desk::with_streams(&[("old", &["a"])]);
    desk.append("a", "one\n");
    desk.scan();
    desk.read(Mode::Follow);
    desk.seal();
    let mut next = Desk::with_streams(&[("new", &["*"])]);
    std::mem::swap(&mut desk.dir, &mut next.dir);
    let base = next.dir.path().to_str().unwrap();
    let watch = crate::find::Watch::new("new".parse().unwrap(), &[format!("{base}/*")], &[]);
    next.tracker = crate::track::Tracker::new(setup(
        vec![watch.unwrap()],
        OwnFiles::default(),
        Epoch::new(1, &[1; 10]),
    ));
    next.tracker.restore(desk.memory.clone());
    next.archive = desk.archive.clone();
    next.begin(Epoch::new(2, &[3; 10]));
    next.append("a", "two\n");
    next.settle();
    assert_eq!(next.texts("a"), ["one\ntwo\n", "one\n"]);
}

#[test]
fn the_first_stream_in_order_has_the_file() {
    let mut desk = Desk::with_streams(&[("narrow", &["a"]), ("wide", &["*"])]);
    desk.append("a", "a\n");
    desk.append("b", "b\n");
    desk.settle();
    let owners: Vec<_> = desk
        .archive
        .keys()
        .map(|(name, ..)| name.as_str())
        .collect();
    assert_eq!(owners, ["narrow", "wide"]);
}

#[test]
fn what_cannot_be_read_is_named_and_others_continue() {
    let mut desk = Desk::new(&["*"]);
    desk.append("good", "good\n");
    std::os::unix::fs::symlink(desk.path("good"), desk.path("link")).unwrap();
    std::fs::create_dir(desk.path("folder")).unwrap();
    let report = desk.scan();
    assert_eq!((report.notes.len(), report.files), (1, 1), "{report:?}");
    assert_eq!(report.faults, []);
    desk.read(Mode::Follow);
    desk.seal();
    assert_eq!(desk.texts("good"), ["good\n"]);
    // Root may read anything; as another user, a file without permission is named too.
    let secret = desk.path("secret");
    std::fs::write(&secret, "x").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o0)).unwrap();
    let readable = std::fs::File::open(&secret).is_ok();
    assert_eq!(desk.scan().faults.len(), usize::from(!readable));
}

#[test]
fn a_large_hole_becomes_a_gap_and_a_small_one_zeros() {
    let mut desk = Desk::new(&["a"]);
    let file = desk.writer("a");
    drop(file);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(desk.path("a"))
        .unwrap();
    let hole = 1 << 24;
    file.write_at(b"before\npart", 0).unwrap();
    file.write_at(b"after\n", 16_384).unwrap();
    file.write_at(b"far\n", hole).unwrap();
    desk.settle();
    let gap = desk.events();
    assert_eq!(gap.len(), 1, "{gap:?}");
    let (_, kind, from, to, reason) = gap[0].clone();
    assert_eq!((kind, reason), (EventKind::Gap, Some(Reason::Hole)));
    assert_eq!((from, to), (Some(20_480), Some(hole)), "block by block");
    desk.restart();
    desk.append("a", "more\n");
    desk.scan();
    desk.read(Mode::Follow);
    let statement = desk.tracker.statement(&desk.streams[0].clone());
    assert_eq!(statement.sources[0].from, hole + 4);
    assert_eq!(statement.sources[0].to, hole + 9);
}

#[test]
fn many_idle_files_need_few_descriptors() {
    let mut desk = Desk::new(&["*"]);
    let count = budget().sources + 200;
    for n in 0..count {
        desk.append(&format!("{n:04}"), format!("{n}\n"));
    }
    desk.settle();
    // Other tests share the process, and open as many: only the logs of this one count.
    let folder = desk.path("");
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let open = targets.filter(|target| target.starts_with(&folder)).count();
    assert!(
        (1..=budget().sources + 100).contains(&open),
        "{open} of {count}"
    );
    assert_eq!(desk.archive.len(), count);
    desk.append("0001", "more\n");
    desk.rename("0002", "x0002");
    desk.append("x0002", "more\n");
    desk.settle();
    assert_eq!(desk.texts("0001"), ["1\nmore\n"]);
    assert_eq!(desk.texts("0002"), ["2\nmore\n"]);
}

#[test]
fn a_file_with_two_names_is_read_once() {
    let mut desk = Desk::with_streams(&[("narrow", &["z"]), ("wide", &["*"])]);
    desk.append("a", "one\n");
    std::fs::hard_link(desk.path("a"), desk.path("z")).unwrap();
    desk.settle();
    desk.remove("z");
    desk.append("a", "two\n");
    desk.settle();
    assert_eq!(desk.texts("z"), ["one\ntwo\n"]);
    assert_eq!(desk.archive.len(), 1);
}

#[test]
fn own_files_are_never_read() {
    let mut desk = Desk::new(&["**"]);
    for name in ["spool", "state", "logs"] {
        std::fs::create_dir(desk.path(name)).unwrap();
        desk.append(&format!("{name}/file"), "of the agent\n");
    }
    desk.append("key", "secret\n");
    std::fs::hard_link(desk.path("key"), desk.path("logs/link")).unwrap();
    let folders = ["spool", "state"].map(|name| desk.path(name)).to_vec();
    desk.own = OwnFiles::new(folders, vec![desk.path("key")]);
    desk.restart();
    desk.settle();
    assert_eq!(desk.texts("logs/file"), ["of the agent\n"]);
    assert_eq!(desk.archive.len(), 1, "{:?}", desk.archive);
    let left_out: Vec<_> = desk
        .scan()
        .notes
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(left_out.len(), 4, "{left_out:?}");
}

#[test]
fn zeros_at_the_end_are_not_written_yet() {
    for written in [false, true] {
        let mut desk = Desk::new(&["a"]);
        desk.append("a", "first\n");
        // Room that an appender takes before it has the lines: as zeros, or as a hole.
        if written {
            desk.append("a", vec![0; 300_000]);
        } else {
            desk.truncate("a", 300_006);
        }
        desk.settle();
        desk.rest(100_000);
        desk.settle();
        assert_eq!(desk.texts("a"), ["first\n"], "{written}");
        desk.write_at("a", 6, "second\n");
        desk.settle();
        assert_eq!(desk.texts("a"), ["first\nsecond\n"], "{written}");
        assert_eq!(desk.events(), [], "{written}");
        desk.remove("a");
        desk.settle();
        let hole = (
            "a".to_owned(),
            EventKind::Gap,
            Some(13),
            Some(300_006),
            Some(Reason::Hole),
        );
        assert_eq!(desk.events(), [hole], "{written}");
    }
}

#[test]
fn zeros_amid_a_log_are_bytes_like_any() {
    let mut desk = Desk::new(&["a"]);
    let zeros = "\0".repeat(3 << 20);
    desk.append("a", format!("first\n{zeros}\nlast\n"));
    desk.settle();
    assert_eq!(desk.texts("a"), [format!("first\n{zeros}\nlast\n")]);
    assert_eq!(desk.events(), []);
}

#[test]
fn a_line_that_never_ends_is_taken_in_parts() {
    let mut desk = Desk::new(&["a"]);
    let mut text = String::new();
    for part in 0..40 {
        let part = format!("part {part} ended by CR only\r");
        text += &part;
        desk.append("a", &part);
        desk.now_ms += 9_000;
        desk.scan();
        desk.read(Mode::Follow);
        desk.seal();
    }
    let taken = desk.texts("a").concat();
    assert!(text.starts_with(&taken));
    assert!(
        taken.len() > text.len() - 6 * 30,
        "{} of {}",
        taken.len(),
        text.len()
    );
}

#[test]
fn what_the_settings_skip_is_a_signed_gap() {
    let mut desk = Desk::new(&["a*"]);
    desk.skips = vec![SkipRule {
        first_scan: true,
        older: None,
    }];
    let old = super::rotation::lines("old", 50_000);
    desk.append("a", old.clone() + "unfin");
    desk.append("b", super::rotation::lines("packed", 50_000));
    desk.append("a.gz", desk.packed("b"));
    desk.restart();
    desk.scan();
    desk.read(Mode::Follow);
    desk.discard();
    desk.append("a", "ished\nnew\n");
    desk.append("a.later", "all of it\n");
    desk.settle();
    let gap = vec![b'?'; old.len()];
    let text = String::from_utf8(gap).unwrap() + "unfinished\nnew\n";
    assert_eq!(desk.texts("a"), [text]);
    assert_eq!(desk.texts("a.later"), ["all of it\n"]);
    assert_eq!(desk.texts("a.gz"), [""]);
    let skipped = |name: &str, to| {
        let reason = Some(Reason::Skipped);
        (name.to_owned(), EventKind::Gap, Some(0), to, reason)
    };
    let mut events = desk.events();
    events.sort_by(|one, other| one.0.cmp(&other.0));
    let told = [skipped("a", Some(old.len() as u64)), skipped("a.gz", None)];
    assert_eq!(events, told);
    desk.skips.clear();
    desk.restart();
    desk.settle();
    assert_eq!(desk.events().len(), 2, "skipped once, for good");
}

#[test]
fn what_is_older_than_the_settings_say_is_skipped() {
    let mut desk = Desk::new(&["a*"]);
    desk.skips = vec![SkipRule {
        first_scan: false,
        older: Some(Duration::from_secs(3600)),
    }];
    let at = |seconds_ago| {
        let now = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        FileTimes::new().set_modified(now - Duration::from_secs(seconds_ago))
    };
    for (name, seconds_ago) in [("a.old", 4000), ("a.new", 3000)] {
        desk.append(name, "line\n");
        desk.writer(name).set_times(at(seconds_ago)).unwrap();
    }
    desk.restart();
    desk.settle();
    assert_eq!(desk.texts("a.old"), ["?????"]);
    assert_eq!(desk.texts("a.new"), ["line\n"]);
    desk.append("a.old", "more\n");
    desk.settle();
    assert_eq!(desk.texts("a.old"), ["?????more\n"]);
}
