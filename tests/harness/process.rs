//! A child process that cannot outlive its test, whose output is kept and shown on failure.

use crate::wait::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Lines of a log that a failing test shows.
const SHOWN_LINES: usize = 60;

/// What a process left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// All it wrote to stdout.
    pub stdout: String,
    /// All it wrote to stderr.
    pub stderr: String,
}

impl Finished {
    /// Demands an exit code; gives itself back for more questions.
    ///
    /// # Panics
    /// With all output if it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "expected exit {code}, got {:?} (signal {:?})\n--- stdout\n{}\n--- stderr\n{}",
            self.code,
            self.signal,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Demands that stdout or stderr says all of `words`.
    ///
    /// # Panics
    /// With all output if one is missing.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stdout.contains(word) || self.stderr.contains(word),
                "expected to read {word:?}\n--- stdout\n{}\n--- stderr\n{}",
                self.stdout,
                self.stderr
            );
        }
        self
    }
}

/// A live child. Dropped, it is killed and reaped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Kills the child should the test process itself be killed: its stdin closes then.
    leash: Child,
    label: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts `command` with its output in `<logs>/<label>.out` and `.err`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(mut command: Command, logs: &Path, label: &str) -> Self {
        let (stdout, stderr) = (
            logs.join(format!("{label}.out")),
            logs.join(format!("{label}.err")),
        );
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("the log can be made"))
            .stderr(File::create(&stderr).expect("the log can be made"))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let leash = Command::new("sh")
            .args([
                "-c",
                "cat > /dev/null; kill -9 \"$0\"",
                &child.id().to_string(),
            ])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        Self {
            child,
            leash,
            label: label.to_owned(),
            stdout,
            stderr,
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it is called in messages.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether it has not ended yet.
    pub fn is_alive(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be waited for")
            .is_none()
    }

    /// What it wrote to stderr so far.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.stderr)
    }

    /// Waits until its stderr contains `words`.
    ///
    /// # Panics
    /// When it ends first, or never says them.
    pub fn wait_for_log(&mut self, words: &str) {
        let what = format!("{} to say {words:?}", self.label);
        wait_for(&what, || {
            let said = self.log().contains(words);
            assert!(
                said || self.is_alive(),
                "{} ended without saying {words:?}",
                self.label
            );
            said.then_some(())
        });
    }

    /// Sends a signal; one to a process that has just ended is no error.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_alive() {
            let pid = Pid::from_raw(self.pid().cast_signed()).expect("a pid is over 0");
            kill_process(pid, signal).expect("an own child can be signalled");
        }
    }

    /// Kills it with SIGKILL and reaps it; whether it was alive to be hit.
    pub fn kill(&mut self) -> bool {
        self.child.kill().expect("an own child can be killed");
        self.child
            .wait()
            .expect("a child can be waited for")
            .signal()
            == Some(9)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let what = format!("{} to end", self.label);
        let status: ExitStatus = wait_for(&what, || {
            self.child.try_wait().expect("a child can be waited for")
        });
        Finished {
            code: status.code(),
            signal: status.signal(),
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The leash first: it must not fire at a pid that is already someone else's.
        for child in [&mut self.leash, &mut self.child] {
            let ended = child.kill().and_then(|()| child.wait());
            ended.expect("an own child can be killed and reaped");
        }
        if std::thread::panicking() {
            show(&self.stderr);
        }
    }
}

/// Prints the end of a log, for a failing test.
pub(crate) fn show(log: &Path) {
    let text = read(log);
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(SHOWN_LINES);
    if !lines.is_empty() {
        eprintln!("--- end of {}\n{}", log.display(), lines[from..].join("\n"));
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
