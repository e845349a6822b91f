//! Files of every kind, drained and rebuilt from what was sealed, byte for byte.

use super::*;
use crate::testing::receipt_for;

/// Bytes of every awkward kind.
fn awkward() -> Vec<(&'static str, Vec<u8>)> {
    let mut long = vec![b'l'; 3 * 1024 * 1024];
    long.push(b'\n');
    let all: Vec<u8> = (0..=255).collect();
    let mut many = Vec::new();
    for number in 0..40_000 {
        many.extend_from_slice(
            format!("{number} a line of some length, as logs have\n").as_bytes(),
        );
    }
    vec![
        ("crlf.log", b"one\r\ntwo\r\n\r\n".to_vec()),
        ("nul.log", b"\0\0\n\0x\n".to_vec()),
        ("bad.log", [&b"\xff\xfe\n"[..], &all, b"\n\xc3"].concat()),
        ("bom.log", b"\xef\xbb\xbfbom\n".to_vec()),
        ("open.log", b"first\nno newline at the end".to_vec()),
        ("long.log", long),
        ("empty.log", Vec::new()),
        ("many.log", many),
    ]
}

#[test]
fn a_drain_archives_every_byte_and_the_next_one_what_was_added() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("all", "*.log")]);
    for (name, bytes) in awkward() {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let unfinished = Agent::open(&config).unwrap().drain().unwrap();
    assert_eq!(unfinished, Unfinished::default());
    let mut expected = awkward();
    for (name, bytes) in &mut expected {
        bytes.extend_from_slice(b" and more\n");
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let unfinished = Agent::open(&config).unwrap().drain().unwrap();
    assert_eq!(unfinished, Unfinished::default());
    let audited = audit(&crate::spool::Layout::new(&config.spool), &name("all"));
    for (name, bytes) in expected {
        let path = dir.path().join(name).display().to_string();
        assert!(audited.file(&path) == bytes, "{name} is not rebuilt");
    }
}

#[test]
fn a_backlog_does_not_keep_fresh_lines_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("all", "*.log")]);
    let backlog = b"an old line of a file that nobody has read yet\n".repeat(200_000);
    std::fs::write(dir.path().join("backlog.log"), &backlog).unwrap();
    let mut agent = Agent::open(&config).unwrap();
    agent.scan(Now::read());
    agent.turn(Mode::Follow).unwrap();
    let fresh = dir.path().join("fresh.log");
    std::fs::write(&fresh, b"fresh\n").unwrap();
    agent.scan(Now::read());
    for _ in 0..3 {
        agent.turn(Mode::Follow).unwrap();
    }
    let status = |path: &Path| {
        let path = path.display().to_string();
        let health = agent.streams.tracker().status();
        health
            .into_iter()
            .find(|source| source.path.display() == path)
            .unwrap()
    };
    assert_eq!(status(&fresh).read, 6);
    let old = status(&dir.path().join("backlog.log"));
    assert!(
        old.read < old.size,
        "the backlog is far from done: {}",
        old.read
    );
}

#[test]
fn what_was_discarded_is_read_and_sealed_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("all", "*.log")]);
    let lines = b"a line that must not be lost\n".repeat(100_000);
    std::fs::write(dir.path().join("a.log"), &lines).unwrap();
    let mut agent = Agent::open(&config).unwrap();
    let tmp = config.spool.join("tmp");
    agent.scan(Now::read());
    // The first block finds no folder to be written into, after others were taken.
    std::fs::remove_dir(&tmp).unwrap();
    for _ in 0..10 {
        agent.turn(Mode::Drain).unwrap();
    }
    assert!(agent.streams.retry().is_some());
    let still = &agent.streams.tracker().status()[0];
    assert_eq!((still.sealed, still.read), (0, 0));
    std::fs::create_dir(&tmp).unwrap();
    agent.streams.retry_now();
    assert_eq!(agent.drain().unwrap(), Unfinished::default());
    let audited = audit(&crate::spool::Layout::new(&config.spool), &name("all"));
    let path = dir.path().join("a.log").display().to_string();
    assert!(audited.file(&path) == lines);
}

/// Lines that hardly compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut roll: u32 = 7;
    let byte = || {
        roll = roll.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'!' + u8::try_from(roll >> 26).unwrap()
    };
    let mut noise: Vec<u8> = std::iter::repeat_with(byte).take(bytes).collect();
    noise
        .iter_mut()
        .skip(999)
        .step_by(1000)
        .for_each(|byte| *byte = b'\n');
    noise
}

/// Gives every sealed batch of the stream a receipt, as the archiver does.
fn receipt_all(config: &Config, stream: &str) {
    let layout = crate::spool::Layout::new(&config.spool);
    for manifest in audit(&layout, &name(stream)).manifests {
        let file = std::fs::read(layout.batch(&manifest.slot()).join("manifest")).unwrap();
        let (line, _) = ledger::signature::split(&file).unwrap();
        receipt_for(&layout, &manifest.slot(), ledger::Digest::of(line));
    }
}

#[test]
fn a_full_spool_drains_once_what_is_in_the_store_may_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = made(dir.path(), &[("all", "*.log")]);
    config.spool_cap = 5 << 20;
    let lines = noise(5_000_000);
    let path = dir.path().join("a.log");
    std::fs::write(&path, &lines).unwrap();
    let unfinished = Agent::open(&config).unwrap().drain().unwrap();
    assert!(
        unfinished.0[1].contains("the spool is full"),
        "{unfinished:?}"
    );
    let layout = crate::spool::Layout::new(&config.spool);
    let before = audit(&layout, &name("all"));
    receipt_all(&config, "all");
    assert_eq!(
        Agent::open(&config).unwrap().drain().unwrap(),
        Unfinished::default()
    );
    // What is left begins in the middle of the chain; with what went it is the whole file.
    let after = audit(&layout, &name("all"));
    let kept = after.manifests[0].seq;
    assert!(kept > 0, "nothing was deleted");
    let path = path.display().to_string();
    let went = before
        .manifests
        .iter()
        .filter(|manifest| manifest.seq < kept);
    let went: u64 = went
        .flat_map(|manifest| &manifest.sources)
        .map(|it| it.to - it.from)
        .sum();
    let went = usize::try_from(went).unwrap();
    assert!(before.file(&path)[..went] == lines[..went]);
    assert!(after.file(&path) == lines[went..]);
}
