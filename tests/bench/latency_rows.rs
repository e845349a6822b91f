//! From written to locked: how long after its write a line's batch has its receipt.

use crate::results::Results;
use crate::words::Words;
use crate::workshop::{Workshop, manifest, say, stream_of_age};
use harness::{Site, Writer, wait_for};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// `seal.age` of the rows: a line waits so long at most before it is sealed.
const AGE: &str = "1s";

/// Time between two lines.
const PAUSE: Duration = Duration::from_millis(50);

/// Lines that one figure is made of, and how many figures there are.
const LINES: usize = 400;
const RUNS: u64 = 5;

/// Bytes of a line, so that its number follows from its offset.
const LINE_BYTES: usize = 64;

/// The rows that are asked for.
pub(crate) fn measure(workshop: &Workshop, words: &Words, results: &mut Results) {
    if !words.rows.wants_any("latency") {
        return;
    }
    let runs = usize::try_from(words.runs(RUNS)).expect("few runs");
    let streams = stream_of_age(AGE, "{logs}/*");
    let site = workshop.site("latency", "", &streams);
    let mut programs = [
        site.start(site.agent_command(&["run", "-q"]), "run"),
        site.start(site.archive_command(&["-q"]), "archive"),
    ];
    say(&format!(
        "latency: {} lines, one each {} ms",
        runs * LINES,
        PAUSE.as_millis()
    ));
    let written = write_lines(&site, runs * LINES);
    wait_for("all lines to be archived", || {
        (site.unreceipted().is_empty() && archived_to(&site) == written.len()).then_some(())
    });
    let latencies = latencies(&site, &written);
    for run in latencies.chunks(LINES) {
        let mut run = run.to_vec();
        run.sort_by(f64::total_cmp);
        results.add("latency.p50", run[LINES / 2]);
        results.add("latency.p99", run[LINES * 99 / 100]);
    }
    for program in &mut programs {
        program.signal(Signal::TERM);
    }
    for program in programs {
        drop(program.finish().expect(0));
    }
}

/// Writes lines at their pace; gives when each was written.
fn write_lines(site: &Site, count: usize) -> Vec<SystemTime> {
    let mut log = Writer::create(&site.log("app.log"), harness::Rotation::Rename);
    let began = Instant::now();
    let mut written = Vec::new();
    for (number, due) in (0..count).zip((1..).map(|number: u32| PAUSE * number)) {
        thread::sleep(due.saturating_sub(began.elapsed()));
        let line = format!("{number:>width$}\n", width = LINE_BYTES - 1);
        written.push(SystemTime::now());
        log.write(line.as_bytes());
    }
    written
}

/// Seconds from each line's write to its receipt.
fn latencies(site: &Site, written: &[SystemTime]) -> Vec<f64> {
    let mut latencies = vec![0.0; written.len()];
    for path in site.sealed() {
        let locked = fs::metadata(receipt(site, &path)).and_then(|file| file.modified());
        let locked = locked.expect("each batch has its receipt");
        for number in lines_of(&path) {
            let waited = locked.duration_since(written[number]);
            latencies[number] = waited.map_or(0.0, |waited| waited.as_secs_f64());
        }
    }
    latencies
}

/// How many lines have been sealed.
fn archived_to(site: &Site) -> usize {
    let ends = site.sealed().into_iter().map(|path| lines_of(&path).end);
    ends.max().unwrap_or(0)
}

/// Which lines a batch holds.
fn lines_of(path: &Path) -> std::ops::Range<usize> {
    let manifest = manifest(path);
    let offset = |field: &str| {
        let offset = manifest["sources"][0][field].as_u64().unwrap_or(0);
        usize::try_from(offset).expect("an offset") / LINE_BYTES
    };
    offset("from")..offset("to")
}

/// Where the receipt of the batch with this manifest is.
fn receipt(site: &Site, manifest: &Path) -> std::path::PathBuf {
    let slot = manifest.parent().expect("a manifest lies in its slot");
    let below = slot
        .strip_prefix(site.path("spool/sealed"))
        .expect("in the spool");
    site.path("spool/receipts")
        .join(below)
        .with_extension("receipt")
}
