//! Batches that fit, batches that do not, and what the archiver's half says of them.

use super::*;
use crate::fixture::{Sealer, key, signed, spool};
use std::fs;
use std::os::unix::fs::symlink;

const BODY: &[u8] = b"no frame at all";

fn folder(spool: &Path, id: &BatchId) -> PathBuf {
    spool.join(SEALED).join(id.to_string())
}

fn mark(spool: &Path, id: &BatchId, extension: &str) {
    let path = spool.join(RECEIPTS).join(format!("{id}.{extension}"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, b"").unwrap();
}

fn next(view: &StreamView) -> Option<u64> {
    view.outlook.next.map(|next| next.seq)
}

#[test]
fn a_batch_that_fits_is_read_whole() {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    let genesis = sealer.genesis(&[]);
    let id = sealer.batch(BODY);
    let found = Spool::open(spool.path()).unwrap();
    assert_eq!(found.read(&genesis).unwrap().body, None);
    let batch = found.read(&id).unwrap();
    assert_eq!(batch.body.as_deref(), Some(BODY));
    assert_eq!(BatchId::from(&batch.slot()), id);
    assert_eq!(batch.line_sha256, sealer.head().sha256);
    let streams: Vec<String> = found
        .streams()
        .unwrap()
        .iter()
        .map(Name::to_string)
        .collect();
    assert_eq!(streams, ["auth"]);
}

#[test]
fn folders_without_end_are_refused_before_they_fill_memory_and_status() {
    let spool = spool();
    let found = Spool::open(spool.path()).unwrap();
    let long = "s".repeat(50);
    for n in 0..=4096 {
        fs::create_dir_all(spool.path().join(format!("sealed/{long}{n}"))).unwrap();
    }
    let refused = found.streams().unwrap_err();
    assert!(
        refused.to_string().contains("more than 4096 streams"),
        "{refused}"
    );
    fs::remove_dir(spool.path().join(format!("sealed/{long}7"))).unwrap();
    let streams = found.streams().unwrap();
    assert_eq!(streams.len(), 4096);
    let health = crate::health::Health::new("file:///store", ledger::Moment::from_micros(0));
    for stream in &streams {
        health.drained(stream);
    }
    let now = ledger::Moment::from_micros(1);
    let folder = Folder::open(spool.path()).unwrap();
    assert!(health.write(&folder, &[], now, true).unwrap());
    let told = crate::health::Status::read(&folder).unwrap();
    assert_eq!(told.streams.len(), 4096);
}

#[test]
fn whatever_does_not_fit_is_rot() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 12] = [
        ("a flipped bit", |at| {
            let mut bytes = fs::read(at.join("body")).unwrap();
            bytes[3] ^= 1;
            fs::write(at.join("body"), bytes).unwrap();
        }),
        ("a short body", |at| {
            fs::write(at.join("body"), &BODY[1..]).unwrap()
        }),
        ("a long body", |at| {
            fs::write(at.join("body"), [BODY, b"x"].concat()).unwrap();
        }),
        ("no body", |at| fs::remove_file(at.join("body")).unwrap()),
        ("no manifest", |at| {
            fs::remove_file(at.join("manifest")).unwrap()
        }),
        ("an empty manifest", |at| {
            fs::write(at.join("manifest"), b"").unwrap()
        }),
        ("a manifest without end", |at| {
            let endless = vec![b'x'; ledger::limits::MANIFEST_FILE_MAX + 1];
            fs::write(at.join("manifest"), endless).unwrap();
        }),
        ("another line under the signature", |at| {
            let bytes = fs::read(at.join("manifest")).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            let other = text.replace("\"agent_version\":\"0.1.0\"", "\"agent_version\":\"0.1.1\"");
            assert_ne!(text, other);
            fs::write(at.join("manifest"), other).unwrap();
        }),
        ("a signed line that is no manifest", |at| {
            fs::write(at.join("manifest"), signed(&key(1), b"{}\n")).unwrap();
        }),
        ("a symlink for a body", |at| {
            fs::rename(at.join("body"), at.join("elsewhere")).unwrap();
            symlink(at.join("elsewhere"), at.join("body")).unwrap();
        }),
        ("a folder for a body", |at| {
            fs::remove_file(at.join("body")).unwrap();
            fs::create_dir(at.join("body")).unwrap();
        }),
        ("a file for the batch", |at| {
            fs::remove_dir_all(at).unwrap();
            fs::write(at, b"").unwrap();
        }),
    ];
    for (name, damage) in damages {
        let spool = spool();
        let mut sealer = Sealer::new(spool.path(), "auth", 1);
        sealer.genesis(&[]);
        let id = sealer.batch(BODY);
        let found = Spool::open(spool.path()).unwrap();
        assert!(found.read(&id).is_ok());
        damage(&folder(spool.path(), &id));
        let error = found.read(&id).unwrap_err();
        assert!(matches!(error, BatchError::Rot(_)), "{name}: {error}");
    }
}

#[test]
fn a_batch_of_another_place_is_rot_and_one_that_is_gone_is_absent() {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    sealer.genesis(&[]);
    let id = sealer.heartbeat();
    let found = Spool::open(spool.path()).unwrap();
    let renumbered = BatchId {
        seq: 2,
        ..id.clone()
    };
    fs::rename(folder(spool.path(), &id), folder(spool.path(), &renumbered)).unwrap();
    assert!(matches!(found.read(&renumbered), Err(BatchError::Rot(_))));
    assert!(matches!(found.read(&id), Err(BatchError::Absent)));
    let other = BatchId {
        stream: "none".parse().unwrap(),
        ..id
    };
    assert!(matches!(found.read(&other), Err(BatchError::Absent)));
}

#[test]
fn between_close_looks_only_the_next_number_is_asked_for() {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    let genesis = sealer.genesis(&[]);
    let found = Spool::open(spool.path()).unwrap();
    let (mut view, now) = (StreamView::default(), Instant::now());
    let stream = genesis.stream.clone();
    let look = |view: &mut StreamView, later: Duration| {
        found.refresh(&stream, view, now + later).unwrap();
        (next(view), view.outlook.backlog)
    };
    assert_eq!(look(&mut view, Duration::ZERO), (Some(0), 1));
    mark(spool.path(), &genesis, "receipt");
    view.passed(view.outlook.next.unwrap());
    assert_eq!(look(&mut view, Duration::ZERO), (None, 0));
    let one = sealer.heartbeat();
    sealer.heartbeat();
    assert_eq!(look(&mut view, Duration::ZERO), (Some(1), 1));
    mark(spool.path(), &one, "receipt");
    view.passed(view.outlook.next.unwrap());
    assert_eq!(look(&mut view, Duration::ZERO), (Some(2), 1));
    // One that is gone though a later one is there shows at the latest at the next close look.
    let gone = BatchId { seq: 2, ..one };
    fs::rename(folder(spool.path(), &gone), spool.path().join("kept")).unwrap();
    sealer.heartbeat();
    assert_eq!(look(&mut view, RESCAN_EVERY), (Some(2), 1));
    assert!(matches!(found.read(&gone), Err(BatchError::Absent)));
}

#[test]
fn a_new_epoch_is_seen_at_once_and_comes_after_what_it_continues() {
    let spool = spool();
    let mut old = Sealer::new(spool.path(), "auth", 9);
    let genesis = old.genesis(&[]);
    let found = Spool::open(spool.path()).unwrap();
    let (mut view, now) = (StreamView::default(), Instant::now());
    found.refresh(&genesis.stream, &mut view, now).unwrap();
    let head = old.head();
    let void = old.heartbeat();
    let mut new = Sealer::new(spool.path(), "auth", 1);
    let successor = new.genesis(&[head]);
    found.refresh(&genesis.stream, &mut view, now).unwrap();
    let expected = |id: &BatchId, last| {
        let (epoch, seq) = (id.epoch, id.seq);
        Some(Next { epoch, seq, last })
    };
    assert_eq!(view.outlook.next, expected(&genesis, 0));
    assert_eq!(view.outlook.backlog, 2);
    mark(spool.path(), &genesis, "receipt");
    view.passed(view.outlook.next.unwrap());
    found.refresh(&genesis.stream, &mut view, now).unwrap();
    assert_eq!(view.outlook.next, expected(&successor, u64::MAX));
    assert_ne!(void.epoch, successor.epoch);
}

#[test]
fn marks_go_with_their_batches_and_foreign_files_stay() {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    let genesis = sealer.genesis(&[]);
    let kept = sealer.heartbeat();
    for (id, extension) in [(&genesis, "receipt"), (&kept, "receipt"), (&genesis, "bad")] {
        mark(spool.path(), id, extension);
    }
    let other_epoch = BatchId {
        epoch: Epoch::new(2, &[0; 10]),
        ..genesis.clone()
    };
    mark(spool.path(), &other_epoch, "conflict");
    let receipts = spool
        .path()
        .join(RECEIPTS)
        .join("auth")
        .join(genesis.epoch.to_string());
    fs::write(receipts.join("note"), b"").unwrap();
    fs::remove_dir_all(folder(spool.path(), &genesis)).unwrap();
    let found = Spool::open(spool.path()).unwrap();
    let mut view = StreamView::default();
    found
        .refresh(&genesis.stream, &mut view, Instant::now())
        .unwrap();
    let mut left: Vec<_> = fs::read_dir(&receipts)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [&format!("{:020}.receipt", 1), "note"]);
    assert!(
        !receipts
            .with_file_name(other_epoch.epoch.to_string())
            .exists()
    );
    assert_eq!(view.outlook.next, None);
}

#[test]
fn a_start_sweeps_what_killed_writes_left_and_nothing_else() {
    let spool = spool();
    let id = Sealer::new(spool.path(), "auth", 1).genesis(&[]);
    mark(spool.path(), &id, "receipt");
    let root = spool.path().join(RECEIPTS);
    let epoch = root.join("auth").join(id.epoch.to_string());
    let elsewhere = root.join(".other");
    fs::create_dir(&elsewhere).unwrap();
    for folder in [&root, &root.join("auth"), &epoch, &elsewhere] {
        fs::write(folder.join(".tmp-0"), b"").unwrap();
        fs::write(folder.join("note"), b"").unwrap();
    }
    Spool::open(spool.path()).unwrap().sweep().unwrap();
    assert!(!root.join(".tmp-0").exists() && !epoch.join(".tmp-0").exists());
    // Nothing of ours is ever written there.
    assert!(root.join("auth/.tmp-0").exists() && elsewhere.join(".tmp-0").exists());
    let kept = epoch.join(format!("{:020}.receipt", 0));
    assert!(root.join("note").exists() && epoch.join("note").exists() && kept.exists());
}

#[test]
fn what_waits_is_counted_with_its_age_and_what_cannot_be_counted_is_said() {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    let ids = [sealer.genesis(&[]), sealer.heartbeat(), sealer.heartbeat()];
    let found = Spool::open(spool.path()).unwrap();
    let count = || found.waiting(&ids[0].stream, &mut BTreeMap::new());
    assert_eq!(count().unwrap().count, 3);
    mark(spool.path(), &ids[0], "receipt");
    let old = folder(spool.path(), &ids[1]);
    let hour = std::time::UNIX_EPOCH + Duration::from_secs(3600);
    fs::File::open(old).unwrap().set_modified(hour).unwrap();
    let waiting = count().unwrap();
    assert_eq!(waiting.count, 2);
    assert_eq!(waiting.oldest.unwrap().seconds(), 3600);
    let epoch = folder(spool.path(), &ids[0]).parent().unwrap().to_owned();
    fs::remove_dir_all(&epoch).unwrap();
    fs::write(&epoch, b"").unwrap();
    assert!(count().is_err());
}
