//! `./test soak`: everything at once, at random, for as long as is asked. Logs grow and are rotated in every way; both
//! programs and the server are killed, stopped and started; at the end nothing is lost, nothing is twice, the verifier
//! is content, and the programs are no larger than before.

#![forbid(unsafe_code)]

mod chaos;
mod logs;
mod outcome;
mod size;

use chaos::Chaos;
use clap::Parser;
use harness::{Dice, Kind, Server, Site};
use logs::Logs;
use outcome::Outcome;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Sealed often, so that there is much to interrupt.
const STREAMS: &str = r#"
[seal]
age = "1s"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// Mixes rotations, kills and restarts at random and demands that nothing is lost and nothing is twice.
#[derive(Debug, Parser)]
#[command(
    name = "./test soak",
    after_help = "Exit code: 0 nothing lost, nothing twice, no gap, verify content, sizes steady; 1 otherwise.\n\n\
                  Examples:\n  ./test soak\n  ./test soak --minutes 30\n  ./test soak --minutes 5 --seed 7 --json"
)]
struct Words {
    /// How long logs are written
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// Lines a second, in all logs together
    #[arg(long, default_value_t = 5000)]
    rate: u64,
    /// Repeats the choices of another run
    #[arg(long)]
    seed: Option<u64>,
    /// The outcome as a line of JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let words = Words::parse();
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = words
        .seed
        .unwrap_or_else(|| now().map_or(1, |since| since.as_secs()));
    eprintln!(
        "soak: {} min at {} lines/s, --seed {seed}",
        words.minutes, words.rate
    );
    let outcome = soak(&words, seed);
    if words.json {
        println!("{}", outcome.json());
    } else {
        print!("{}", outcome.text());
    }
    if outcome.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn soak(words: &Words, seed: u64) -> Outcome {
    let server = Server::start(Kind::Minio);
    let bucket = server.locked_bucket("soak");
    let site = Site::on(&server, &bucket.url(""), STREAMS);
    site.init();
    let logs = Mutex::new(Logs::create(&site));
    let time = Duration::from_secs(60 * words.minutes);
    let stop = AtomicBool::new(false);
    let chaos = thread::scope(|scope| {
        let writing = scope.spawn(|| write(&logs, words.rate, &stop));
        let rotating = scope.spawn(|| rotate(&logs, Dice::new(seed ^ 1), &stop));
        let mut chaos = Chaos::begin(&site, &server, Dice::new(seed));
        chaos.run(time);
        stop.store(true, Ordering::Relaxed);
        writing.join().expect("the writer does not panic");
        rotating.join().expect("the rotation does not panic");
        chaos
    });
    let seen = chaos.end();
    let logs = logs.into_inner().expect("nobody panicked");
    Outcome::of(&site, &bucket, logs, seen, seed, time)
}

/// Writes until told to stop, in small steps so that the rate is kept.
fn write(logs: &Mutex<Logs>, rate: u64, stop: &AtomicBool) {
    let began = Instant::now();
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) * rate / 1000;
        if let Ok(mut logs) = logs.lock() {
            while written < due {
                logs.write_one();
                written += 1;
            }
            logs.flush();
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Rotates each log about every five seconds.
fn rotate(logs: &Mutex<Logs>, mut dice: Dice, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(700 + dice.below(600)));
        if let Ok(mut logs) = logs.lock() {
            logs.rotate_next();
        }
    }
}
