//! A real MinIO of the test's own: own port, own data directory, thrown away with it.

use crate::bucket::Bucket;
use crate::cache;
use crate::process::Running;
use crate::wait::{PATIENCE, wait_for};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region, RequestChecksumCalculation};
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The region that all requests are signed for.
pub const REGION: &str = "us-east-1";

/// How often another port is tried when someone else took the free one first.
const PORT_TRIES: usize = 5;

/// A name and its secret.
#[derive(Debug, Clone)]
pub struct Account {
    /// `AWS_ACCESS_KEY_ID`
    pub key: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret: String,
}

/// A server and a client for it. Dropped, it is killed and its data are gone.
#[derive(Debug)]
pub struct Minio {
    port: u16,
    server: Mutex<Option<Running>>,
    runtime: Runtime,
    client: Client,
    home: TempDir,
}

impl Minio {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed ("run ./test") or does not come up.
    #[must_use]
    pub fn start() -> Self {
        let home = TempDir::with_prefix("holdfast-minio-").expect("a temporary directory");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        for _ in 0..PORT_TRIES {
            let port = free_port();
            if let Some(server) = launch(port, &home) {
                let client = client(&endpoint(port), &root());
                let server = Mutex::new(Some(server));
                return Self {
                    port,
                    server,
                    runtime,
                    client,
                    home,
                };
            }
        }
        panic!("{PORT_TRIES} free ports were taken by others");
    }

    /// The server that tests with no wish to hurt it share: it lives while one of them does.
    ///
    /// # Panics
    /// As [`Minio::start`].
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Minio>> = Mutex::new(Weak::new());
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(live) = shared.upgrade() {
            return live;
        }
        let server = Arc::new(Self::start());
        *shared = Arc::downgrade(&server);
        server
    }

    /// `http://127.0.0.1:<port>`
    #[must_use]
    pub fn endpoint(&self) -> String {
        endpoint(self.port)
    }

    /// The server's own folder, for what goes away with it.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The SDK's client, as root.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a future of [`Minio::client`]'s.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A new bucket with versioning and Object Lock and no default retention.
    #[must_use]
    pub fn locked_bucket(&self, name: &str) -> Bucket<'_> {
        let bucket = Bucket::new(self, name);
        bucket.create(true);
        bucket
    }

    /// A handle on a bucket that may or may not be there.
    #[must_use]
    pub fn bucket(&self, name: &str) -> Bucket<'_> {
        Bucket::new(self, name)
    }

    /// Kills the server with SIGKILL; its data stay.
    pub fn kill(&self) {
        let server = self.server.lock().expect("no test panicked here").take();
        assert!(
            server.expect("a live server").kill(),
            "MinIO had ended by itself"
        );
    }

    /// Starts it again on the same port and data.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&self) {
        let server = launch(self.port, &self.home).expect("the port is still ours");
        *self.server.lock().expect("no test panicked here") = Some(server);
    }
}

/// The server's own account.
#[must_use]
pub fn root() -> Account {
    Account {
        key: "holdfast-root".into(),
        secret: "holdfast-root-secret".into(),
    }
}

fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// A client for the server at `endpoint`, by path style.
#[must_use]
pub fn client(endpoint: &str, account: &Account) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(
            &account.key,
            &account.secret,
            None,
            None,
            "tests",
        ))
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A server that answers on `port`; `None` if someone else has that port.
fn launch(port: u16, home: &TempDir) -> Option<Running> {
    let mut command = Command::new(cache::minio());
    let data = home.path().join("data");
    command
        .args([
            "server",
            "--quiet",
            "--address",
            &format!("127.0.0.1:{port}"),
        ])
        .arg(data)
        .env_clear()
        .env("HOME", home.path())
        .env("MINIO_ROOT_USER", root().key)
        .env("MINIO_ROOT_PASSWORD", root().secret)
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off");
    let mut server = Running::start(command, home.path(), "minio");
    let up = wait_for("MinIO to answer", PATIENCE, || {
        if !server.is_alive() {
            return Some(false);
        }
        is_ready(port).then_some(true)
    });
    let taken = !up && server.log().contains("address already in use");
    assert!(up || taken, "MinIO did not start:\n{}", server.log());
    up.then_some(server)
}

/// Asks for the list of buckets without credentials: refused by a server that works. The health page
/// says 200 while requests still get 503, "Server not initialized yet".
fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut reply = [0; 12];
        stream.read_exact(&mut reply)?;
        Ok(reply.ends_with(b" 403"))
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn killed_and_restarted_it_still_holds_what_it_held() {
        let minio = Minio::start();
        let bucket = minio.locked_bucket("held");
        bucket.put("a/b", b"bytes");
        minio.kill();
        assert!(!is_ready(minio.port));
        minio.restart();
        let versions = bucket.versions("a/");
        assert_eq!(versions.len(), 1);
        assert_eq!(bucket.get(&versions[0]), b"bytes");
        assert_eq!(bucket.lock(&versions[0]), None);
        assert!(bucket.has_lock());
    }
}
