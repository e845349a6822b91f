//! Logs that are packed after their rotation: each line is archived once, whether the agent saw it before, after
//! or not at all.

use super::desk::Desk;
use super::rotation::{lines, step};
use crate::track::Mode;
use ledger::manifest::{EventKind, Reason};

/// Scans, reads and seals until nothing more comes.
fn settle(desk: &mut Desk) {
    for _ in 0..8 {
        desk.scan();
        desk.read(Mode::Follow);
        desk.seal();
        desk.now_ms += 31_000;
    }
}

/// How often each line is archived, in all sources together.
fn counts(desk: &Desk, tags: &[&str]) -> Vec<usize> {
    let bytes: Vec<u8> = desk
        .archive
        .values()
        .filter(|source| !source.continued)
        .flat_map(|source| source.bytes.clone())
        .collect();
    let text = String::from_utf8_lossy(&bytes);
    tags.iter()
        .map(|tag| text.lines().filter(|line| line.starts_with(tag)).count())
        .collect()
}

fn once(tags: &[&str], each: usize) -> Vec<usize> {
    vec![each; tags.len()]
}

#[test]
fn down_over_two_packed_rotations_nothing_is_lost_or_twice() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("a", lines("first", 3000));
    step(&mut desk);
    desk.append("a", lines("second", 9000));
    desk.rename("a", "a.1");
    desk.append("a", lines("third", 3000));
    desk.gzip("a.1");
    desk.rename("a.1.gz", "a.2.gz");
    desk.rename("a", "a.1");
    desk.append("a", lines("fourth", 3000));
    desk.restart();
    settle(&mut desk);
    let all = ["first", "second", "third", "fourth"];
    let each = all.map(|tag| lines(tag, 3000).lines().count());
    assert_eq!(counts(&desk, &all)[0], each[0]);
    assert_eq!(counts(&desk, &all)[2..], each[2..]);
    assert_eq!(
        counts(&desk, &["second"])[0],
        lines("second", 9000).lines().count()
    );
    assert_eq!(desk.events(), []);
    assert!(desk.tracker.scan(desk.now()).faults.is_empty());
}

#[test]
fn a_log_that_is_packed_while_it_is_followed_is_archived_once() {
    for beside in [false, true] {
        let mut desk = Desk::new(&["a*"]);
        desk.append("a", lines("one", 20_000));
        step(&mut desk);
        desk.rename("a", "a.1");
        desk.append("a", lines("two", 20_000));
        step(&mut desk);
        let packed = desk.packed("a.1");
        desk.append("a.1.gz", &packed[..packed.len() / 2]);
        step(&mut desk);
        desk.append("a.1.gz", &packed[packed.len() / 2..]);
        if beside {
            step(&mut desk);
        }
        desk.remove("a.1");
        settle(&mut desk);
        desk.restart();
        settle(&mut desk);
        let each = lines("one", 20_000).lines().count();
        assert_eq!(
            counts(&desk, &["one", "two"]),
            once(&["one", "two"], each),
            "{beside}"
        );
        assert_eq!(desk.events(), [], "{beside}");
    }
}

#[test]
fn equal_banners_do_not_confuse_packed_rotations() {
    let banner = lines("banner", 9000);
    let mut desk = Desk::new(&["a*"]);
    let tags = ["one", "two", "three"];
    desk.append("a", banner.clone() + &lines("one", 500));
    step(&mut desk);
    for tag in &tags[1..] {
        for n in (1..3).rev() {
            if desk.path(&format!("a.{n}.gz")).exists() {
                desk.rename(&format!("a.{n}.gz"), &format!("a.{}.gz", n + 1));
            }
        }
        desk.rename("a", "a.1");
        desk.append("a", banner.clone() + &lines(tag, 500));
        desk.gzip("a.1");
    }
    desk.restart();
    settle(&mut desk);
    let each: Vec<_> = tags
        .iter()
        .map(|tag| lines(tag, 500).lines().count())
        .collect();
    assert_eq!(counts(&desk, &tags), each);
    assert_eq!(counts(&desk, &["banner"]), [3 * banner.lines().count()]);
}

#[test]
fn a_packed_file_that_ends_amid_a_member_leaves_a_gap() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("b", lines("some", 90_000));
    let packed = desk.packed("b");
    desk.append("a.1.gz", &packed[..packed.len() / 2]);
    settle(&mut desk);
    let gaps = desk.events();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let (path, kind, _, to, reason) = &gaps[0];
    assert_eq!(
        (path.as_str(), *kind, *to, *reason),
        ("a.1.gz", EventKind::Gap, None, Some(Reason::Unreadable))
    );
    let text = desk.texts("a.1.gz").concat();
    assert!(text.len() > 1000 && lines("some", 90_000).starts_with(&text));
    desk.restart();
    settle(&mut desk);
    assert_eq!(desk.events().len(), 1, "stated once");
}

/// A packed file that ends within a member, as archived; and all of it.
fn broken_off() -> (Desk, Vec<u8>) {
    let mut desk = Desk::new(&["a*"]);
    desk.append("b", lines("some", 90_000));
    let packed = desk.packed("b");
    desk.append("a.1.gz", &packed[..packed.len() / 2]);
    settle(&mut desk);
    assert_eq!(desk.events().len(), 1);
    (desk, packed)
}

#[test]
fn a_packed_file_that_broke_off_ends_once() {
    let (mut desk, _) = broken_off();
    desk.restart();
    desk.remove("a.1.gz");
    settle(&mut desk);
    assert_eq!(desk.events().len(), 1, "{:?}", desk.events());
}

#[test]
fn nothing_follows_where_a_packed_file_broke_off() {
    for (restart, name) in [(false, "a.1.gz"), (false, "a.2.gz"), (true, "a.2.gz")] {
        let (mut desk, packed) = broken_off();
        desk.remove("a.1.gz");
        desk.append(name, &packed);
        if restart {
            desk.restart();
        }
        settle(&mut desk);
        let all = desk.texts(name).concat();
        assert!(all.ends_with(&lines("some", 90_000)), "{name}: all of it");
    }
    // Grown in its place.
    let (mut desk, packed) = broken_off();
    desk.append("a.1.gz", &packed[packed.len() / 2..]);
    settle(&mut desk);
    let kinds: Vec<_> = desk.events().iter().map(|event| event.1).collect();
    assert_eq!(kinds, [EventKind::Gap, EventKind::Ambiguous]);
}

#[test]
fn gzip_is_known_by_content_and_other_forms_are_passed_over() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("b", lines("packed", 3000));
    desk.append("a.log.odd", desk.packed("b"));
    desk.append("a.gz", "lines, whatever the name says\n");
    desk.append("a.xz", b"\xfd7zXZ\0and what follows");
    desk.append("a.journal", b"LPKSHHRHand what follows");
    settle(&mut desk);
    assert_eq!(desk.texts("a.log.odd"), [lines("packed", 3000)]);
    assert_eq!(desk.texts("a.gz"), ["lines, whatever the name says\n"]);
    let report = desk.scan();
    assert_eq!(report.faults, []);
    assert_eq!(report.undecided, 0);
    let notes: Vec<_> = report.notes.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(notes, ["journald, not read", "xz, not read"]);
    assert_eq!(desk.archive.len(), 2);
}

#[test]
fn a_packed_logs_inode_that_is_used_again_is_another_file() {
    let mut desk = Desk::new(&["a*"]);
    for _ in 0..20 {
        desk.append("a.1", lines("packed", 300));
        step(&mut desk);
        desk.gzip("a.1");
        settle(&mut desk);
        desk.restart();
        desk.remove("a.1.gz");
        desk.append("a.1", lines("new", 20_000));
        settle(&mut desk);
        assert!(desk.texts("a.1").contains(&lines("new", 20_000)));
        desk.remove("a.1");
        settle(&mut desk);
    }
}

#[test]
fn what_is_unpacked_to_its_end_is_not_unpacked_again_after_a_start() {
    let mut desk = Desk::new(&["a*"]);
    desk.append("b", lines("packed", 90_000));
    desk.append("a.1.gz", desk.packed("b"));
    settle(&mut desk);
    desk.restart();
    desk.scan();
    assert!(desk.next_unread().is_none(), "its end is known");
    desk.append("a.1.gz", desk.packed("b"));
    settle(&mut desk);
    assert_eq!(desk.texts("a.1.gz"), [lines("packed", 90_000).repeat(2)]);
}
