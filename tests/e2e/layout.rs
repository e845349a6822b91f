//! docker-compose.yml, run without Docker: each of its services as a process with the user, groups,
//! volumes, network and commands that the file gives it. What is asserted: it comes up in the order
//! that the file states, lines of the app end locked in the bucket, the auditor agrees, and nobody can
//! read, write or reach more than it needs.

mod power;

use harness::compose::{self, Compose};
use harness::sandbox::Sandbox;
use harness::site::unreceipted;
use harness::{Finished, Running, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// Lines that must be archived while all runs: more than two lives of the file.
const LINES_WANTED: usize = 50;

/// The app writes faster than the file says and rotates sooner, so that the test takes seconds.
const HASTE: [(&str, &str); 2] = [("PAUSE_S", "0.1"), ("LINES", "20")];

/// The services that run, and those that have.
struct Up {
    running: BTreeMap<String, Running>,
    completed: BTreeSet<String>,
    sandbox: Sandbox,
}

impl Up {
    /// Brings up a service after those that it depends on, each come to what the file demands.
    fn bring_up(&mut self, name: &str) {
        if self.running.contains_key(name) {
            return;
        }
        let service = self.sandbox.service(name);
        let words: Vec<String> = service.words().into_iter().map(str::to_owned).collect();
        let needed = service.depends_on.iter();
        let needed: Vec<_> = needed
            .map(|(name, dependency)| (name.clone(), dependency.condition.clone()))
            .collect();
        for (needed, condition) in needed {
            match &*condition {
                "service_completed_successfully" => self.complete(&needed),
                "service_healthy" => self.wait_until_healthy(&needed),
                other => panic!("a condition of an unknown kind: {other}"),
            }
        }
        let mut command = self.command(name, &words);
        if name == "app" {
            command.envs(HASTE);
        }
        let running = Running::start(command, &self.sandbox.out(), name);
        self.running.insert(name.to_owned(), running);
    }

    /// Runs a one-shot to its end.
    fn complete(&mut self, name: &str) {
        if !self.completed.insert(name.to_owned()) {
            return;
        }
        self.bring_up(name);
        let done = self.running.remove(name).expect("it was brought up");
        let done = done.finish().expect(0);
        println!("{name} ended with 0: {}{}", done.stdout, done.stderr);
    }

    /// Brings a service up and waits until its own healthcheck finds it well.
    fn wait_until_healthy(&mut self, name: &str) {
        self.bring_up(name);
        let check = self.sandbox.service(name).healthcheck.as_ref();
        let test = &check.expect("who waits for its health names a check").test;
        let words = match test.split_first() {
            Some((kind, words)) if kind == "CMD" => words.to_vec(),
            _ => panic!("a healthcheck of an unknown kind: {test:?}"),
        };
        wait_for(&format!("{name} to be healthy"), || {
            let running = self.running.get_mut(name).expect("it was brought up");
            assert!(running.is_alive(), "{name} ended by itself");
            let run = self.run(self.command(name, &words), &format!("{name}-health"));
            (run.code == Some(0)).then_some(())
        });
    }

    fn command(&self, name: &str, words: &[String]) -> Command {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.sandbox.inside(name, &words)
    }

    fn run(&self, command: Command, label: &str) -> Finished {
        Running::start(command, &self.sandbox.out(), label).finish()
    }

    fn stop(&mut self, name: &str) {
        let mut running = self.running.remove(name).expect("it runs");
        assert!(running.is_alive(), "{name} ended by itself");
        running.signal(Signal::TERM);
        drop(running.finish().expect(0));
    }

    /// `docker compose run --rm auditor verify <args>`
    fn verify(&self, args: &[&str]) -> Finished {
        let auditor = self.sandbox.service("auditor");
        let words = auditor.entrypoint.iter().map(String::as_str);
        let words: Vec<_> = words
            .chain(["verify"])
            .chain(args.iter().copied())
            .collect();
        self.run(self.sandbox.inside("auditor", &words), "verify")
    }

    /// Waits until an auditor finds so many entries in the bucket.
    fn wait_for_entries(&self, wanted: usize) {
        wait_for("the app's lines to be archived", || {
            let report = self.verify(&["--format", "json"]);
            let report: Value = serde_json::from_str(&report.stdout).ok()?;
            (report["coverage"]["entries"].as_u64()? >= wanted as u64).then_some(())
        });
    }

    /// Runs a shell script where MinIO's root account is at hand.
    fn as_root_of_the_store(&self, script: &str) -> Finished {
        let command = self.sandbox.inside("accounts", &["sh", "-ec", script]);
        self.run(command, "root")
    }

    /// The app's archived lines, by their numbers, in no order.
    fn archived(&self) -> Vec<usize> {
        let lines = self.as_root_of_the_store(
            "cd /tmp; mc cp --quiet --recursive store/audit-logs/demo/ demo/ > copied; \
             find demo -name '*.ndjson.zst' | sort | xargs zstd -dc",
        );
        let lines = lines.expect(0).stdout;
        let number = |line: &str| -> usize {
            let entry: Value = serde_json::from_str(line).expect("an entry is JSON");
            let message = entry["message"].as_str().expect("a line of text");
            let (_, rest) = message.split_once("request ").expect("a line of the app's");
            let (number, _) = rest.split_once(' ').expect("a line of the app's");
            number.parse().expect("a number")
        };
        lines.lines().map(number).collect()
    }

    /// Every line that the app wrote is archived once, and every version of every object is locked.
    fn check_archive(&self) {
        let mut numbers = self.archived();
        numbers.sort_unstable();
        let written = self.last_written();
        assert!(written > LINES_WANTED, "{written}");
        assert_eq!(numbers, (1..=written).collect::<Vec<_>>());
        let objects =
            self.as_root_of_the_store("mc ls --json --recursive --versions store/audit-logs");
        let locks = self.as_root_of_the_store(
            "mc retention info --json --recursive --versions store/audit-logs",
        );
        let (objects, locks) = (objects.expect(0).stdout, locks.expect(0).stdout);
        for lock in locks.lines() {
            assert!(lock.contains(r#""mode":"COMPLIANCE""#), "{lock}");
        }
        assert_eq!(objects.lines().count(), locks.lines().count());
        println!(
            "{written} lines written, each archived once; {} versions, all locked",
            locks.lines().count()
        );
    }

    /// The number in the newest line of the app's log.
    fn last_written(&self) -> usize {
        let logs = self.sandbox.volume("logs");
        let read = |name| fs::read_to_string(logs.join(name)).unwrap_or_default();
        let text = [read("app.log.1"), read("app.log")].concat();
        let last = text.lines().last().expect("the app wrote");
        let (_, rest) = last.split_once("request ").expect("a line of the app's");
        let (number, _) = rest.split_once(' ').expect("a line of the app's");
        number.parse().expect("a number")
    }
}

#[test]
fn compose_runs_and_nobody_has_more_than_it_needs() {
    let mut up = Up {
        running: BTreeMap::new(),
        completed: BTreeSet::new(),
        sandbox: Sandbox::new(),
    };
    for name in ["app", "agent", "archiver"] {
        up.bring_up(name);
    }
    let needed = up.sandbox.service("auditor").depends_on.keys();
    for name in needed.cloned().collect::<Vec<_>>() {
        up.wait_until_healthy(&name);
    }
    up.wait_for_entries(LINES_WANTED);
    power::show_and_check(&up);

    up.stop("app");
    up.wait_for_entries(up.last_written());
    up.stop("agent");
    let spool = up.sandbox.volume("spool");
    wait_for("all batches to be archived", || {
        unreceipted(&spool).is_empty().then_some(())
    });
    up.stop("archiver");
    let told = up.verify(&[]).expect(0);
    println!(
        "\n$ docker compose run --rm auditor verify\n{}",
        told.stdout
    );
    up.check_archive();
}

#[test]
fn images_are_built_from_the_pins_that_the_tests_run_on() {
    let pins = compose::read("tests/pins");
    let dockerfile = compose::read("infra/docker/minio.Dockerfile");
    for name in ["MINIO_VERSION", "MC_VERSION"] {
        let pin = pins.lines().find(|line| line.starts_with(name));
        let pin = pin.unwrap_or_else(|| panic!("tests/pins has no {name}"));
        assert!(dockerfile.contains(&format!("ARG {pin}\n")), "{pin}");
    }
    let toolchain = compose::read("rust-toolchain.toml");
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "));
    let channel = channel.expect("a channel").trim_matches('"');
    let dockerfile = compose::read("infra/docker/Dockerfile");
    assert!(
        dockerfile.contains(&format!("FROM rust:{channel}-")),
        "{channel}"
    );
}

#[test]
fn each_volume_is_mounted_by_those_who_need_it_and_every_service_is_confined() {
    let compose = Compose::read();
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, service) in &compose.services {
        assert!(service.read_only, "{name}");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        assert_eq!(service.security_opt, ["no-new-privileges:true"], "{name}");
        assert!(!service.user.starts_with("0:"), "{name}");
        for mount in service.mounts() {
            let own_file = mount.source.starts_with("./");
            assert!(
                mount.read_only || !own_file,
                "{name} could write {}",
                mount.source
            );
            let user = if mount.read_only {
                format!("{name}, only to read")
            } else {
                name.clone()
            };
            users.entry(mount.source).or_default().push(user);
        }
    }
    for (volume, expected) in [
        ("logs", &["agent, only to read", "app"][..]),
        ("spool", &["agent", "archiver", "init"]),
        ("state", &["agent", "init"]),
        ("signers", &["auditor, only to read", "init"]),
        ("store", &["minio"]),
    ] {
        assert_eq!(users[volume], expected, "{volume}");
    }
    assert!(compose.networks.values().all(|network| network.internal));
    for name in ["app", "agent", "init"] {
        assert_eq!(
            compose.services[name].network_mode.as_deref(),
            Some("none"),
            "{name}"
        );
    }
}
