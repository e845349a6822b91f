//! Where output goes: a reader that is gone, a disk that is full, a terminal, a pipe.

use super::auditor::{archived, damage};
use super::{COMMANDS, site_with_store};
use harness::{Program, Site};
use std::fs::{self, File};
use std::process::{Command, Output, Stdio};

/// Runs a command whose stdout is a pipe that nobody reads any longer.
fn unread(mut command: Command) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped());
    child.spawn().unwrap().wait_with_output().unwrap()
}

#[track_caller]
fn ends_quietly(command: Command, code: i32) {
    let what = format!("{command:?}");
    let output = unread(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{what}: {said}");
    let noise = ["panick", "pipe", "stdout"]
        .iter()
        .any(|word| said.contains(word));
    assert!(!noise, "{what}: {said}");
}

fn words(program: Program, words: &[&str]) -> Command {
    let mut command = program.command();
    command.args(words);
    command
}

#[test]
fn a_closed_pipe_ends_every_command_quietly_with_its_own_code() {
    for (program, begin) in COMMANDS {
        ends_quietly(words(program, &[begin, &["--help"]].concat()), 0);
    }
    for program in [Program::Holdfast, Program::Agent] {
        for own in [
            &["sample-config"][..],
            &["completions", "bash"],
            &["man"],
            &["--version"],
        ] {
            ends_quietly(words(program, own), 0);
        }
    }
    ends_quietly(words(Program::Holdfast, &["explain"]), 0);
    ends_quietly(words(Program::Holdfast, &["explain", "SEQ_GAP"]), 0);
    ends_quietly(words(Program::Holdfast, &["explain", "SEQGAP"]), 3);
    ends_quietly(words(Program::Holdfast, &["demo"]), 0);

    let site = archived();
    let agent = |own: &str| site.agent_command(&[own]);
    ends_quietly(agent("init"), 0);
    ends_quietly(agent("check"), 0);
    ends_quietly(agent("drain"), 0);
    ends_quietly(agent("status"), 2);
    ends_quietly(site.archive_command(&["--check"]), 0);
    ends_quietly(site.archive_command(&["--once"]), 0);
    ends_quietly(site.archive_command(&["status"]), 2);
    let verify = |site: &Site| {
        let mut command = site.holdfast_command();
        command.args(["verify", "--store", site.store(), "--signers"]);
        command.arg(site.path("signers"));
        command
    };
    ends_quietly(verify(&site), 0);
    damage(&site);
    ends_quietly(verify(&site), 1);
}

#[test]
fn output_that_cannot_be_written_is_never_0() {
    for (program, own) in [
        (Program::Holdfast, &["explain"][..]),
        (Program::Holdfast, &["--help"]),
        (Program::Agent, &["sample-config"]),
    ] {
        let mut command = words(program, own);
        command.stdout(File::create("/dev/full").unwrap());
        let output = command.stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{own:?}: {said}");
        assert!(said.contains("cannot write to stdout"), "{own:?}: {said}");
    }
}

/// Runs a command whose stderr takes nothing, with something to say; its exit code.
fn unheard(mut command: Command, stderr: impl Into<Stdio>) -> Option<i32> {
    let child = command.arg("-vv").stdin(Stdio::null());
    let child = child.stdout(Stdio::null()).stderr(stderr);
    child.spawn().unwrap().wait().unwrap().code()
}

/// A full disk, and a pipe whose reader is gone.
fn deaf() -> [Stdio; 2] {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    [File::create("/dev/full").unwrap().into(), writer.into()]
}

/// shared/cases own_log_unwritable: either program aborted.
#[test]
fn a_log_that_cannot_be_written_ends_no_program() {
    for (number, stderr) in deaf().into_iter().enumerate() {
        let site = site_with_store();
        fs::write(site.log("more.log"), "a line\n").unwrap();
        let code = unheard(site.agent_command(&["drain"]), stderr);
        assert_eq!(code, Some(0), "{number}");
        let stderr = deaf().into_iter().nth(number).unwrap();
        let code = unheard(site.archive_command(&["--once"]), stderr);
        assert_eq!(code, Some(0), "{number}");
        assert!(site.unreceipted().is_empty());
        drop(site.verify_clean());

        // A filter that is none is complained of by the library that reads it.
        let stderr = deaf().into_iter().nth(number).unwrap();
        let mut command = site.archive_command(&["--once"]);
        command.env("HOLDFAST_LOG", "=no=filter=");
        assert_eq!(unheard(command, stderr), Some(0), "{number}");
    }
}

#[test]
fn a_log_that_cannot_be_written_is_told_by_the_status() {
    let site = site_with_store();
    let mut command = site.archive_command(&["-vv"]);
    command.stdout(Stdio::null());
    let child = command.stderr(File::create("/dev/full").unwrap()).spawn();
    let archiver = Child(child.unwrap());
    harness::wait_for("the status to tell of it", || {
        let told = site.archive(&["status"]);
        let is_told = told.code == Some(0) && told.stdout.contains("log_lost");
        (is_told && site.unreceipted().is_empty()).then_some(())
    });
    drop(archiver);
}

/// A child that ends with the test, well or not.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).unwrap();
    }
}

/// The command on a terminal of its own; all that it shows.
fn on_a_terminal(site: &Site, command: &Command) -> String {
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap());
    let line: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(quoted)
        .collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--log-out"]);
    script
        .arg(site.path("out/terminal"))
        .arg("--command")
        .arg(line.join(" "));
    script.env_clear().envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    script
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    assert!(script.status().unwrap().success(), "{line:?}");
    fs::read_to_string(site.path("out/terminal")).unwrap()
}

/// A host with some megabytes to read, to upload and to judge.
fn busy_site() -> Site {
    let site = site_with_store();
    let line = "an ordinary line of a log, as long as such lines are, and not the last one\n";
    fs::write(site.log("b.log"), line.repeat(400_000)).unwrap();
    site
}

#[test]
fn progress_is_shown_on_a_terminal_and_never_on_a_pipe() {
    let site = busy_site();
    let mut verify = site.holdfast_command();
    verify.args(["verify", "--store", site.store(), "--signers"]);
    verify.arg(site.path("signers"));
    for (command, unit) in [
        (site.agent_command(&["drain"]), " of 30"),
        (site.archive_command(&["--once", "-v"]), "B of "),
        (verify, " manifests, "),
    ] {
        let shown = on_a_terminal(&site, &command);
        let lines: Vec<_> = shown
            .split(['\r', '\n'])
            .filter(|line| line.contains(unit))
            .collect();
        assert!(!lines.is_empty(), "{command:?}: {shown:?}");
        assert!(lines.iter().any(|line| line.contains("B/s, ")), "{lines:?}");
        // The line is taken away in the end, and what is logged until then begins where a line does.
        for logged in shown.split('\n').filter(|line| line.contains("DEBUG")) {
            let before = logged.split("DEBUG").next().unwrap();
            let since_cleared = before.rsplit("\u{1b}[2K").next().unwrap();
            assert!(!since_cleared.contains("B/s, "), "torn: {logged:?}");
        }
    }
    // The same again on pipes.
    let site = busy_site();
    for (told, what) in [
        (site.agent(&["drain"]).expect(0), "drain"),
        (site.archive(&["--once"]).expect(0), "archive"),
        (site.verify(&[]).expect(0), "verify"),
    ] {
        let is_drawn =
            |text: &str| text.contains('\r') || text.contains('\u{1b}') || text.contains("B/s, ");
        assert!(
            !is_drawn(&told.stdout) && !is_drawn(&told.stderr),
            "{what}: {told:?}"
        );
    }
}
