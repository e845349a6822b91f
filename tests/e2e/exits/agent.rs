//! The commands of `holdfast-agent`.

use super::{STREAMS, site};
use harness::{Site, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;

#[test]
fn init_ends_with_0_and_prints_the_same_line_again() {
    let site = Site::new("file:///unused", STREAMS);
    let first = site.agent(&["init"]).expect(0).stdout;
    assert!(first.starts_with("web-01 "), "{first}");
    assert_eq!(site.agent(&["init"]).expect(0).stdout, first);
}

#[test]
fn init_ends_with_2_where_nothing_can_be_made() {
    let site = Site::new("file:///unused", STREAMS);
    fs::write(site.path("spool"), "a file in the way").unwrap();
    drop(site.agent(&["init"]).expect(2).says(&["spool"]));
}

#[test]
fn init_ends_with_3_on_a_stream_that_is_not_there() {
    let site = Site::new("file:///unused", STREAMS);
    let digest = "0".repeat(64);
    let at = "2026-11-22T10:00:00.000000Z";
    let head = format!("other:01a202b2-c500-7101-8101-010101010101:1:{digest}:86400:{at}");
    drop(
        site.agent(&["init", "--after", &head])
            .expect(3)
            .says(&["no stream named other"]),
    );
    drop(site.agent(&["init", "--after", "nonsense"]).expect(3));
}

#[test]
fn rotate_key_ends_with_0_and_prints_the_new_line_or_with_3_on_a_host_that_is_not_set_up() {
    let bare = Site::new("file:///unused", STREAMS);
    drop(
        bare.agent(&["rotate-key"])
            .expect(3)
            .says(&["holdfast-agent init"]),
    );
    let site = site();
    let old = site.agent(&["init"]).expect(0).stdout;
    let new = site.agent(&["rotate-key"]).expect(0).stdout;
    assert!(new.starts_with("web-01 namespaces=") && new != old, "{new}");
}

#[test]
fn check_ends_with_0_and_says_what_it_costs() {
    let site = site();
    let told = site.agent(&["check"]).expect(0);
    drop(told.says(&[
        "stream all: 1 file, locked for 1 day\n",
        "costs of seal.age 100ms",
        "list prices of 2025-06: $0.005 for 1,000 PUTs, $0.0004 for 1,000 reads\n",
        "stream all: 105,408 to 632,448,000 PUTs, 210,816 to 632,448,000 reads, $0.62 to $3,415.22, \
         each PUT an object for 1 day\n",
        "this host: 105,408 to 632,448,000 PUTs",
        "1,000 such hosts: 105,408,000 to 632,448,000,000 PUTs",
    ]));
    let mut check = site.agent_command(&["check"]);
    check.env("HOLDFAST_COST_PUT_PER_1000", "0.01");
    drop(
        site.start(check, "check")
            .finish()
            .expect(0)
            .says(&["at your prices: $0.01 for 1,000 PUTs, $0.0004 for 1,000 reads\n"]),
    );
}

#[test]
fn check_ends_with_2_before_init() {
    let site = Site::new("file:///unused", STREAMS);
    drop(
        site.agent(&["check"])
            .expect(2)
            .says(&["FAULT", "holdfast-agent init"]),
    );
    assert!(!site.path("spool").exists() && !site.path("state").exists());
}

#[test]
fn run_ends_with_0_after_a_signal_and_status_tells_before_and_after() {
    let site = Site::new("file:///unused", STREAMS);
    site.init();
    drop(
        site.agent(&["status"])
            .expect(2)
            .says(&["no agent has run"]),
    );
    let asked = site.agent(&["status", "--format", "json"]).expect(2);
    let none: Value = serde_json::from_str(&asked.stdout).unwrap();
    assert_eq!(none["health"], "unhealthy");
    assert_eq!(none["reasons"][0]["code"], "no_status");
    let mut agent = site.start(site.agent_command(&["run"]), "run");
    wait_for("the agent to say how it stands", || {
        (site.agent(&["status"]).code == Some(0)).then_some(())
    });
    agent.signal(Signal::TERM);
    drop(agent.finish().expect(0));
    drop(
        site.agent(&["status"])
            .expect(2)
            .says(&["holdfast-agent is not running"]),
    );
}

#[test]
fn settings_that_are_not_there_are_told_with_what_to_do() {
    let site = Site::new("file:///unused", STREAMS);
    fs::remove_file(site.path("agent.toml")).unwrap();
    let told = site.agent(&["check"]).expect(3);
    drop(told.says(&[
        "agent.toml: no such settings file",
        "--config",
        "sample-config",
    ]));
}

#[test]
fn drain_ends_with_0_when_all_is_sealed() {
    assert!(!site().sealed().is_empty());
}

#[test]
fn drain_ends_with_2_while_the_spool_is_full() {
    let site = Site::new("file:///unused", STREAMS);
    site.write_agent_config("spool_cap = \"5MiB\"", STREAMS);
    site.init();
    // Random bytes do not get smaller.
    let mut noise = fs::File::open("/dev/urandom").unwrap();
    let mut log = fs::File::create(site.log("noise.log")).unwrap();
    std::io::copy(&mut std::io::Read::take(&mut noise, 12 << 20), &mut log).unwrap();
    drop(
        site.agent(&["drain"])
            .expect(2)
            .says(&["not finished", "the spool is full"]),
    );
}

#[test]
fn status_ends_with_0_in_either_form_while_it_runs() {
    let site = site();
    let mut agent = site.start(site.agent_command(&["run"]), "run");
    let told = wait_for("the agent to run", || {
        let told = site.agent(&["status", "--format", "json"]);
        (told.code == Some(0)).then_some(told)
    });
    let status: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(status["running"], true);
    drop(site.agent(&["status"]).expect(0).says(&["stream all: "]));
    assert!(agent.is_alive());
}

#[test]
fn status_ends_with_2_when_none_runs() {
    drop(
        site()
            .agent(&["status"])
            .expect(2)
            .says(&["holdfast-agent is not running"]),
    );
}

#[test]
fn status_ends_with_3_on_faulty_settings() {
    let site = site();
    fs::write(site.path("agent.toml"), "agent = 1\n").unwrap();
    drop(
        site.agent(&["status"])
            .expect(3)
            .says(&["agent.toml:1: agent: the number 1"]),
    );
}

#[test]
fn variables_are_in_force_and_in_the_hash_of_the_settings() {
    let site = site();
    let hash = |variable: &[(&str, &str)]| {
        fs::write(site.log("a.log"), "another line\n").unwrap();
        let mut command = site.agent_command(&["drain"]);
        command.envs(variable.iter().copied());
        drop(site.start(command, "drain").finish().expect(0));
        let mut manifests = site.sealed();
        manifests.sort();
        let newest = fs::read(manifests.last().unwrap()).unwrap();
        let line = newest.split(|byte| *byte == b'\n').next().unwrap();
        let manifest: Value = serde_json::from_slice(line).unwrap();
        let beat = manifest["heartbeat_s"].as_u64().unwrap();
        (manifest["config_sha256"].as_str().unwrap().to_owned(), beat)
    };
    let file = fs::read(site.path("agent.toml")).unwrap();
    let of = |more: &str| ledger::Digest::of(&[&file[..], more.as_bytes()].concat()).to_string();
    assert_eq!(hash(&[]), (of(""), 300));
    assert_eq!(
        hash(&[("HOLDFAST_HEARTBEAT", "7s")]),
        (of("HOLDFAST_HEARTBEAT=7s\n"), 7)
    );
    // As `NAME=${OTHER:-}` leaves them.
    assert_eq!(
        hash(&[("HOLDFAST_HEARTBEAT", ""), ("HOLDFAST_LOG", "")]),
        (of(""), 300)
    );
    let mut command = site.agent_command(&["check"]);
    command.env("HOLDFAST_SEAL_AGE", "10 parsecs");
    let told = site.start(command, "check").finish().expect(3);
    drop(told.says(&["variable HOLDFAST_SEAL_AGE: \"10 parsecs\" where a duration"]));
}
