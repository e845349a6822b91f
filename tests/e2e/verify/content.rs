//! What is wrong in a body or a manifest, judged in copies: each fault once.

use super::draft::{Draft, Lines, key, pack, restate, root, signed, unit};
use super::judged::{assert_all, assert_found, judge_copy, judge_copy_by, signers};
use harness::unpack;
use ledger::codec::Codec;
use ledger::finding::Code;
use ledger::finding::Severity::{Critical, Inconclusive, Interference};
use ledger::manifest::Manifest;
use ledger::{Digest, Moment};

fn start() -> Moment {
    "2026-11-22T10:00:00.000000Z".parse().unwrap()
}

/// Genesis, a batch that `spoil` and `restate` change, a batch, a heartbeat.
fn archive(
    spoil: impl FnOnce(&mut Lines),
    restate: impl FnOnce(&mut Manifest, &mut Vec<u8>),
) -> Draft {
    let mut draft = Draft::begin(start());
    draft.batch_with(5, spoil, restate);
    draft.batch(3);
    draft.heartbeat(|_| {});
    draft
}

/// The one critical finding of an archive whose second manifest was drawn up wrong.
#[track_caller]
fn assert_body(
    code: Code,
    spoil: impl FnOnce(&mut Lines),
    restate: impl FnOnce(&mut Manifest, &mut Vec<u8>),
) {
    assert_found(
        &judge_copy(&archive(spoil, restate).objects),
        code,
        Critical,
    );
}

fn replace(line: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(line.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    *line = text.replacen(from, to, 1).into_bytes();
}

#[test]
fn a_whole_archive_is_clean_and_says_over_how_much() {
    let draft = archive(|_| {}, |_, _| {});
    let report = judge_copy(&draft.objects);
    assert_all(&report, &[]);
    let coverage = &report.coverage;
    assert_eq!(
        (coverage.agents, coverage.streams, coverage.epochs),
        (1, 1, 1)
    );
    assert_eq!(
        (coverage.manifests, coverage.bodies, coverage.entries),
        (4, 2, 8)
    );
    assert_eq!(coverage.log_bytes, 80);
    assert_eq!(coverage.versions, 6);
    assert_eq!(coverage.first, Some(draft.manifests[1].time.sealed));
    assert_eq!(coverage.last, Some(draft.manifests[2].time.sealed));
}

#[test]
fn one_flipped_byte_in_a_body() {
    let mut draft = archive(|_| {}, |_, _| {});
    let body = draft.body_key(1);
    draft.objects.get_mut(&body).unwrap().bytes[40] ^= 1;
    let report = judge_copy(&draft.objects);
    assert_found(&report, Code::StoredHash, Critical);
    let finding = &report.findings[0];
    assert_eq!(finding.key.as_deref(), Some(body.as_str()));
    assert_eq!(finding.seq, Some(1));
    let signed = draft.manifests[1].stored.as_ref().unwrap().sha256;
    assert_eq!(finding.expected, Some(signed.to_string()));
    assert!(finding.by_hand.as_ref().unwrap().starts_with("sha256sum "));
}

#[test]
fn blocks_that_do_not_fit_their_table() {
    assert_body(
        Code::BlockHash,
        |_| {},
        |manifest, _| {
            manifest.blocks.as_mut().unwrap()[1].sha256 = Digest::of(b"other");
        },
    );
}

#[test]
fn a_block_is_exactly_one_frame_or_member() {
    for codec in Codec::ALL {
        let extended = |tail: Vec<u8>| {
            move |manifest: &mut Manifest, stored: &mut Vec<u8>| {
                let (blocks, bytes) = pack(codec, &lines_of(stored), 100);
                let bytes = [bytes, tail].concat();
                restate(manifest, stored, codec, bytes, blocks[0].raw);
            }
        };
        let forged = unit(codec, b"{\"forged\":1}\n");
        assert_body(Code::BlockTrailing, |_| {}, extended(b"garbage".to_vec()));
        assert_body(Code::BlockTrailing, |_| {}, extended(forged));
        let damaged = |damage: fn(&mut Vec<u8>)| {
            move |manifest: &mut Manifest, stored: &mut Vec<u8>| {
                let (blocks, mut bytes) = pack(codec, &lines_of(stored), 100);
                damage(&mut bytes);
                restate(manifest, stored, codec, bytes, blocks[0].raw);
            }
        };
        let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 3);
        assert_body(Code::BlockBad, |_| {}, damaged(cut));
        assert_body(Code::BlockBad, |_| {}, damaged(|bytes| bytes[4] = 1));
        // The codec that the manifest states, and no other.
        assert_body(
            Code::BlockBad,
            |_| {},
            |manifest, stored| {
                let (blocks, bytes) = pack(codec, &lines_of(stored), 100);
                let other = Codec::ALL.into_iter().find(|other| *other != codec);
                restate(manifest, stored, other.unwrap(), bytes, blocks[0].raw);
            },
        );
    }
}

/// The lines of a drafted body, read with the stock reader.
fn lines_of(stored: &[u8]) -> Lines {
    let raw = unpack::stock(Codec::Zstd, stored);
    raw.strip_suffix(b"\n")
        .unwrap()
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

#[test]
fn a_bomb_is_not_unpacked() {
    for codec in Codec::ALL {
        assert_body(
            Code::BlockBad,
            |_| {},
            |manifest, stored| {
                let bomb = unit(codec, &vec![b'0'; 20 << 20]);
                restate(manifest, stored, codec, bomb, 1000);
            },
        );
    }
}

#[test]
fn counts_and_roots() {
    assert_body(
        Code::RootMismatch,
        |_| {},
        |manifest, _| {
            manifest.entries.root = Digest::of(b"other");
        },
    );
    // Another entry than the one that was hashed into the tree, under right hashes of the bytes.
    assert_body(
        Code::RootMismatch,
        |_| {},
        |manifest, stored| {
            let mut lines = lines_of(stored);
            replace(&mut lines[2], "line", "lint");
            let (blocks, bytes) = pack(Codec::Zstd, &lines, 100);
            restate(manifest, stored, Codec::Zstd, bytes, blocks[0].raw);
        },
    );
    assert_body(
        Code::CountMismatch,
        |_| {},
        |manifest, _| {
            let blocks = manifest.blocks.as_mut().unwrap();
            blocks[0].count -= 1;
            blocks[1].count += 1;
        },
    );
}

#[test]
fn entries_that_break_a_rule() {
    assert_body(
        Code::EntryFormat,
        |lines| lines[1] = b"not json".to_vec(),
        |_, _| {},
    );
    assert_body(Code::EntryFormat, |lines| lines[1].clear(), |_, _| {});
    let twice = |lines: &mut Lines| replace(&mut lines[1], "{", "{\"a\":1,\"a\":2,");
    assert_body(Code::EntryFormat, twice, |_, _| {});
    let renumber = |lines: &mut Lines| replace(&mut lines[2], "sequence\":2", "sequence\":7");
    assert_body(Code::EntrySequence, renumber, |_, _| {});
    let moved = |lines: &mut Lines| replace(&mut lines[2], "auth.log", "other.log");
    assert_body(Code::EntrySource, moved, |_, _| {});
    let foreign = |lines: &mut Lines| replace(&mut lines[2], "file.id\":1", "file.id\":9");
    assert_body(Code::EntrySource, foreign, |_, _| {});
    let inside = |lines: &mut Lines| {
        replace(
            &mut lines[2],
            ",\"message\"",
            ",\"log.flags\":[\"cont\"],\"message\"",
        );
    };
    assert_body(Code::EntryCont, inside, |_, _| {});
    let amid_at_first = |lines: &mut Lines| {
        replace(
            &mut lines[0],
            ",\"message\"",
            ",\"log.flags\":[\"cont\"],\"message\"",
        );
    };
    assert_body(Code::EntryCont, amid_at_first, |_, _| {});
    for index in [0, 4] {
        let later = |lines: &mut Lines| replace(&mut lines[index], "10:01:00", "10:01:01");
        assert_body(Code::EntryTime, later, |_, _| {});
    }
}

#[test]
fn bytes_that_are_left_out_or_repeated() {
    let moved = |from: &'static str, to: &'static str| {
        move |lines: &mut Lines| replace(&mut lines[2], from, to)
    };
    assert_body(
        Code::ByteGap,
        moved("offset\":20", "offset\":21"),
        |_, _| {},
    );
    assert_body(
        Code::ByteOverlap,
        moved("offset\":20", "offset\":19"),
        |_, _| {},
    );
    // The range says more than the entries fill, within the batch and towards the next.
    let report = judge_copy(&archive(|_| {}, |manifest, _| manifest.sources[0].to = 55).objects);
    assert_all(
        &report,
        &[(Code::ByteGap, Critical), (Code::ByteOverlap, Critical)],
    );
}

#[test]
fn manifests_of_another_key_are_no_evidence() {
    let draft = archive(|_| {}, |_, _| {});
    let again = draft.signed_again(&key(2));
    let report = judge_copy(&again);
    assert_eq!(report.exit_code, 1);
    let invalid = report
        .findings
        .iter()
        .filter(|one| one.code == Code::SigInvalid);
    let seqs: Vec<_> = invalid.map(|one| (one.severity, one.seq)).collect();
    let all: Vec<_> = (0..4).map(|seq| (Critical, Some(seq))).collect();
    assert_eq!(seqs, all, "{:#?}", report.findings);
    // By that key's own pin they are whole.
    assert_all(&judge_copy_by(&again, signers(&key(2), &["web-01"])), &[]);
}

#[test]
fn a_foreign_object_in_the_chain_and_one_after_it() {
    let draft = archive(|_| {}, |_, _| {});
    let mut inside = draft.objects.clone();
    inside.insert(
        draft.manifest_key(2),
        draft.signed_again(&key(2))[&draft.manifest_key(2)].clone(),
    );
    let report = judge_copy(&inside);
    let expected = [
        (Code::SigInvalid, Critical),
        (Code::SeqGap, Critical),
        (Code::Orphan, ledger::finding::Severity::Note),
    ];
    assert_all(&report, &expected);

    let mut longer = draft.clone();
    longer.key = key(2);
    longer.heartbeat(|_| {});
    assert_found(&judge_copy(&longer.objects), Code::SigInvalid, Interference);
}

#[test]
fn a_statement_counts_under_its_own_name_alone() {
    let draft = archive(|_| {}, |_, _| {});
    let mut objects = draft.objects.clone();
    let next = draft.manifest_key(3).replace("3.manifest", "4.manifest");
    objects.insert(next, objects[&draft.manifest_key(3)].clone());
    assert_found(&judge_copy(&objects), Code::SigScope, Interference);
}

#[test]
fn any_other_spelling_is_no_signature() {
    let draft = archive(|_| {}, |_, _| {});
    let tail = draft.manifest_key(3);
    let spoilt = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut objects = draft.objects.clone();
        change(&mut objects.get_mut(&tail).unwrap().bytes);
        judge_copy(&objects)
    };
    let invalid = |report| assert_found(&report, Code::SigInvalid, Interference);
    invalid(spoilt(&|bytes| bytes.push(b'\n')));
    invalid(spoilt(&|bytes| bytes.insert(1, b' ')));
    invalid(spoilt(&|bytes| bytes.clear()));
    let huge = spoilt(&|bytes| bytes.resize(2 << 20, b'x'));
    assert_found(&huge, Code::SizeLimit, Interference);
}

#[test]
fn an_agent_without_a_pin_is_refused_not_trusted() {
    let draft = archive(|_| {}, |_, _| {});
    let report = judge_copy_by(&draft.objects, signers(&key(1), &["web-02"]));
    assert_found(&report, Code::UnknownSigner, Inconclusive);
    assert_eq!((report.coverage.refused, report.coverage.manifests), (4, 0));
}

#[test]
fn formats_of_another_time() {
    let tail_as = |change: &dyn Fn(&str) -> String| {
        let mut draft = archive(|_| {}, |_, _| {});
        let tail = draft
            .objects
            .get_mut(&draft.manifests[3].slot().manifest_key())
            .unwrap();
        let line = String::from_utf8(tail.bytes.clone()).unwrap();
        let line = change(&(line.lines().next().unwrap().to_owned() + "\n"));
        tail.bytes = signed(&key(1), line.as_bytes());
        judge_copy(&draft.objects)
    };
    let newer = tail_as(&|line| line.replace("{\"v\":1,", "{\"v\":2,\"extra\":[],"));
    assert_found(&newer, Code::UnknownFormat, Inconclusive);
    let record = tail_as(&|line| line.replace("\"heartbeat\"", "\"record\""));
    assert_found(&record, Code::UnknownFormat, Inconclusive);
    let critical = tail_as(&|line| {
        line.replace(
            "\"ext\":{},\"crit\":[]",
            "\"ext\":{\"x\":1},\"crit\":[\"x\"]",
        )
    });
    assert_found(&critical, Code::UnknownFormat, Inconclusive);
    let broken = tail_as(&|line| line.replace("\"heartbeat_s\":300", "\"heartbeat_s\":301"));
    assert_found(&broken, Code::ManifestFormat, Critical);
}

#[test]
fn the_root_is_what_the_draft_says() {
    let (_, bytes) = pack(Codec::Zstd, &[b"a".to_vec(), b"b".to_vec()], 1);
    assert_eq!(lines_of(&bytes), [b"a", b"b"]);
    assert_ne!(
        root(&lines_of(&bytes)),
        root(&[b"b".to_vec(), b"a".to_vec()])
    );
}
