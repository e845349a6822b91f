//! A program whose system calls on some files fail, by strace.

use std::path::{Path, PathBuf};
use std::process::Command;

/// `plain` under strace, which does `inject` (strace's own words) to calls on `paths` and writes them to `trace`.
#[must_use]
pub fn traced(plain: &Command, inject: &str, paths: &[PathBuf], trace: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(trace);
    for path in paths {
        command.arg("-P").arg(path);
    }
    command.arg("-e").arg(format!("inject={inject}"));
    command.arg(plain.get_program()).args(plain.get_args());
    command.env_clear();
    let set = plain.get_envs();
    command.envs(set.filter_map(|(name, value)| Some((name, value?))));
    command
}
