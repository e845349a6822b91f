//! One log through all three programs: stored size, CPU, time and memory, each beside the kernel's.

use crate::cost::{self, Cost};
use crate::kernel::{self, Codec, INPUT_MAX};
use crate::results::Results;
use crate::rows::Selection;
use crate::words::Words;
use crate::workshop::{Log, Workshop, manifests, say, stream};
use harness::Site;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::process::Command;

/// Runs of the rows of the log of `--size`.
const RUNS: u64 = 5;

/// The large log, and how often it is measured.
const LARGE_BYTES: u64 = 4_000_000_000;
const LARGE_RUNS: u64 = 1;

/// The spool holds the whole log until it is archived.
const TOP: &str = "spool_cap = \"64GiB\"";

/// What has rows of both logs.
const ROWS_OF_A_LOG: [&str; 4] = ["stored", "agent", "archiver", "verify"];

/// All rows of both logs that are asked for.
pub(crate) fn measure(workshop: &Workshop, words: &Words, results: &mut Results) {
    let wants = |row: &str| words.rows.wants_any(row);
    if ROWS_OF_A_LOG.into_iter().any(wants) || wants("kernel") || wants("agent+archiver") {
        let log = workshop.log("log", words.size);
        repeat(workshop, &log, "", words.runs(RUNS), results);
    }
    if wants("large") {
        let log = workshop.log("large", LARGE_BYTES);
        repeat(workshop, &log, "large.", words.runs(LARGE_RUNS), results);
    }
}

fn repeat(workshop: &Workshop, log: &Log, prefix: &str, runs: u64, results: &mut Results) {
    let text = beginning(log);
    for run in 1..=runs {
        let run = Run {
            workshop,
            log,
            text: &text,
            prefix,
            number: run,
        };
        say(&format!("{prefix}log: run {} of {runs}", run.number));
        run.measure(results);
    }
}

/// What the kernel gets of it: whole lines, within what it can hold.
fn beginning(log: &Log) -> Vec<u8> {
    let mut text = Vec::new();
    let file = File::open(&log.path).expect("an own log can be opened");
    file.take(INPUT_MAX as u64)
        .read_to_end(&mut text)
        .expect("an own log can be read");
    let end = memchr::memrchr(b'\n', &text).expect("a log has lines");
    text.truncate(end + 1);
    text
}

/// One run over one log.
struct Run<'a> {
    workshop: &'a Workshop,
    log: &'a Log,
    text: &'a [u8],
    prefix: &'a str,
    number: u64,
}

impl Run<'_> {
    fn measure(&self, results: &mut Results) {
        let wanted = results.wanted().clone();
        let wants = |row: &str| wanted.wants_any(&format!("{}{row}", self.prefix));
        let wants_store = ["archiver", "verify", "agent+archiver"]
            .into_iter()
            .any(wants);
        if !wants_store && !wants("stored") && !wants("agent") {
            self.kernels(&wanted, None, results);
            return;
        }
        let site = self.site();
        let agent = self.command(&site, site.agent_command(&["drain", "-q"]), "drain");
        let sealed = Sealed::of(&site);
        let kernels = self.kernels(&wanted, Some(sealed.codec), results);
        let kernel = kernels[&sealed.codec];
        let stored = self.log.bytes as f64 / sealed.stored as f64;
        results.add_beside(&self.row("stored"), stored, kernel.stored);
        self.add(results, "agent", agent, kernel.write);
        if !wants_store {
            return;
        }
        let archiver = self.command(&site, site.archive_command(&["--once", "-q"]), "archive");
        self.add(results, "archiver", archiver, kernel.write);
        if self.prefix.is_empty() {
            let both = (agent.cpu_s + archiver.cpu_s) / self.log.gb();
            results.add_beside("agent+archiver.cpu", both, kernel.write);
            if let Some(zstd) = kernels.get(&Codec::Zstd) {
                results.add("agent+archiver.zstd", both / zstd.write);
            }
        }
        if wants("verify") {
            let verify = self.command(&site, site.verify_command(site.store(), &[]), "verify");
            self.add(results, "verify", verify, kernel.verify);
        }
    }

    /// A site of its own for each run: nothing is sealed, archived or cached yet.
    fn site(&self) -> Site {
        let streams = stream(&self.log.path.display().to_string());
        let prefix = format!("{}log-{}", self.prefix, self.number);
        self.workshop.site(&prefix, TOP, &streams)
    }

    /// Runs a command to its end, which must be a good one.
    fn command(&self, site: &Site, command: Command, label: &str) -> Cost {
        let (cost, finished) = cost::of(site.start(command, label));
        drop(finished.expect(0));
        cost
    }

    /// The kernel in the agent's codec and in those that have rows of their own.
    fn kernels(
        &self,
        wanted: &Selection,
        agents: Option<Codec>,
        results: &mut Results,
    ) -> BTreeMap<Codec, Figures> {
        let mut kernels = BTreeMap::new();
        for codec in [Codec::Zstd, Codec::Gzip] {
            let rows = format!("kernel.{}", codec.name());
            let is_base = codec == Codec::Zstd && wanted.wants("agent+archiver.zstd");
            let is_needed = agents == Some(codec) || wanted.wants_any(&rows) || is_base;
            if !is_needed {
                continue;
            }
            let figures = Figures::of(self.text, codec);
            if self.prefix.is_empty() {
                results.add(&format!("{rows}.stored"), figures.stored);
                results.add(&format!("{rows}.write"), figures.write);
                results.add(&format!("{rows}.verify"), figures.verify);
            }
            kernels.insert(codec, figures);
        }
        kernels
    }

    fn add(&self, results: &mut Results, program: &str, cost: Cost, kernel: f64) {
        let row = |what: &str| self.row(&format!("{program}.{what}"));
        results.add_beside(&row("cpu"), cost.cpu_s / self.log.gb(), kernel);
        results.add(&row("wall"), cost.wall_s / self.log.gb());
        results.add(&row("memory"), cost.peak_mib);
    }

    fn row(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// The kernel's figures: bytes of log per stored byte, and CPU-seconds per GB of log.
#[derive(Clone, Copy)]
struct Figures {
    stored: f64,
    write: f64,
    verify: f64,
}

impl Figures {
    fn of(text: &[u8], codec: Codec) -> Self {
        let gb = text.len() as f64 / 1e9;
        let written = kernel::write(text, codec);
        Self {
            stored: text.len() as f64 / written.stored() as f64,
            write: written.cpu_s / gb,
            verify: written.verify() / gb,
        }
    }
}

/// What the agent made of a log.
struct Sealed {
    stored: u64,
    codec: Codec,
}

impl Sealed {
    fn of(site: &Site) -> Self {
        let (mut stored, mut codec) = (0, None);
        for manifest in manifests(site) {
            let body = &manifest["stored"];
            stored += body["size"].as_u64().unwrap_or(0);
            codec = body["codec"].as_str().and_then(Codec::named).or(codec);
        }
        Self {
            stored,
            codec: codec.expect("the agent sealed a body in a codec that is known"),
        }
    }
}
