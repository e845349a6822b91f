//! What all rows share: a folder for inputs, a MinIO once a row needs it, and new sites.

use crate::input;
use harness::{Kind, Server, Site};
use serde_json::Value;
use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The one bucket; every site has a prefix of its own in it.
pub(crate) const BUCKET: &str = "bench";

/// Shared by all rows, gone afterwards.
pub(crate) struct Workshop {
    folder: TempDir,
    server: OnceCell<Server>,
}

impl Workshop {
    /// # Panics
    /// When the disk refuses.
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::with_prefix("holdfast-bench-").expect("a temporary directory"),
            server: OnceCell::new(),
        }
    }

    /// A new folder of the name.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).expect("a folder can be made");
        folder
    }

    /// A log of this size.
    pub(crate) fn log(&self, name: &str, bytes: u64) -> Log {
        let path = self.folder(name).join("app.log");
        say(&format!(
            "{name}: making {} MB of log, seed {}",
            bytes / 1_000_000,
            input::SEED
        ));
        let bytes = input::write_log(&path, bytes).expect("a log can be written");
        Log { path, bytes }
    }

    /// The server, started when it is first asked for, with its bucket.
    pub(crate) fn server(&self) -> &Server {
        self.server.get_or_init(|| {
            let server = Server::start(Kind::Minio);
            drop(server.locked_bucket(BUCKET));
            server
        })
    }

    /// A site that archives below `prefix` on the server, with its key made.
    pub(crate) fn site(&self, prefix: &str, top: &str, streams: &str) -> Site {
        let site = Site::on(self.server(), &format!("s3://{BUCKET}/{prefix}"), streams);
        site.write_agent_config(top, streams);
        site.init();
        site
    }
}

/// A log that is measured; gone with it.
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl Log {
    pub(crate) fn gb(&self) -> f64 {
        self.bytes as f64 / 1e9
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // The workshop's folder takes what stays.
        fs::remove_file(&self.path).ok();
    }
}

/// The settings of one stream of all files that a pattern hits.
pub(crate) fn stream(pattern: &str) -> String {
    format!("[[stream]]\nname = \"all\"\ninclude = [\"{pattern}\"]\nretention = \"1d\"\n")
}

/// The same, with this `seal.age`.
pub(crate) fn stream_of_age(age: &str, pattern: &str) -> String {
    format!("[seal]\nage = \"{age}\"\n{}", stream(pattern))
}

/// The manifests' lines in a site's spool, in no order.
pub(crate) fn manifests(site: &Site) -> Vec<Value> {
    site.sealed().iter().map(|path| manifest(path)).collect()
}

/// The line of the manifest in a file.
pub(crate) fn manifest(path: &Path) -> Value {
    let bytes = fs::read(path).expect("a sealed manifest can be read");
    let line = bytes.split(|byte| *byte == b'\n').next();
    serde_json::from_slice(line.unwrap_or_default()).expect("a manifest is JSON")
}

/// Progress, for whoever waits.
pub(crate) fn say(words: &str) {
    eprintln!("bench: {words}");
}
