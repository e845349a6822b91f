//! What the environment a program is started in can lead it to: a proxy that sees requests which are none of its
//! business, and a way that others can read on.

use super::STREAMS;
use harness::{Finished, Site, wait_for};
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// An address of documentation (RFC 5737): nobody is there.
const FAR: &str = "http://192.0.2.1:9000";

const SECRET: &str = "hunter2";

/// Listens where a proxy should be, keeps the first line of each request and answers none.
struct Proxy {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&heard);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut begin = [0; 200];
                let read = connection.and_then(|mut connection| {
                    connection.set_read_timeout(Some(Duration::from_secs(60)))?;
                    connection.read(&mut begin)
                });
                let text = String::from_utf8_lossy(&begin[..read.unwrap_or(0)]).into_owned();
                let line = text.lines().next().unwrap_or_default().to_owned();
                keep.lock().unwrap().push(line);
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn site(endpoint: &str) -> Site {
    let site = Site::at(endpoint, "s3://far/prod", STREAMS);
    site.init();
    site
}

/// `archive --check` by this proxy, with these variables.
fn check(site: &Site, proxy: &Proxy, variables: &[(&str, &str)]) -> Finished {
    let mut command = site.archive_command(&["--check"]);
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        let url = format!("http://user:{SECRET}@127.0.0.1:{}", proxy.port);
        command.env(variable, url);
    }
    for (name, value) in variables {
        match value.is_empty() {
            true => command.env_remove(name),
            false => command.env(name, value),
        };
    }
    let told = site.start(command, "check").finish();
    assert!(!told.stdout.contains(SECRET) && !told.stderr.contains(SECRET));
    told
}

#[test]
fn no_proxy_hears_of_loopback_or_of_credentials() {
    let proxy = Proxy::start();
    drop(check(&site(NOWHERE), &proxy, &[]));
    let without_keys = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://127.0.0.1:1/credentials",
        ),
    ];
    drop(check(&site(NOWHERE), &proxy, &without_keys));
    assert_eq!(proxy.heard(), Vec::<String>::new());
}

#[test]
fn a_proxy_is_asked_for_a_far_store_and_plain_http_is_warned_of() {
    let proxy = Proxy::start();
    let told = check(&site(FAR), &proxy, &[]);
    drop(told.says(&["plain http, beyond this host"]));
    wait_for("the proxy to be asked", || {
        let heard = proxy.heard();
        heard
            .iter()
            .any(|line| line.contains("192.0.2.1"))
            .then_some(())
    });
    let told = site(NOWHERE).archive(&["--check"]);
    assert!(!told.stderr.contains("plain http"), "{}", told.stderr);
}
