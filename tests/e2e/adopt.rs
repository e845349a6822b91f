//! A host set up again: its stream is told from a second history until it says what it continues.

use harness::{Kind, Server, Site, on_every_server};
use serde_json::Value;
use std::fs;

const STREAMS: &str = "[[stream]]\nname = \"all\"\ninclude = [\"{logs}/*\"]\nretention = \"1d\"";

/// The heads that verify offers for adoption with findings of `code`.
fn offered(report: &Value, code: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap();
    let told = findings.iter().filter(|finding| finding["code"] == code);
    let after = |finding: &Value| {
        let message = finding["message"].as_str().unwrap();
        let (_, command) = message.split_once("init --after ").unwrap();
        command.split(['`', ' ']).next().unwrap().to_owned()
    };
    told.map(after).collect()
}

fn verify(site: &Site, code: i32) -> Value {
    let told = site.verify(&["--format", "json"]).expect(code);
    serde_json::from_str(&told.stdout).unwrap()
}

fn work(site: &Site, line: &str) {
    fs::write(site.log(&format!("{line}.log")), format!("{line}\n")).unwrap();
    site.agent(&["drain"]).expect(0);
    site.archive(&["--once"]).expect(0);
}

/// The second host has the first one's key, as if restored from a backup of it alone.
fn second_host(server: &Server, first: &Site) -> Site {
    let second = Site::on(server, first.store(), STREAMS);
    second.init();
    fs::copy(first.path("state/key"), second.path("state/key")).unwrap();
    fs::copy(first.path("signers"), second.path("signers")).unwrap();
    second
}

/// On a directory: nothing in it is a server's.
#[test]
fn a_rotated_key_counts_once_it_is_pinned() {
    let site = Site::new("file:///unused", STREAMS);
    let store = format!("file://{}", site.path("out/store").display());
    fs::create_dir(site.path("out/store")).unwrap();
    let site = site.with_store(&store);
    site.init();
    work(&site, "old");
    let line = site.agent(&["rotate-key"]).expect(0).stdout;
    work(&site, "new");
    // The new key is not pinned: what it signs is no statement of the agent.
    let code = verify_code(&site);
    assert!([1, 2, 4].contains(&code), "{code}");
    let old = fs::read_to_string(site.path("signers")).unwrap();
    fs::write(site.path("signers"), format!("{old}{line}")).unwrap();
    site.verify_clean();
    // The old key is not needed any more, and the agent's is the new one.
    assert_eq!(site.agent(&["init"]).expect(0).stdout, line);
    assert!(!site.path("state/key.next").exists());
}

fn verify_code(site: &Site) -> i32 {
    site.verify(&[]).code.unwrap_or(-1)
}

on_every_server! {
    a_new_host_continues_the_stream_it_is_told_of,
    a_second_history_is_critical_until_it_is_adopted,
}

fn a_new_host_continues_the_stream_it_is_told_of(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.locked_bucket("adopt-told");
    let first = Site::on(&server, &bucket.url("prod"), STREAMS);
    first.init();
    work(&first, "first");
    let [head] = &offered(&verify(&first, 0), "STOPPED")[..] else {
        panic!("one stream rests");
    };
    let second = second_host(&server, &first);
    second.agent(&["init", "--after", head]).expect(0);
    work(&second, "second");
    second.verify_clean();
}

fn a_second_history_is_critical_until_it_is_adopted(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.locked_bucket("adopt-late");
    let first = Site::on(&server, &bucket.url("prod"), STREAMS);
    first.init();
    work(&first, "first");
    let second = second_host(&server, &first);
    work(&second, "second");
    let heads = offered(&verify(&second, 1), "LOOSE_EPOCH");
    assert!(!heads.is_empty());
    for head in &heads {
        second.agent(&["init", "--after", head]).expect(0);
    }
    work(&second, "third");
    let report = verify(&second, 0);
    let loose = report["findings"].as_array().unwrap().iter();
    let loose: Vec<&Value> = loose
        .filter(|finding| finding["code"] == "LOOSE_EPOCH")
        .collect();
    assert!(
        loose.iter().all(|finding| finding["severity"] == "note"),
        "{loose:?}"
    );
    // Nothing is adopted twice: a further start continues in the same epoch.
    work(&second, "fourth");
    verify(&second, 0);
}

#[test]
fn heads_of_unknown_streams_are_refused() {
    let site = Site::new("file:///nowhere", STREAMS);
    let epoch = "01a205ee-5005-7f26-85b7-d57a55def8af";
    let head = format!(
        "other:{epoch}:3:{}:86400:2026-11-22T10:00:00.000000Z",
        "0".repeat(64)
    );
    drop(
        site.agent(&["init", "--after", &head])
            .expect(3)
            .says(&["no stream named other"]),
    );
    drop(
        site.agent(&["init", "--after", "all:3"])
            .expect(3)
            .says(&["as `holdfast verify` prints it"]),
    );
}
