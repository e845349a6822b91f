//! Settings that are wrong, patterns that find nothing, and two programs where one may be.

use super::STREAMS;
use harness::{Site, wait_for};
use rustix::process::Signal;
use std::fs;

fn site() -> Site {
    let site = Site::new("file:///unused", STREAMS);
    fs::create_dir(site.path("store")).unwrap();
    site
}

#[test]
fn every_fault_of_the_agents_settings_is_told_with_its_line() {
    let site = site();
    let file = site.path("agent.toml");
    fs::write(
        &file,
        "agent = \"web 01\"\nspool = \"/spool\"\nstat = \"/state\"\n[seal]\nage = \"10 parsecs\"\n\
         [[stream]]\nname = \"all\"\ninclud = [\"/var/log/*\"]\nretention = \"1h\"\n",
    )
    .unwrap();
    for command in ["run", "drain", "check", "init"] {
        let told = site.agent(&[command]).expect(3);
        let line = |number: u32| format!("{}:{number}: ", file.display());
        let told = told.says(&[
            &line(1),
            "agent",
            &line(3),
            "stat",
            "did you mean \"state\"",
        ]);
        let told = told.says(&[&line(5), "seal.age", "10 parsecs", "duration"]);
        drop(told.says(&[
            &line(8),
            "includ",
            "did you mean \"include\"",
            &line(9),
            "retention",
        ]));
    }
    assert!(
        !site.path("spool").exists(),
        "nothing is made from settings with faults"
    );
}

#[test]
fn every_fault_of_the_archivers_settings_is_told_with_its_line() {
    let site = site();
    let file = site.path("archiver.toml");
    fs::write(
        &file,
        "spool = 7\nstore = \"ftp://x\"\nretry_hold = \"1s\"\nmax_retention = \"1w\"\n",
    )
    .unwrap();
    let told = site.archive(&["--once"]).expect(3);
    let line = |number: u32| format!("{}:{number}: ", file.display());
    let told = told.says(&[&line(1), "spool", &line(2), "store", "s3://"]);
    drop(told.says(&[
        &line(3),
        "did you mean \"retry_held\"",
        &line(4),
        "max_retention",
    ]));
}

#[test]
fn wrong_words_on_the_command_line_are_usage() {
    let site = site();
    drop(site.agent(&["rum"]).expect(3));
    drop(site.archive(&["--onse"]).expect(3));
    drop(site.verify(&["--no-such-flag"]).expect(3));
}

#[test]
fn an_agent_without_settings_or_init_says_what_to_do() {
    let site = site();
    drop(
        site.agent(&["run"])
            .expect(3)
            .says(&["holdfast-agent init"]),
    );
    fs::remove_file(site.path("agent.toml")).unwrap();
    drop(site.agent(&["run"]).expect(3).says(&["agent.toml"]));
}

#[test]
fn a_pattern_that_matches_nothing_is_warned_of_and_waited_for() {
    let site = site();
    site.init();
    let mut agent = site.start(site.agent_command(&["run"]), "run");
    agent.wait_for_log(&site.log("*").display().to_string());
    assert!(agent.log().contains("WARN"), "{}", agent.log());
    let before = site.sealed().len();
    fs::write(site.log("late.log"), "here at last\n").unwrap();
    wait_for("the late file to be sealed", || {
        (site.sealed().len() > before).then_some(())
    });
    agent.signal(Signal::TERM);
    drop(agent.finish().expect(0));
}

#[test]
fn a_second_agent_on_a_spool_or_state_is_refused() {
    let site = site();
    site.init();
    fs::write(site.log("a.log"), "a\n").unwrap();
    let mut first = site.start(site.agent_command(&["run"]), "run");
    wait_for("the first agent to seal", || {
        (!site.sealed().is_empty()).then_some(())
    });
    for command in ["run", "drain"] {
        drop(
            site.agent(&[command])
                .expect(2)
                .says(&["another holdfast-agent"]),
        );
    }
    assert!(first.is_alive());
}

#[test]
fn a_second_archiver_on_a_spool_is_refused() {
    let site = site();
    site.init();
    let store = format!("store = \"file://{}\"", site.path("store").display());
    let spool = format!("spool = \"{}\"\n", site.path("spool").display());
    fs::write(site.path("archiver.toml"), spool + &store).unwrap();
    fs::write(site.log("a.log"), "a\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    let mut first = site.start(site.archive_command(&[]), "archive");
    wait_for("the first archiver to drain", || {
        site.unreceipted().is_empty().then_some(())
    });
    drop(
        site.archive(&["--once"])
            .expect(2)
            .says(&["another process"]),
    );
    assert!(first.is_alive());
}
