//! Makes tests/vectors/1: a small whole archive, and what a reader must refuse. Runs only when asked:
//! the vectors are frozen, for archives written in their form must stay readable.
//!
//! Everything comes from fixed values, so two runs differ at most in gzip's bytes (and in what is
//! hashed from them), which change with the library.

mod refused;
mod writer;

use ledger::codec::Codec;
use ledger::entry::PathBytes;
use ledger::manifest::{Event, EventKind, Kind, Reason, Source, StreamHead, Via, Was};
use ledger::name::Epoch;
use ledger::{Digest, signature};
use serde_json::{Value, json};
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;
use std::path::Path;
use writer::{Piece, Writer, start, write};

/// The key that signs the vectors. Anyone can make it: it must never be trusted for anything else.
fn private(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

/// A source's lines as pieces, one after the other from `offset`.
fn pieces(
    source: u64,
    path: &'static [u8],
    mut offset: u64,
    lines: &[&'static [u8]],
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for &bytes in lines {
        pieces.push(Piece {
            source,
            path,
            offset,
            bytes,
            cont: false,
        });
        offset += bytes.len() as u64;
    }
    pieces
}

fn end(pieces: &[Piece]) -> u64 {
    pieces
        .last()
        .map_or(0, |last| last.offset + last.bytes.len() as u64)
}

fn source(id: u64, path: &'static [u8], ino: u64, from: u64, to: u64) -> Source {
    let (path, path_base64) = Source::path_fields(&PathBytes(path.into()));
    Source {
        id,
        path,
        path_base64,
        dev: "66305".into(),
        ino: ino.to_string(),
        handle: Some(format!("01000000{ino:016x}")),
        via: Via::Plain,
        from,
        to,
        was: None,
    }
}

const AUTH_LOG: &[u8] = b"/var/log/auth.log";
const ODD_LOG: &[u8] = b"/var/log/odd-\xff.log";

/// What a rebuilt file must be: its pieces where they stood, zeros where a gap is.
fn rebuilt(parts: &[&[Piece]]) -> Vec<u8> {
    let mut file = Vec::new();
    for piece in parts.iter().flat_map(|part| part.iter()) {
        file.resize(usize::try_from(piece.offset).unwrap(), 0);
        file.extend_from_slice(piece.bytes);
    }
    file
}

/// Writes everything below `root`.
pub(super) fn write_all(root: &Path) {
    let epoch = |ms: u64, roll: u8| Epoch::new(start().micros() / 1000 + ms, &[roll; 10]);
    let started = |clean| Event::start(clean);

    // The agent's second stream: one line, then a stop on purpose.
    let mut app = Writer::begin(root, "app", epoch(1, 2), 0, vec![], vec![started(true)]);
    let hello = pieces(1, b"/srv/app/out.log", 0, &[b"hello\n"]);
    let hello_source = source(1, b"/srv/app/out.log", 21, 0, end(&hello));
    let app_file = rebuilt(&[&hello]);
    app.batch(Codec::Gzip, 10, &[hello], vec![hello_source], vec![]);
    let app_head = app.epoch_head().in_stream(app.head.stream.clone());
    app.next(Kind::Heartbeat, 40).events = vec![Event::new(EventKind::Stop)];
    app.head.next_due = None;
    app.store(Value::Null);

    let (auth, first_files) = first_epoch(root, epoch(0, 1), app_head);
    let (second, second_file) = second_epoch(root, epoch(300_000, 3), &auth);

    let files: Vec<(&str, Value, Vec<u8>)> = vec![
        ("app-1", json!([[app.head.epoch, 1]]), app_file),
        (
            "auth-1",
            json!([[auth.head.epoch, 1]]),
            first_files[0].clone(),
        ),
        (
            "auth-2",
            json!([[auth.head.epoch, 2]]),
            first_files[1].clone(),
        ),
        (
            "auth-3",
            json!([[auth.head.epoch, 3], [second.head.epoch, 1]]),
            [&first_files[2][..], &second_file].concat(),
        ),
    ];
    let mut sources = Vec::new();
    for (name, ids, bytes) in files {
        write(&root.join("sources").join(name), &bytes);
        sources.push(json!({"file": name, "ids": ids, "sha256": Digest::of(&bytes)}));
    }
    let agent = app.head.agent.clone();
    let line = signature::signers::line_for(&agent, private(42).public_key()).unwrap();
    write(
        &root.join("allowed_signers"),
        format!("{line}\n").as_bytes(),
    );
    let manifests = [app.expected, auth.expected, second.expected].concat();
    let expected = json!({"manifests": manifests, "sources": sources});
    write_json(&root.join("expected.json"), &expected);
    refused::write_all(root, &auth.head, &second.head);
}

fn write_json(path: &Path, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap();
    write(path, format!("{text}\n").as_bytes());
}

/// What is easy to get wrong in a line.
const FIRST_LINES: [&[u8]; 4] = [
    b"Nov 22 10:00:01 web-01 sshd[811]: Accepted publickey for deploy from 192.0.2.7\n",
    b"a carriage return\r\n",
    b"NUL \0, tab \t, quote \", backslash \\, escape \x1b[31m\n",
    "\u{feff}byte order mark, caf\u{e9}, line separator \u{2028}\n".as_bytes(),
];

/// Two batches, a heartbeat with heads, a stop; and what the three sources must be rebuilt to.
fn first_epoch(root: &Path, epoch: Epoch, app: StreamHead) -> (Writer, [Vec<u8>; 3]) {
    let mut auth = Writer::begin(root, "auth", epoch, 1, vec![], vec![Event::start(true)]);
    let plain = pieces(1, AUTH_LOG, 0, &FIRST_LINES);
    let rest = pieces(
        1,
        AUTH_LOG,
        end(&plain),
        &[b"\n", b"not UTF-8: \xff\xfe\n", b"half a li"],
    );
    let odd = pieces(2, ODD_LOG, 0, &[b"a source whose path is not UTF-8\n"]);
    let (half, odd_end) = (end(&rest), end(&odd));
    let first_files = [rebuilt(&[&plain, &rest]), rebuilt(&[&odd])];
    let sources = vec![
        source(1, AUTH_LOG, 11, 0, half),
        source(2, ODD_LOG, 12, 0, odd_end),
    ];
    auth.batch(
        Codec::Zstd,
        12,
        &[plain, chained(rest, odd)],
        sources,
        vec![],
    );

    // The half line is completed; 16 bytes cannot be read; then the file is cut by copytruncate and a
    // new one begins; the second source is read to its end from its compressed copy.
    let mut finish = pieces(1, AUTH_LOG, half, &[b"ne\n"]);
    finish[0].cont = true;
    let gap = (end(&finish), end(&finish) + 16);
    let after = pieces(1, AUTH_LOG, gap.1, &[b"after the gap\n"]);
    let odd_more = pieces(2, ODD_LOG, odd_end, &[b"from the plain file\n"]);
    let odd_gzip = pieces(2, ODD_LOG, end(&odd_more), &[b"from its .gz copy\n"]);
    let fresh = pieces(3, AUTH_LOG, 0, &[b"a new file at the old path\n"]);
    let copy = Source {
        via: Via::Gzip,
        ..source(2, ODD_LOG, 14, end(&odd_more), end(&odd_gzip))
    };
    let sources = vec![
        source(1, AUTH_LOG, 11, half, end(&after)),
        source(2, ODD_LOG, 12, odd_end, end(&odd_more)),
        copy,
        Source {
            handle: None,
            ..source(3, AUTH_LOG, 11, 0, end(&fresh))
        },
    ];
    let events = vec![
        Event::gap(1, gap.0, Some(gap.1), Reason::Unreadable),
        Event::gap(1, end(&after), None, Reason::Truncated),
        Event::about(EventKind::Weak, 3),
    ];
    let mut one = first_files[0].clone();
    one.extend(b"ne\n");
    one.resize(usize::try_from(gap.1).unwrap(), 0);
    one.extend(b"after the gap\n");
    let two = [
        &first_files[1][..],
        b"from the plain file\nfrom its .gz copy\n",
    ]
    .concat();
    let three = rebuilt(&[&fresh]);
    let all = chained(chained(finish, after), chained(odd_more, odd_gzip));
    auth.batch(Codec::Gzip, 22, &[all, fresh], sources, events);

    auth.next(Kind::Heartbeat, 30).heads = Some(vec![app]);
    auth.store(Value::Null);
    auth.next(Kind::Heartbeat, 60).events = vec![Event::new(EventKind::Stop)];
    auth.head.next_due = None;
    auth.store(Value::Null);
    (auth, [one, two, three])
}

fn chained(mut first: Vec<Piece>, second: Vec<Piece>) -> Vec<Piece> {
    first.extend(second);
    first
}

/// After a reboot and the loss of local state: a new epoch that names the first and continues in the
/// middle of its third source, then the end of the stream on purpose.
fn second_epoch(root: &Path, epoch: Epoch, first: &Writer) -> (Writer, Vec<u8>) {
    let from = 27;
    let events = vec![Event::start(true), Event::new(EventKind::StateLost)];
    let mut auth = Writer::begin(root, "auth", epoch, 300, vec![first.epoch_head()], events);
    let lines = pieces(
        1,
        AUTH_LOG,
        from,
        &[
            b"two\n",
            b"three\n",
            b"four\n",
            b"five\n",
            b"no LF at the end",
        ],
    );
    let was = Was {
        stream: first.head.stream.clone(),
        epoch: first.head.epoch,
        id: 3,
    };
    let sources = vec![Source {
        was: Some(was),
        ..source(1, AUTH_LOG, 11, from, end(&lines))
    }];
    let bytes = lines
        .iter()
        .flat_map(|piece| piece.bytes)
        .copied()
        .collect();
    auth.batch(Codec::Zstd, 310, &[lines], sources, vec![]);
    auth.next(Kind::Close, 320);
    auth.store(Value::Null);
    (auth, bytes)
}
