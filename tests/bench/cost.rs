//! What a process costs: CPU of all its threads, resident memory, and the time that passes.
//!
//! /proc tells it of any process without a word of unsafe code, and of one that ended until it is waited for.

use harness::{Finished, Running};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// CPU time in /proc counts in these: USER_HZ, which is 100 wherever the programs are built for.
const TICKS_A_SECOND: f64 = 100.0;

/// How often memory is looked at. The kernel keeps the peak itself, so only what a process takes in its very last
/// moment is missed.
const LOOK: Duration = Duration::from_millis(5);

/// No command that is measured takes so long; one that does hangs.
const LIMIT: Duration = Duration::from_secs(3600);

/// What a process has cost so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// User and system.
    pub(crate) cpu_s: f64,
    /// Since its start.
    pub(crate) wall_s: f64,
    /// The most resident memory it ever had, in MiB.
    pub(crate) peak_mib: f64,
}

/// Waits for the end of what has just been started.
///
/// # Panics
/// When it takes hours.
pub(crate) fn of(running: Running) -> (Cost, Finished) {
    let began = Instant::now();
    let pid = running.pid();
    let mut peak_mib: f64 = 0.0;
    while !has_ended(pid) {
        assert!(began.elapsed() < LIMIT, "{} hangs", running.label());
        peak_mib = peak_mib.max(memory_mib(pid, "VmHWM").unwrap_or(0.0));
        thread::sleep(LOOK);
    }
    let cost = Cost {
        cpu_s: cpu_s(pid),
        wall_s: began.elapsed().as_secs_f64(),
        peak_mib,
    };
    (cost, running.finish())
}

/// Whether a child has ended; it stays to be asked and waited for.
fn has_ended(pid: u32) -> bool {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a pid is over 0");
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let state = waitid(WaitId::Pid(pid), options).expect("an own child can be asked");
    state.is_some()
}

/// CPU-seconds so far of a process that has not been waited for.
///
/// # Panics
/// When there is no such process.
pub(crate) fn cpu_s(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process has a stat");
    // The name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
    let (_, after) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks
        .map(|ticks| ticks.parse::<f64>().expect("ticks"))
        .sum();
    ticks / TICKS_A_SECOND
}

/// A field of /proc's status that counts kB; none once the process has ended.
pub(crate) fn memory_mib(pid: u32, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: f64 = line
        .trim_start_matches(':')
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_busy_process_costs_and_is_collected() {
        let folder = tempfile::tempdir().unwrap();
        let mut busy = Command::new("sh");
        busy.args([
            "-c",
            "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 3",
        ]);
        let (cost, finished) = of(Running::start(busy, folder.path(), "busy"));
        assert_eq!(finished.code, Some(3));
        assert!(
            cost.cpu_s > 0.0 && cost.wall_s > 0.0 && cost.peak_mib > 0.1,
            "{cost:?}"
        );
        assert!(memory_mib(std::process::id(), "VmRSS").unwrap() > 0.1);
    }
}
