//! A real S3 server of the test's own: own ports, own data directory, thrown away with it.
//!
//! What one kind of server needs to start is in the file named after it; what it does otherwise than
//! others, as far as a test must know, is told by [`Kind`].

use crate::account::{Account, root};
use crate::process::Running;
use crate::wait::wait_for;
use crate::{minio, ports, seaweedfs};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Region, RequestChecksumCalculation};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use std::future::Future;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The region that all requests are signed for.
pub const REGION: &str = "us-east-1";

/// How often other ports are tried when someone else took a free one first.
const PORT_TRIES: usize = 5;

/// The bucket that shows whether a server works. No test uses it.
const READY: &str = "ready";

/// When a request that asks whether the server works is given up and asked again: one that came too early
/// may never be answered.
const READY_AGAIN: Duration = Duration::from_secs(20);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// MinIO, one process with one port.
    Minio,
    /// SeaweedFS: master, volume server, filer and S3 gateway in one process.
    SeaweedFs,
}

impl Kind {
    /// Whether a put into a bucket that is not there makes it, without Object Lock. With root's rights
    /// SeaweedFS does, even if it then refuses the put.
    #[must_use]
    pub fn makes_buckets_by_put(self) -> bool {
        self == Self::SeaweedFs
    }

    /// Whether lists show control characters in names. SeaweedFS shows U+FFFD for most.
    #[must_use]
    pub fn lists_control_characters(self) -> bool {
        self == Self::Minio
    }

    /// Whether a list that takes several pages holds all names. SeaweedFS's leaves `web-01/` out if
    /// a page ends in `web/`.
    #[must_use]
    pub fn lists_all_names(self) -> bool {
        self == Self::Minio
    }

    /// Ports that it listens on; the first one speaks S3.
    fn ports(self) -> usize {
        match self {
            Self::Minio => minio::PORTS,
            Self::SeaweedFs => seaweedfs::PORTS,
        }
    }

    /// The command that serves data below `home` on `ports`.
    fn command(self, home: &Path, ports: &[u16]) -> Command {
        match self {
            Self::Minio => minio::command(home, ports),
            Self::SeaweedFs => seaweedfs::command(home, ports),
        }
    }

    /// Removes what a killed one leaves outside its home.
    fn sweep(self, ports: &[u16]) {
        match self {
            Self::Minio => {}
            Self::SeaweedFs => seaweedfs::sweep(ports),
        }
    }

    /// The server that tests with no wish to hurt it share, while one of them lives.
    fn shared(self) -> &'static Mutex<Weak<Server>> {
        static MINIO: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        static SEAWEEDFS: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        match self {
            Self::Minio => &MINIO,
            Self::SeaweedFs => &SEAWEEDFS,
        }
    }
}

/// A server and a client for it. Dropped, it is killed and its data are gone.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    ports: Vec<u16>,
    process: Mutex<Option<Running>>,
    runtime: Runtime,
    client: Client,
    home: TempDir,
}

impl Server {
    /// Starts a server and waits until it serves.
    ///
    /// # Panics
    /// When it is not installed ("run ./test") or does not come up.
    #[must_use]
    pub fn start(kind: Kind) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let ports = ports::free(kind.ports());
        let mut server = Self {
            kind,
            client: client(&endpoint(ports[0]), &root()),
            ports,
            process: Mutex::new(None),
            runtime,
            home: TempDir::with_prefix("holdfast-server-").expect("a temporary directory"),
        };
        for _ in 0..PORT_TRIES {
            if server.launch() {
                return server;
            }
            server.ports = ports::free(kind.ports());
            server.client = client(&server.endpoint(), &root());
        }
        panic!("{PORT_TRIES} times free ports were taken by others");
    }

    /// The server that tests with no wish to hurt it share: it lives while one of them does.
    ///
    /// # Panics
    /// As [`Server::start`].
    #[must_use]
    pub fn shared(kind: Kind) -> Arc<Self> {
        let mut shared = kind.shared().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = shared.upgrade() {
            return live;
        }
        let server = Arc::new(Self::start(kind));
        *shared = Arc::downgrade(&server);
        server
    }

    /// Which server it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// `http://127.0.0.1:<port>`
    #[must_use]
    pub fn endpoint(&self) -> String {
        endpoint(self.ports[0])
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

    /// Runs a future of [`Server::client`]'s.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Kills the server with SIGKILL; its data stay.
    pub fn kill(&self) {
        let process = self.process.lock().expect("no test panicked here").take();
        assert!(
            process.expect("a live server").kill(),
            "{:?} had ended by itself",
            self.kind
        );
    }

    /// Starts it again on the same ports and data.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&self) {
        assert!(self.launch(), "others took the ports of a killed server");
    }

    /// Starts the process and waits until it serves; `false` if someone else has one of its ports.
    fn launch(&self) -> bool {
        let command = self.kind.command(self.home.path(), &self.ports);
        let mut process = Running::start(command, self.home.path(), "server");
        let what = format!("{:?} to serve", self.kind);
        let is_up = wait_for(&what, || {
            if !process.is_alive() {
                return Some(false);
            }
            self.is_ready().then_some(true)
        });
        let is_taken = !is_up && process.log().contains("address already in use");
        assert!(
            is_up || is_taken,
            "{:?} did not start:\n{}",
            self.kind,
            process.log()
        );
        if is_up {
            *self.process.lock().expect("no test panicked here") = Some(process);
        }
        is_up
    }

    /// Whether it stores an object. Health pages say 200, and lists are answered, before that.
    fn is_ready(&self) -> bool {
        let timeout = TimeoutConfig::builder().operation_timeout(READY_AGAIN);
        let once = Builder::new()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeout.build());
        self.run(async {
            let make = self.client.create_bucket().bucket(READY).customize();
            let made = make.config_override(once.clone()).send().await;
            let is_there = match made {
                Ok(_) => true,
                Err(error) => error.code() == Some("BucketAlreadyOwnedByYou"),
            };
            let put = self.client.put_object().bucket(READY).key(READY);
            // Not empty: SeaweedFS stores that without its volume server.
            let put = put
                .body(ByteStream::from_static(b"ready"))
                .customize()
                .config_override(once);
            is_there && put.send().await.is_ok()
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // First the process: it writes into its home to the last.
        drop(self.process.get_mut().map(Option::take));
        self.kind.sweep(&self.ports);
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

/// Makes a test of each function on each server: `minio::<name>` and `seaweedfs::<name>`.
#[macro_export]
macro_rules! on_every_server {
    ($($test:ident),* $(,)?) => {
        mod minio {
            $(#[test]
            fn $test() {
                super::$test($crate::Kind::Minio);
            })*
        }
        mod seaweedfs {
            $(#[test]
            fn $test() {
                super::$test($crate::Kind::SeaweedFs);
            })*
        }
    };
}

#[cfg(test)]
mod tests {
    use super::{Kind, Server};

    crate::on_every_server! { killed_and_restarted_it_still_holds_what_it_held }

    fn killed_and_restarted_it_still_holds_what_it_held(kind: Kind) {
        let server = Server::start(kind);
        let bucket = server.locked_bucket("held");
        bucket.put("a/b", b"bytes");
        server.kill();
        assert!(!server.is_ready());
        server.restart();
        let versions = bucket.versions("a/");
        assert_eq!(versions.len(), 1);
        assert_eq!(bucket.get(&versions[0]), b"bytes");
        assert_eq!(bucket.lock(&versions[0]), None);
        assert!(bucket.has_lock());
    }
}
