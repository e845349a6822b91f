//! An agent with 10,000 files: when nothing happens to them, and when 50 lines a second go into them.

use crate::cost::{cpu_s, memory_mib};
use crate::results::Results;
use crate::words::Words;
use crate::workshop::{manifests, say, stream};
use harness::{Dice, Running, Site, wait_for};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Folders, and files in each.
const FOLDERS: u64 = 100;
const FILES_A_FOLDER: u64 = 100;
const FILES: u64 = FOLDERS * FILES_A_FOLDER;

/// Time between two lines of the trickle: 50 a second.
const PAUSE: Duration = Duration::from_millis(20);

/// What one figure is measured over, and how many there are.
const WINDOW: Duration = Duration::from_secs(20);
const RUNS: u64 = 5;

/// What it does after that, such as its snapshot, belongs to no window.
const SETTLED: Duration = Duration::from_secs(15);

/// The rows that are asked for.
pub(crate) fn measure(words: &Words, results: &mut Results) {
    if !words.rows.wants_any("idle") && !words.rows.wants_any("trickle") {
        return;
    }
    // Nothing is archived.
    let site = Site::new("file:///nonexistent", &stream("{logs}/*/*.log"));
    site.init();
    for file in 0..FILES {
        fs::create_dir_all(path(&site, file).parent().expect("a folder")).expect("a folder");
        append(&path(&site, file), &format!("file {file} begins\n"));
    }
    say(&format!("idle: the agent seals {FILES} files"));
    let agent = site.start(site.agent_command(&["run", "-q"]), "run");
    wait_for("all files to be sealed", || {
        let counts = manifests(&site);
        let counts = counts
            .iter()
            .filter_map(|manifest| manifest["entries"]["count"].as_u64());
        (counts.sum::<u64>() == FILES).then_some(())
    });
    thread::sleep(SETTLED);
    if words.rows.wants_any("idle") {
        for run in 1..=words.runs(RUNS) {
            say(&format!(
                "idle: {} s, {run} of {}",
                WINDOW.as_secs(),
                words.runs(RUNS)
            ));
            let busy = busy_percent(&agent, || thread::sleep(WINDOW));
            results.add("idle.cpu", busy);
            let memory = memory_mib(agent.pid(), "VmRSS");
            results.add("idle.memory", memory.expect("the agent runs"));
        }
    }
    if words.rows.wants_any("trickle") {
        let mut dice = Dice::new(1);
        for run in 1..=words.runs(RUNS) {
            say(&format!(
                "trickle: {} s, {run} of {}",
                WINDOW.as_secs(),
                words.runs(RUNS)
            ));
            let busy = busy_percent(&agent, || trickle(&site, &mut dice));
            results.add("trickle.cpu", busy);
        }
    }
}

fn path(site: &Site, file: u64) -> PathBuf {
    let folder = site.log(&format!("{:02}", file / FILES_A_FOLDER));
    folder.join(format!("{:02}.log", file % FILES_A_FOLDER))
}

fn append(path: &PathBuf, line: &str) {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("a log can be written");
}

/// A line at a time into files in no order, for one window.
fn trickle(site: &Site, dice: &mut Dice) {
    let began = Instant::now();
    let mut next = PAUSE;
    while next <= WINDOW {
        thread::sleep(next.saturating_sub(began.elapsed()));
        let line = format!("something happened, number {}\n", dice.throw());
        append(&path(site, dice.below(FILES)), &line);
        next += PAUSE;
    }
}

/// How much of a core a process uses while `work` runs.
fn busy_percent(process: &Running, work: impl FnOnce()) -> f64 {
    let (began, before) = (Instant::now(), cpu_s(process.pid()));
    work();
    (cpu_s(process.pid()) - before) / began.elapsed().as_secs_f64() * 100.0
}
