//! Lines go in while logs rotate, locked objects come out, an auditor proves it.

use harness::samples::{self, Sample};
use harness::site::files_below;
use harness::unpack;
use harness::world::{Archive, check_locks};
use harness::{Kind, Rotation, Server, Site, Writer, cache, on_every_server, wait_for};
use ledger::codec::Codec;
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Lines between two rotations of a file.
const LINES_A_LIFE: usize = 600;

/// Lines of one file between two pauses, so that writing takes seconds and meets the agent at work.
const LINES_A_ROUND: usize = 8;

const PAUSE: Duration = Duration::from_millis(2);

/// Two streams over the eight logs, sealed every second.
const STREAMS: &str = r#"
[seal]
age = "1s"
[[stream]]
name = "system"
include = ["{logs}/Linux*", "{logs}/Mac*", "{logs}/Windows*", "{logs}/OpenSSH*"]
retention = "1d"
[[stream]]
name = "rest"
include = ["{logs}/*"]
retention = "2d"
"#;

on_every_server! {
    rotating_logs_reach_a_bucket_and_come_back_byte_for_byte,
}

fn rotating_logs_reach_a_bucket_and_come_back_byte_for_byte(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.bucket("flow");
    let site = Site::on(&server, &bucket.url("prod"), STREAMS);
    let made = site.bucket_create(&["--retention", "1d"]).expect(0);
    drop(made);
    let written = live(&site);

    let copy = TempDir::new().unwrap();
    bucket.download("prod/", copy.path());
    check(&site, copy.path(), &written);
    assert_eq!(check_locks(&bucket, "prod/", 1), 0);
}

#[test]
fn rotating_logs_reach_a_directory_and_come_back_byte_for_byte() {
    let store = TempDir::new().unwrap();
    let site = Site::new(&format!("file://{}", store.path().display()), STREAMS);
    let written = live(&site);
    check(&site, store.path(), &written);
}

#[test]
fn a_body_is_in_the_codec_that_the_settings_choose() {
    for (seal, extension, codec) in [
        ("", "zst", Codec::Zstd),
        ("[seal]\ncodec = \"gzip\"\nlevel = 6", "gz", Codec::Gzip),
    ] {
        let store = TempDir::new().unwrap();
        let streams = "[[stream]]\nname = \"all\"\ninclude = [\"{logs}/*\"]\nretention = \"1d\"\n";
        let url = format!("file://{}", store.path().display());
        let site = Site::new(&url, &format!("{seal}\n{streams}"));
        site.init();
        std::fs::write(site.log("a.log"), b"one\ntwo\n").unwrap();
        drop(site.agent(&["drain"]).expect(0));
        drop(site.archive(&["--once"]).expect(0));
        let bodies = files_below(&store.path().join("entries"));
        let [body] = &bodies[..] else {
            panic!("one body: {bodies:?}")
        };
        assert_eq!(body.extension().unwrap(), extension);
        let entries = unpack::stock(codec, &std::fs::read(body).unwrap());
        assert_eq!(entries.iter().filter(|byte| **byte == b'\n').count(), 2);
        site.verify_clean();
    }
}

/// Feeds all logs while agent and archiver run, then stops both in order; gives what was written.
fn live(site: &Site) -> Vec<Vec<u8>> {
    site.init();
    let agent = site.start(site.agent_command(&["run"]), "run");
    let archiver = site.start(site.archive_command(&[]), "archive");
    let written = feed(site, &samples::logs());
    stop(agent);
    // The logs end inside a line, which `run` leaves for later and `drain` takes.
    drop(site.agent(&["drain"]).expect(0));
    wait_for("all batches to be archived", || {
        site.unreceipted().is_empty().then_some(())
    });
    stop(archiver);
    drop(site.archive(&["--once"]).expect(0));
    written
}

fn stop(mut program: harness::Running) {
    assert!(program.is_alive(), "{} ended by itself", program.label());
    program.signal(Signal::TERM);
    drop(program.finish().expect(0));
}

/// Writes all logs line by line, in turn, half of them rotated by renaming, half by copying.
fn feed(site: &Site, samples: &[Sample]) -> Vec<Vec<u8>> {
    let rotations = [Rotation::Rename, Rotation::CopyTruncate]
        .into_iter()
        .cycle();
    let open =
        |(sample, rotation): (&Sample, Rotation)| Writer::create(&site.log(&sample.name), rotation);
    let mut writers: Vec<_> = samples.iter().zip(rotations).map(open).collect();
    let mut lines: Vec<_> = samples
        .iter()
        .map(|sample| sample.lines().enumerate())
        .collect();
    let mut has_more = true;
    while has_more {
        has_more = false;
        for (writer, lines) in writers.iter_mut().zip(&mut lines) {
            for (number, line) in lines.take(LINES_A_ROUND) {
                if number > 0 && number % LINES_A_LIFE == 0 {
                    writer.rotate();
                }
                writer.write(line);
                has_more = true;
            }
        }
        std::thread::sleep(PAUSE);
    }
    writers
        .iter()
        .flat_map(|writer| writer.lives().to_vec())
        .collect()
}

/// The archive at `copy` gives back what was written, duckdb counts the same, verify is content.
fn check(site: &Site, copy: &Path, written: &[Vec<u8>]) {
    let archive = Archive::read(copy);
    archive.must_hold(written);
    assert_eq!(archive.events("gap"), 0);
    assert_eq!(
        archive.events("stop"),
        4,
        "run and drain, each in two streams"
    );
    assert_eq!(count_by_duckdb(copy), archive.entries);
    site.verify_clean();
}

/// Counts entries as anyone would who has never heard of Holdfast.
fn count_by_duckdb(copy: &Path) -> u64 {
    let script = format!(
        "import duckdb; print(duckdb.sql(\"select count(*) from read_json('{}/entries/**/*.ndjson.*', \
         format='newline_delimited', hive_partitioning=true) \
         where agent = 'web-01' and stream in ('system', 'rest') and date is not null\").fetchall()[0][0])",
        copy.display()
    );
    let output = Command::new("python3")
        .args(["-c", &script])
        .env("PYTHONPATH", cache::duckdb())
        .output()
        .expect("python3 starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a number")
}
