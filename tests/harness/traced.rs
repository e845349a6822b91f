//! A program under strace: what calls it makes, and calls that fail or that it does not live to make.

use crate::process::Running;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `plain` under strace, which follows its threads, gets `options` and writes to `trace`.
#[must_use]
pub fn traced(plain: &Command, trace: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(trace).args(options);
    command.arg(plain.get_program()).args(plain.get_args());
    command.env_clear();
    let set = plain.get_envs();
    command.envs(set.filter_map(|(name, value)| Some((name, value?))));
    command
}

/// `plain` with `inject` (strace's own words) done to its calls on `paths`, on any if there are none.
#[must_use]
pub fn injected(plain: &Command, trace: &Path, inject: &str, paths: &[PathBuf]) -> Command {
    let inject = format!("inject={inject}");
    let mut options = vec!["-y", "-e", &inject];
    for path in paths {
        options.extend(["-P", path.to_str().expect("a path of the tests is UTF-8")]);
    }
    traced(plain, trace, &options)
}

/// Whether the trace of a run shows that a call was made to fail.
///
/// # Panics
/// The trace cannot be read.
#[must_use]
pub fn was_injected(trace: &Path) -> bool {
    !injections(trace).is_empty()
}

/// The calls that were made to fail, as the trace shows them.
///
/// # Panics
/// The trace cannot be read.
#[must_use]
pub fn injections(trace: &Path) -> Vec<String> {
    let trace = fs::read(trace).expect("a trace can be read");
    let trace = String::from_utf8_lossy(&trace);
    let injected = trace.lines().filter(|line| line.contains("(INJECTED)"));
    injected.map(str::to_owned).collect()
}

/// A call that a traced program made: its name, and its number among those of this name that its thread made, from 1,
/// as strace's `when=` counts them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// As strace names it.
    pub name: String,
    /// From 1.
    pub number: usize,
    /// Whether it is about something that was asked for.
    pub is_ours: bool,
}

/// The calls in a trace that strace wrote with `-f -y`. `is_ours` is asked of what follows a call's name.
///
/// # Panics
/// The trace cannot be read.
#[must_use]
pub fn calls(trace: &Path, is_ours: impl Fn(&str) -> bool) -> Vec<Call> {
    let trace = fs::read(trace).expect("a trace can be read");
    let mut numbers: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in String::from_utf8_lossy(&trace).lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((name, about)) = rest.trim_start().split_once('(') else {
            continue;
        };
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            continue;
        }
        let number = numbers.entry((thread.into(), name.into())).or_default();
        *number += 1;
        calls.push(Call {
            name: name.into(),
            number: *number,
            is_ours: is_ours(about),
        });
    }
    calls
}

/// Names that something was renamed to in a trace that strace wrote with `-y`, and whose folder was not synced after
/// that: a power cut may take them back.
///
/// # Panics
/// The trace cannot be read.
#[must_use]
pub fn unsynced(trace: &Path) -> Vec<PathBuf> {
    let trace = fs::read(trace).expect("a trace can be read");
    let mut pending: Vec<PathBuf> = Vec::new();
    for line in String::from_utf8_lossy(&trace).lines() {
        let call = line
            .split_once(' ')
            .map_or(line, |(_, call)| call.trim_start());
        if call.starts_with("rename") {
            pending.extend(renamed_to(call));
        }
        if let Some((_, folder)) = call
            .split_once("fsync(")
            .and_then(|(_, fd)| fd.split_once('<'))
        {
            let folder = folder.split('>').next().unwrap_or_default();
            pending.retain(|name| name.parent() != Some(Path::new(folder)));
        }
    }
    pending
}

/// The second name of a rename, whole: strace shows the folder that a name is relative to before it.
fn renamed_to(call: &str) -> Option<PathBuf> {
    let mut quoted = call.split('"');
    let (between, name) = (quoted.nth(2)?, quoted.next()?);
    let folder = between
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    Some(Path::new(folder.map_or("/", |(folder, _)| folder)).join(name))
}

/// Sends SIGTERM to the program that strace runs: strace itself would leave it alone.
///
/// # Panics
/// The kernel refuses.
pub fn terminate(strace: &Running) {
    let path = format!("/proc/{0}/task/{0}/children", strace.pid());
    let children = fs::read_to_string(path).unwrap_or_default();
    let pids = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    for pid in pids.filter_map(Pid::from_raw) {
        match kill_process(pid, Signal::TERM) {
            // It has ended just now.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => panic!("SIGTERM to {pid:?}: {error}"),
        }
    }
}
