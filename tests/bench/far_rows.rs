//! A store 30 ms away: a backlog of small batches of one stream is uploaded to it, then verified there.

use crate::cost;
use crate::far::Far;
use crate::results::Results;
use crate::words::Words;
use crate::workshop::{BUCKET, Workshop, say, stream_of_age};
use harness::site::files_below;
use harness::{Rotation, Site, Writer, wait_for};
use rustix::process::Signal;
use std::fs;
use std::thread;
use std::time::Duration;

/// Batches of the backlog, at least.
const BATCHES: usize = 200;

const RUNS: u64 = 5;

/// The youngest a batch can be, and the time between two lines: a batch is of a line or two.
const AGE: &str = "100ms";
const PAUSE: Duration = Duration::from_millis(60);

/// The rows that are asked for.
pub(crate) fn measure(workshop: &Workshop, words: &Words, results: &mut Results) {
    if !words.rows.wants_any("far") {
        return;
    }
    let far = Far::before(&workshop.server().endpoint());
    let streams = stream_of_age(AGE, "{logs}/*");
    let mut site = Site::at(&far.endpoint(), &format!("s3://{BUCKET}/far"), &streams);
    site.init();
    say(&format!("far: sealing {BATCHES} batches"));
    seal_backlog(&site);
    let batches = site.sealed().len() as f64;
    for run in 1..=words.runs(RUNS) {
        say(&format!("far: run {run} of {}", words.runs(RUNS)));
        site = site.with_store(&format!("s3://{BUCKET}/far-{run}"));
        // Without its receipt a batch is uploaded as if for the first time.
        let mut receipts = files_below(&site.path("spool/receipts"));
        receipts.retain(|path| path.extension().is_some_and(|end| end == "receipt"));
        for receipt in receipts {
            fs::remove_file(receipt).expect("a receipt can be removed");
        }
        let archive = site.start(site.archive_command(&["--once", "-q"]), "archive");
        let (upload, finished) = cost::of(archive);
        drop(finished.expect(0));
        results.add("far.upload", batches / upload.wall_s);
        if words.rows.wants("far.verify") {
            let verify = site.start(site.verify_command(site.store(), &[]), "verify");
            let (verify, finished) = cost::of(verify);
            drop(finished.expect(0));
            results.add("far.verify", batches / verify.wall_s);
        }
    }
}

/// Lines at a pace at which nearly each has a batch of its own, until there are enough.
fn seal_backlog(site: &Site) {
    let mut log = Writer::create(&site.log("app.log"), Rotation::Rename);
    let mut agent = site.start(site.agent_command(&["run", "-q"]), "run");
    wait_for("the backlog to be sealed", || {
        log.write(b"a line that is written now and then, and long enough to be one\n");
        thread::sleep(PAUSE);
        (site.sealed().len() >= BATCHES).then_some(())
    });
    agent.signal(Signal::TERM);
    drop(agent.finish().expect(0));
}
