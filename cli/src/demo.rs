//! `holdfast demo`: the whole story in a fresh folder, on the embedded `file://` store, with a made log or
//! with copies of one's own.
//!
//! It runs the real agent (in process), the real archiver and the real verifier, and checks that
//! each says what it should; a demo that only prints would prove nothing. It touches nothing outside
//! its folder.

mod demo_setup;
mod logs;
mod tamper;

use crate::output;
use auditor::report::AuditReport;
use clap::Args;
use demo_setup::{DemoSetup, SetupError};
use host::exit;
use ledger::finding::{Code, Verdict};
use ledger::limits::MAX_LINE;
use logs::{InputError, Log, Shape};
use std::io;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  holdfast demo
  holdfast demo --log /var/log/syslog
  holdfast demo --log /var/log/nginx/access.log /var/log/nginx/error.log
  TMPDIR=/var/tmp holdfast demo --log big.log

It needs no server and no credentials, takes a second on its own log, and touches nothing outside
its folder, which stays for you to look at. It copies at most the first 64 MiB of each file, of at
most 32 files, and needs some times their size on the disk.

0: everything was found as it should be. 2: it was not, or the demo could not end. 3: a file
cannot be fed";

/// The arguments of `holdfast demo`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Tell the story with copies of these logs; the files themselves are only read
    #[arg(long = "log", value_name = "FILE", num_args = 1..)]
    logs: Vec<PathBuf>,
}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    DemoSetup(#[from] SetupError),
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

impl DemoError {
    fn exit(&self) -> u8 {
        match self {
            Self::Input(_) => exit::USAGE,
            Self::DemoSetup(_) | Self::Unexpected { .. } | Self::Print(_) => exit::UNFINISHED,
        }
    }
}

/// Runs the command; its exit code.
#[must_use]
pub(crate) fn run(args: &DemoArgs) -> u8 {
    match run_steps(args, &mut io::stdout().lock()) {
        Ok(()) => exit::CLEAN,
        // Whoever closed the pipe has seen enough.
        Err(DemoError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => exit::CLEAN,
        Err(error) => {
            output::complain(&error);
            error.exit()
        }
    }
}

fn run_steps(args: &DemoArgs, out: &mut impl io::Write) -> Result<(), DemoError> {
    let inputs = logs::open(&args.logs)?;
    let setup = DemoSetup::make()?;
    writeln!(out, "Everything happens in {}\n", setup.folder().display())?;
    let logs = if inputs.is_empty() {
        logs::make(setup.folder())?
    } else {
        logs::copy(inputs, setup.folder())?
    };
    archive_rotated_logs(&setup, &logs, out)?;
    writeln!(
        out,
        "\nNow someone tampers. Each time a fresh copy of the archive, each time the auditor's verify:"
    )?;
    for (number, (told, act, code)) in (4..).zip(TAMPERINGS) {
        writeln!(out, "\n{number}. {told}")?;
        let copy = setup.copy(number)?;
        act(&setup, &copy)?;
        show_finding(&setup, &setup.verify_copy(&copy)?, code, out)?;
    }
    suggest(&setup, out)?;
    Ok(())
}

type Tampering = fn(&DemoSetup, &Path) -> Result<(), SetupError>;

const TAMPERINGS: [(&str, Tampering, Code); 3] = [
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

fn archive_rotated_logs(
    setup: &DemoSetup,
    logs: &[Log],
    out: &mut impl io::Write,
) -> Result<(), DemoError> {
    let all = Shape::sum(logs);
    for log in logs {
        let Shape { lines, bytes, .. } = log.shape;
        writeln!(out, "{}: {lines} lines, {bytes} bytes", log.title)?;
        log.write_first_half()?;
    }
    let (_, first) = all.half;
    writeln!(
        out,
        "1. The first {first} lines are there; the agent seals them."
    )?;
    setup.drain()?;
    let rest = all.lines - first;
    writeln!(
        out,
        "   The agent is stopped. Each log is rotated and the other {rest} lines follow. The agent starts \
         again."
    )?;
    for log in logs {
        log.rotate()?;
    }
    setup.drain()?;
    let batches = setup.count_batches()?;
    writeln!(
        out,
        "   {batches} signed manifests in the spool, chained; one rename committed each of them."
    )?;
    writeln!(
        out,
        "2. The archiver stores and locks them, and reads each lock back."
    )?;
    setup.archive()?;
    writeln!(
        out,
        "3. The auditor verifies, with the agent's public key and read access:"
    )?;
    let report = setup.verify()?;
    if !is_as_fed(&report, all) {
        let expected = format!(
            "a clean archive of {} lines and {} bytes of log",
            all.lines, all.bytes
        );
        return Err(unexpected(setup, &expected, &report));
    }
    let coverage = &report.coverage;
    writeln!(
        out,
        "   CLEAN, exit code {}: {} manifests, {} entries, {} bytes of log, {} locks.",
        report.exit_code, coverage.manifests, coverage.entries, coverage.log_bytes, coverage.locks
    )?;
    Ok(())
}

/// Whether an auditor found what the agent was fed, every byte of it once.
fn is_as_fed(report: &AuditReport, fed: Shape) -> bool {
    let coverage = &report.coverage;
    // A line is one entry, unless it is too long for one.
    let has_all_lines = if fed.longest <= MAX_LINE as u64 {
        coverage.entries == fed.lines
    } else {
        coverage.entries > fed.lines
    };
    let lost_or_twice = coverage.gap_bytes + coverage.restated_bytes;
    report.verdict == Verdict::Clean
        && has_all_lines
        && (coverage.log_bytes, lost_or_twice) == (fed.bytes, 0)
}

fn show_finding(
    setup: &DemoSetup,
    report: &AuditReport,
    code: Code,
    out: &mut impl io::Write,
) -> Result<(), DemoError> {
    let found = report.findings.iter().find(|finding| finding.code == code);
    let Some(finding) = found.filter(|_| report.verdict == Verdict::Tampered) else {
        return Err(unexpected(
            setup,
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

fn unexpected(setup: &DemoSetup, expected: &str, report: &AuditReport) -> DemoError {
    let codes: Vec<String> = report
        .findings
        .iter()
        .map(|finding| finding.code.to_string())
        .collect();
    DemoError::Unexpected {
        expected: expected.into(),
        got: format!(
            "{} over {} entries and {} bytes of log [{}]",
            report.verdict.as_str(),
            report.coverage.entries,
            report.coverage.log_bytes,
            codes.join(", ")
        ),
        folder: setup.folder().display().to_string(),
    }
}

fn suggest(setup: &DemoSetup, out: &mut impl io::Write) -> Result<(), DemoError> {
    let folder = setup.folder().display();
    let program = std::env::current_exe().unwrap_or_else(|_| "holdfast".into());
    let program = program.display();
    writeln!(
        out,
        "\nTry next:
  {program} verify --store file://{folder}/archive --signers {folder}/signers
  find {folder}/archive -type f
  zstd -dc {folder}/archive/entries/*/*/*/*.zst | tail -1
  head -1 \"$(find {folder}/archive/manifests -type f | sort | tail -1)\"
  rm -rf {folder}
and, on a bucket of your own: README.md, \"A worked example\"."
    )?;
    Ok(())
}
