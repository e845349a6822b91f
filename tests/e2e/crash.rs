//! Programs and server killed with SIGKILL while they work; at the end the world is as if nothing
//! had been.
//!
//! A kill counts only if it hit a live process that had something to lose: the agent with bytes
//! written and not yet sealed, the archiver with a sealed batch that has no receipt. It is booked
//! under the last `step="…"` that the process logged.

use harness::process::Running;
use harness::wait::HANG_LIMIT;
use harness::world::{Archive, check_locks};
use harness::{
    Bucket, Dice, Kind, Rotation, Server, Site, Writer, dice, on_every_server, samples, wait_for,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};
use tempfile::TempDir;

/// Kills that must count, and how many of them in each phase at least.
const KILLS: usize = 30;
const KILLS_A_PHASE: usize = 5;

/// Tries after which a test that cannot hit gives up.
const TRIES: usize = 1000;

/// A kill comes this long at most after its step was seen.
const AFTER_STEP_US: u64 = 3000;

/// Restarts of the server during uploads.
const SERVER_KILLS: usize = 6;

/// One stream sealed as often as can be configured, so that there are many batches.
const STREAMS: &str = r#"
poll = "20ms"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// What a program is killed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The agent makes a batch durable.
    Seal,
    /// The archiver puts, reads back, writes a receipt.
    Upload,
    /// The agent starts and looks at what is there.
    Recovery,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Seal, Self::Upload, Self::Recovery];

    /// How the names of its steps begin in the log of the program that takes them.
    fn steps(self) -> &'static str {
        match self {
            Self::Seal => "step=\"seal.",
            // Whatever the archiver does after its start is an upload.
            Self::Upload => "step=\"",
            Self::Recovery => "step=\"recover.",
        }
    }

    /// The phase of a step that one of the programs was in.
    fn of(self, step: &str) -> Option<Self> {
        let kin = if self == Self::Upload {
            &[Self::Upload][..]
        } else {
            &[Self::Seal, Self::Recovery]
        };
        let named = format!("step=\"{step}");
        kin.iter()
            .copied()
            .find(|phase| named.starts_with(phase.steps()))
    }
}

/// Hits, by phase and step.
type Hits = BTreeMap<(Phase, String), usize>;

/// The application: writes and rotates until told to stop.
struct Application {
    stop: AtomicBool,
    written: AtomicU64,
}

impl Application {
    fn new() -> Self {
        Self {
            stop: AtomicBool::new(false),
            written: AtomicU64::new(0),
        }
    }

    /// Appends to two logs, one rotated by renaming and one by copying; gives all lives.
    fn run(&self, site: &Site) -> Vec<Vec<u8>> {
        let mut writers = [
            Writer::create(&site.log("renamed.log"), Rotation::Rename),
            Writer::create(&site.log("copied.log"), Rotation::CopyTruncate),
        ];
        let sample = samples::logs().remove(0);
        let whole: Vec<_> = sample
            .lines()
            .filter(|line| line.ends_with(b"\n"))
            .collect();
        let mut lines = whole.iter().cycle();
        for number in 1_u64.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            for writer in &mut writers {
                let line = lines.next().expect("lines without end");
                let line = [number.to_string().as_bytes(), b" ", line].concat();
                writer.write(&line);
                self.written.fetch_add(line.len() as u64, Ordering::Relaxed);
                if number % 2000 == 0 {
                    writer.rotate();
                }
            }
            thread::sleep(Duration::from_millis(2));
        }
        writers
            .iter()
            .flat_map(|writer| writer.lives().to_vec())
            .collect()
    }
}

/// Stops the application when a test ends, well or not: nobody else would.
struct Stop<'a>(&'a Application);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// The two programs, the one that lives now of each.
struct Stage<'a> {
    site: &'a Site,
    agent: Running,
    archiver: Running,
}

impl<'a> Stage<'a> {
    fn open(site: &'a Site) -> Self {
        Self {
            site,
            agent: start_agent(site),
            archiver: start_archiver(site),
        }
    }

    /// Kills a program soon after it logged a step of `phase`; what it was in, if that counts.
    fn hit(
        &mut self,
        phase: Phase,
        dice: &mut Dice,
        application: &Application,
    ) -> Option<(Phase, String)> {
        let (site, is_upload) = (self.site, phase == Phase::Upload);
        let victim = if is_upload {
            &mut self.archiver
        } else {
            &mut self.agent
        };
        let mut from = victim.log().len();
        if phase == Phase::Recovery {
            victim.kill();
            (*victim, from) = (start_agent(site), 0);
        }
        aim(victim, phase.steps(), from);
        thread::sleep(Duration::from_micros(dice.below(AFTER_STEP_US)));

        let pending = site.unreceipted();
        let written = application.written.load(Ordering::Relaxed);
        let was_alive = victim.kill();
        let step = last_step(&victim.log());
        let had_to_lose = if is_upload {
            site.unreceipted()
                .iter()
                .any(|batch| pending.contains(batch))
        } else {
            sealed_bytes(site) < written
        };
        *victim = if is_upload {
            start_archiver(site)
        } else {
            start_agent(site)
        };
        let step = step.filter(|_| was_alive && had_to_lose)?;
        Some((phase.of(&step)?, step))
    }
}

fn start_agent(site: &Site) -> Running {
    site.start(site.agent_command(&["run", "-vv"]), "agent")
}

fn start_archiver(site: &Site) -> Running {
    site.start(site.archive_command(&["-vv"]), "archiver")
}

/// Waits until a process logs `words` after its first `from` bytes, which it does sooner or later while the
/// application writes.
fn aim(victim: &mut Running, words: &str, from: usize) {
    let began = Instant::now();
    while began.elapsed() < HANG_LIMIT {
        let log = victim.log();
        assert!(
            victim.is_alive(),
            "{} ended by itself:\n{log}",
            victim.label()
        );
        if log.get(from..).is_some_and(|fresh| fresh.contains(words)) {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!(
        "waited {HANG_LIMIT:?} in vain for {} to log {words:?}",
        victim.label()
    );
}

/// The step a process was in when its log ends; `None` when it was between two.
fn last_step(log: &str) -> Option<String> {
    let (_, rest) = log.rsplit_once("step=\"")?;
    let step = rest.split('"').next()?;
    (!step.ends_with(".done")).then(|| step.to_owned())
}

/// Bytes of sources that all sealed batches of the spool cover.
fn sealed_bytes(site: &Site) -> u64 {
    let covered = |manifest: &std::path::PathBuf| -> Option<u64> {
        let bytes = fs::read(manifest).ok()?;
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let manifest: Value = serde_json::from_slice(line).ok()?;
        let sources = manifest["sources"].as_array()?.iter();
        sources
            .map(|source| Some(source["to"].as_u64()? - source["from"].as_u64()?))
            .sum()
    };
    site.sealed().iter().filter_map(covered).sum()
}

/// Drains what is left and demands the same world as without a single kill. Gives how many manifests the
/// server has once more.
fn check(site: &Site, bucket: &Bucket<'_>, written: &[Vec<u8>]) -> usize {
    drop(site.agent(&["drain"]).expect(0));
    drop(site.archive(&["--once"]).expect(0));
    assert_eq!(site.unreceipted(), Vec::<std::path::PathBuf>::new());
    let copy = TempDir::new().unwrap();
    bucket.download("", copy.path());
    let archive = Archive::read(copy.path());
    archive.must_hold(written);
    assert_eq!(archive.events("gap"), 0);
    let repeated = check_locks(bucket, "", 1);
    drop(site.verify_clean());
    repeated
}

/// The phase that lacks most kills; `None` when all have enough.
fn lacking(hits: &Hits) -> Option<Phase> {
    let in_phase = |phase: Phase| -> usize {
        let steps = hits.iter().filter(|((of, _), _)| *of == phase);
        steps.map(|(_, count)| count).sum()
    };
    let least = Phase::ALL
        .into_iter()
        .min_by_key(|phase| in_phase(*phase))?;
    let enough = in_phase(least) >= KILLS_A_PHASE && hits.values().sum::<usize>() >= KILLS;
    (!enough).then_some(least)
}

on_every_server! {
    agent_and_archiver_killed_thirty_times_lose_and_double_nothing,
    a_server_killed_during_uploads_gets_everything_in_the_end,
}

fn agent_and_archiver_killed_thirty_times_lose_and_double_nothing(kind: Kind) {
    let seed = dice::seed("crash", 20_261_122);
    let mut dice = Dice::new(seed);
    let server = Server::shared(kind);
    let bucket = server.locked_bucket("crash");
    let site = Site::on(&server, &bucket.url(""), STREAMS);
    site.write_archiver_config("poll = \"20ms\"");
    site.init();
    let application = Application::new();
    let mut hits = Hits::new();
    let mut misses = 0;
    let written = thread::scope(|scope| {
        let writing = scope.spawn(|| application.run(&site));
        let stop = Stop(&application);
        let mut stage = Stage::open(&site);
        while let Some(phase) = lacking(&hits) {
            match stage.hit(phase, &mut dice, &application) {
                Some(hit) => *hits.entry(hit).or_default() += 1,
                None => misses += 1,
            }
            if misses > TRIES {
                break;
            }
        }
        drop(stop);
        writing.join().expect("the application does not panic")
    });
    print_table(seed, &hits, misses);
    assert_eq!(
        lacking(&hits),
        None,
        "not enough kills hit; {misses} did not count"
    );
    assert_eq!(check(&site, &bucket, &written), 0);
}

fn print_table(seed: u64, hits: &Hits, misses: usize) {
    let total: usize = hits.values().sum();
    println!("kills that hit, by step (seed {seed}; {misses} more did not count):");
    for ((phase, step), count) in hits {
        println!("  {:<12}{step:<24}{count:>4}", format!("{phase:?}"));
    }
    println!("  {:<36}{total:>4}", "all");
}

fn a_server_killed_during_uploads_gets_everything_in_the_end(kind: Kind) {
    let seed = dice::seed("server", 3);
    let mut dice = Dice::new(seed);
    let server = Server::start(kind);
    let bucket = server.locked_bucket("crash");
    let site = Site::on(&server, &bucket.url(""), STREAMS);
    site.write_archiver_config("poll = \"20ms\"");
    site.init();
    let application = Application::new();
    let written = thread::scope(|scope| {
        let writing = scope.spawn(|| application.run(&site));
        let stop = Stop(&application);
        let mut stage = Stage::open(&site);
        for _ in 0..SERVER_KILLS {
            let from = stage.archiver.log().len();
            // After an outage its waits have doubled up to a minute.
            aim(&mut stage.archiver, "step=\"put.", from);
            thread::sleep(Duration::from_micros(dice.below(AFTER_STEP_US)));
            server.kill();
            // Long enough that requests are refused as well as cut off.
            thread::sleep(Duration::from_millis(dice.below(1500)));
            server.restart();
        }
        drop(stop);
        let written = writing.join().expect("the application does not panic");
        wait_for("the archiver to catch up", || {
            site.unreceipted().is_empty().then_some(())
        });
        written
    });
    // A server that dies during a create may not know of it afterwards, and take the same once more. Two
    // equal versions do no harm: whoever reads knows ours by its bytes.
    let repeated = check(&site, &bucket, &written);
    println!("manifests that the server has once more: {repeated}");
}
