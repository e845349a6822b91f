//! verify on archives of many parts, each in a directory: one stream of 100,000 manifests, one of 1,000 epochs.

use crate::cost;
use crate::forged::Forged;
use crate::results::Results;
use crate::words::Words;
use crate::workshop::{Workshop, say, stream};
use harness::{Rotation, Site, Writer};
use std::path::Path;

/// Manifests of the long stream, and how often it is judged.
const MANIFESTS: u32 = 100_000;
const MANIFESTS_RUNS: u64 = 3;

/// Epochs of the broken stream, and batches in each.
const EPOCHS: u32 = 1000;
const BATCHES_AN_EPOCH: u32 = 2;
const EPOCHS_RUNS: u64 = 5;

/// The rows that are asked for.
pub(crate) fn measure(workshop: &Workshop, words: &Words, results: &mut Results) {
    if words.rows.wants_any("epochs") {
        let manifests = EPOCHS * (1 + BATCHES_AN_EPOCH) + 1;
        let forge = |forged: &mut Forged| {
            for _ in 0..EPOCHS {
                forged.begin_epoch();
                (0..BATCHES_AN_EPOCH).for_each(|_| forged.batch());
            }
        };
        judge(
            workshop,
            "epochs",
            manifests,
            forge,
            words.runs(EPOCHS_RUNS),
            results,
        );
    }
    if words.rows.wants_any("manifests") {
        let forge = |forged: &mut Forged| {
            forged.begin_epoch();
            // The genesis and the heartbeat that stops are the other two.
            (2..MANIFESTS).for_each(|_| forged.batch());
        };
        judge(
            workshop,
            "manifests",
            MANIFESTS,
            forge,
            words.runs(MANIFESTS_RUNS),
            results,
        );
    }
}

/// Forges an archive of so many manifests and judges it.
fn judge(
    workshop: &Workshop,
    row: &str,
    manifests: u32,
    forge: impl FnOnce(&mut Forged),
    runs: u64,
    results: &mut Results,
) {
    let folder = workshop.folder(row);
    let site = site(&folder);
    say(&format!("{row}: forging {manifests} manifests"));
    let mut forged = Forged::new(&site, folder, manifests);
    forge(&mut forged);
    forged.stop();
    for run in 1..=runs {
        say(&format!("{row}: run {run} of {runs}"));
        let verify = site.start(site.verify_command(site.store(), &[]), "verify");
        let (cost, finished) = cost::of(verify);
        drop(finished.expect(0));
        results.add(&format!("{row}.cpu"), cost.cpu_s);
        results.add(&format!("{row}.wall"), cost.wall_s);
        results.add(&format!("{row}.memory"), cost.peak_mib);
    }
}

/// A site whose agent has drained a log of one line.
fn site(store: &Path) -> Site {
    let site = Site::new(&format!("file://{}", store.display()), &stream("{logs}/*"));
    site.init();
    let mut log = Writer::create(&site.log("app.log"), Rotation::Rename);
    log.write(b"a line\n");
    drop(site.agent(&["drain"]).expect(0));
    site
}
