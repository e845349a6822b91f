//! `holdfast demo`: the whole story in a fresh folder, on the embedded `file://` store.
//!
//! It runs the real agent (in process), the real archiver and the real verifier, and checks that
//! each says what it should; a demo that only prints would prove nothing. It touches nothing outside
//! its folder.

mod scene;
mod tamper;

use auditor::report::Report;
use clap::Args;
use host::exit;
use ledger::finding::{Code, Verdict};
use scene::{Scene, SceneError};
use std::io;

const EXAMPLES: &str = "\
Examples:
  holdfast demo
  TMPDIR=/var/tmp holdfast demo

It needs no server and no credentials, takes a second and touches nothing outside its folder, which
stays for you to look at. 0: everything was found as it should be.";

/// Words of `holdfast demo`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DemoArgs {}

/// Lines of the log before and after its rotation.
const LINES: [std::ops::Range<u32>; 2] = [1..601, 601..1001];

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Scene(#[from] SceneError),
    #[error("the demo expected {expected} and verify said {got}; its folder is {folder}")]
    Unexpected {
        expected: String,
        got: String,
        folder: String,
    },
    #[error("cannot print: {0}")]
    Print(io::Error),
}

impl From<io::Error> for DemoError {
    fn from(error: io::Error) -> Self {
        Self::Print(error)
    }
}

/// Runs the command; its exit code.
#[must_use]
pub(crate) fn run(_: &DemoArgs) -> u8 {
    match tell(&mut io::stdout().lock()) {
        Ok(()) => exit::CLEAN,
        // Whoever closed the pipe has seen enough.
        Err(DemoError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => exit::CLEAN,
        Err(error) => {
            crate::complain(&error);
            exit::UNFINISHED
        }
    }
}

fn tell(out: &mut impl io::Write) -> Result<(), DemoError> {
    let scene = Scene::set()?;
    writeln!(out, "Everything happens in {}\n", scene.folder().display())?;
    archive_a_rotated_log(&scene, out)?;
    writeln!(
        out,
        "\nNow someone tampers. Each time a fresh copy of the archive, each time the auditor's verify:"
    )?;
    for (number, (told, act, code)) in (4..).zip(ACTS) {
        writeln!(out, "\n{number}. {told}")?;
        let copy = scene.copy(number)?;
        act(&scene, &copy)?;
        show_finding(&scene, &scene.verify_copy(&copy)?, code, out)?;
    }
    suggest(&scene, out)?;
    Ok(())
}

type Act = fn(&Scene, &std::path::Path) -> Result<(), SceneError>;

const ACTS: [(&str, Act, Code); 3] = [
    (
        "One bit of a stored body is flipped.",
        tamper::flip_a_bit,
        Code::StoredHash,
    ),
    (
        "A manifest is deleted from the middle of the chain.",
        tamper::delete_a_manifest,
        Code::SeqGap,
    ),
    (
        "Every manifest is signed again, with another key.",
        tamper::sign_again,
        Code::SigInvalid,
    ),
];

fn archive_a_rotated_log(scene: &Scene, out: &mut impl io::Write) -> Result<(), DemoError> {
    let [before, after] = LINES;
    writeln!(
        out,
        "1. An application writes {} lines; the agent seals them.",
        before.len()
    )?;
    scene.write_log(before)?;
    scene.drain()?;
    writeln!(
        out,
        "   The agent is stopped. The log is rotated and {} lines follow. The agent starts again.",
        after.len()
    )?;
    scene.rotate_log()?;
    scene.write_log(after)?;
    scene.drain()?;
    let batches = scene.count_batches()?;
    writeln!(
        out,
        "   {batches} signed manifests in the spool, chained; one rename committed each of them."
    )?;
    writeln!(
        out,
        "2. The archiver stores and locks them, and reads each lock back."
    )?;
    scene.archive()?;
    writeln!(
        out,
        "3. The auditor verifies, with the agent's public key and read access:"
    )?;
    let report = scene.verify()?;
    if report.verdict != Verdict::Clean || report.coverage.entries != 1000 {
        return Err(unexpected(
            scene,
            "a clean archive of 1000 entries",
            &report,
        ));
    }
    let coverage = &report.coverage;
    writeln!(
        out,
        "   CLEAN, exit code {}: {} manifests, {} entries, {} bytes of log, {} locks.",
        report.exit_code, coverage.manifests, coverage.entries, coverage.log_bytes, coverage.locks
    )?;
    Ok(())
}

fn show_finding(
    scene: &Scene,
    report: &Report,
    code: Code,
    out: &mut impl io::Write,
) -> Result<(), DemoError> {
    let found = report.findings.iter().find(|finding| finding.code == code);
    let Some(finding) = found.filter(|_| report.verdict == Verdict::Tampered) else {
        return Err(unexpected(
            scene,
            &format!("{code} and exit code 1"),
            report,
        ));
    };
    writeln!(
        out,
        "   exit code {}: {code}: {}",
        report.exit_code, finding.message
    )?;
    if let Some(key) = &finding.key {
        writeln!(out, "   in {}", key.escape_debug())?;
    }
    Ok(())
}

fn unexpected(scene: &Scene, expected: &str, report: &Report) -> DemoError {
    let codes: Vec<String> = report
        .findings
        .iter()
        .map(|finding| finding.code.to_string())
        .collect();
    DemoError::Unexpected {
        expected: expected.into(),
        got: format!(
            "{} over {} entries [{}]",
            report.verdict.as_str(),
            report.coverage.entries,
            codes.join(", ")
        ),
        folder: scene.folder().display().to_string(),
    }
}

fn suggest(scene: &Scene, out: &mut impl io::Write) -> Result<(), DemoError> {
    let folder = scene.folder().display();
    let program = std::env::current_exe().unwrap_or_else(|_| "holdfast".into());
    let program = program.display();
    writeln!(
        out,
        "\nTry next:
  {program} verify --store file://{folder}/archive --signers {folder}/signers
  find {folder}/archive -type f
  zcat {folder}/archive/entries/*/*/*/*.gz | tail -1
  head -1 \"$(find {folder}/archive/manifests -type f | sort | tail -1)\"
  rm -rf {folder}
and, on a bucket of your own: README.md, \"A worked example\"."
    )?;
    Ok(())
}
