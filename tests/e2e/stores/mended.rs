//! Credentials that are mended while the program runs come into force without a restart.

use harness::account::{Account, root};
use harness::server::REGION;
use harness::{Kind, Server, on_every_server};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use store::testing::conformance::put;
use store::{Store as _, StoreError, StoreOptions, open};

/// How often the child asks, and how many times: far over the time after which keys are looked up, and that
/// which this process may take to mend them.
const PAUSE: Duration = Duration::from_secs(1);
const TRIES: usize = 600;

const CHILD: &str = "stores::mended::puts_until_it_may";

on_every_server! {
    keys_mended_in_a_profile_come_into_force,
}

fn keys_mended_in_a_profile_come_into_force(kind: Kind) {
    let server = Server::shared(kind);
    assert!(server.locked_bucket("mended").has_lock());
    let home = tempfile::tempdir().unwrap();
    let keys = home.path().join("credentials");
    let mut wrong = root();
    wrong.secret = "mistyped".into();
    write(&keys, &wrong);

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .env_clear()
        .env("AWS_SHARED_CREDENTIALS_FILE", &keys)
        .env("AWS_CONFIG_FILE", home.path().join("none"))
        .env("AWS_ENDPOINT_URL_S3", server.endpoint())
        .env("AWS_REGION", REGION)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("DENIED", home.path().join("denied"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    harness::wait_for("the wrong key to be refused", || {
        home.path().join("denied").exists().then_some(())
    });
    write(&keys, &root());
    assert!(child.wait().unwrap().success());
    assert_eq!(server.bucket("mended").versions("").len(), 1);
}

fn write(keys: &Path, account: &Account) {
    let Account { key, secret } = account;
    let text = format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
    fs::write(keys, text).unwrap();
}

#[test]
#[ignore = "runs in a process of its own, started by the test above, for its environment's sake"]
fn puts_until_it_may() {
    let denied = std::env::var_os("DENIED").unwrap();
    super::run(async {
        let store = open("s3://mended", &StoreOptions::default()).await.unwrap();
        let until = host::clock::now().plus_s(86_400);
        for _ in 0..TRIES {
            match store.put(put("probe/mended", b"bytes", until)).await {
                Ok(_) => return,
                Err(StoreError::Denied(_)) => fs::write(&denied, "").unwrap(),
                Err(error) => panic!("{error:?}"),
            }
            sleep(PAUSE);
        }
        panic!("still refused");
    });
}
