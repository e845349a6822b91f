//! A host with some of everything: logs that were rotated and packed, batches with receipts and without. What its disk
//! looks like, and what must hold of it in the end, whatever was done to it.

use harness::oracle::ask;
use harness::site::files_below;
use harness::world::Archive;
use harness::{Finished, Site};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const STREAMS: &str = r#"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// The program that something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Agent,
    Archiver,
}

pub(super) struct Scene {
    who: Who,
    pub(super) site: Site,
    pub(super) store: TempDir,
    /// What was written to each log, from its making on.
    lives: Vec<Vec<u8>>,
}

pub(super) fn append(path: &Path, text: &str) {
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

pub(super) fn lines(tag: &str) -> String {
    (0..200)
        .map(|n| format!("{tag} line {n} of a log\n"))
        .collect()
}

impl Scene {
    /// A host right before the program has much to do: logs that went on, were rotated and packed since the agent
    /// ran; for the archiver they are sealed.
    pub(super) fn prepare(who: Who) -> Self {
        let store = TempDir::new().unwrap();
        let site = Site::new(&format!("file://{}", store.path().display()), STREAMS);
        site.init();
        let (app, web) = (lines("app"), lines("web"));
        append(&site.log("app.log"), &app);
        append(&site.log("web.log"), &web);
        drop(site.agent(&["drain"]).expect(0));
        drop(site.archive(&["--once"]).expect(0));
        let more = lines("more");
        append(&site.log("app.log"), &more);
        fs::rename(site.log("app.log"), site.log("app.log.1")).unwrap();
        let gzip = Command::new("gzip").arg(site.log("app.log.1")).status();
        assert!(gzip.unwrap().success());
        let (fresh, other) = (lines("fresh"), lines("other"));
        append(&site.log("app.log"), &fresh);
        append(&site.log("web.log"), &other);
        if who == Who::Archiver {
            drop(site.agent(&["drain"]).expect(0));
        }
        Self {
            who,
            site,
            store,
            lives: [app + &more, web + &other, fresh]
                .map(String::into_bytes)
                .to_vec(),
        }
    }

    /// A host to which something was done; the life of `web.log` is the second.
    pub(super) fn of(who: Who, site: Site, store: TempDir, lives: Vec<Vec<u8>>) -> Self {
        Self {
            who,
            site,
            store,
            lives,
        }
    }

    /// What something is done to.
    pub(super) fn command(&self) -> Command {
        match self.who {
            Who::Agent => self.site.agent_command(&["drain"]),
            Who::Archiver => self.site.archive_command(&["--once"]),
        }
    }

    /// Names and sizes of all that the programs keep on disk, each random name replaced by a number in the order of
    /// appearance. Sizes count to the next power of two: times and hashes make them differ by some bytes.
    pub(super) fn disk(&self) -> Vec<(String, u32)> {
        let mut numbers = BTreeMap::new();
        let roots = [
            self.site.path("spool"),
            self.site.path("state"),
            self.store.path().into(),
        ];
        let mut files: Vec<_> = roots.iter().flat_map(|root| files_below(root)).collect();
        files.sort();
        let disk = files.iter().map(|file| {
            let size = fs::metadata(file).map_or(0, |stat| stat.len());
            let parts = file
                .iter()
                .map(|part| name_of(&part.to_string_lossy(), &mut numbers));
            (
                parts.collect::<Vec<_>>().join("/"),
                u64::BITS - size.leading_zeros(),
            )
        });
        disk.collect()
    }

    /// Whether what strace says of a call is about our folders.
    pub(super) fn is_ours(&self, about: &str) -> bool {
        let folders = [self.site.path(""), self.store.path().into()];
        folders
            .iter()
            .any(|folder| about.contains(folder.to_str().unwrap()))
    }

    /// An agent that drained with 0 has sealed all there is, an archiver that ended with 0 has archived all that is
    /// sealed. 2 claims nothing; 3 is for settings that cannot be read.
    #[track_caller]
    pub(super) fn is_honest(&self, ended: &Finished, what: &str) {
        match ended.code {
            Some(0) => {}
            Some(2) => return,
            Some(3) if ended.stderr.contains(".toml") => return,
            _ => panic!("{what}: {ended:?}"),
        }
        if self.who == Who::Agent {
            drop(self.site.archive(&["--once"]).expect(0));
        }
        assert!(
            self.site.unreceipted().is_empty(),
            "{what}: exit 0, and batches wait"
        );
        let archive = Archive::read(self.store.path());
        let held: usize = archive.files.iter().map(|file| file.bytes.len()).sum();
        let written: usize = self.lives.iter().map(Vec::len).sum();
        assert_eq!(held, written, "{what}: exit 0, and not all is archived");
    }

    /// Starts both programs as they are, twice, writes one more line, and demands the world as if nothing had been:
    /// each line once, one epoch, no gap, no event that says that it may be otherwise, a verifier that is content, and
    /// nothing left over.
    #[track_caller]
    pub(super) fn check_world(&self, what: &str) {
        let site = &self.site;
        let mut lives = self.lives.clone();
        for text in ["one more line\n", "and the last one\n"] {
            append(&site.log("web.log"), text);
            lives[1].extend(text.as_bytes());
            let drained = site.agent(&["drain"]);
            assert_eq!(drained.code, Some(0), "{what}: {}", drained.stderr);
            let archived = site.archive(&["--once"]);
            assert_eq!(archived.code, Some(0), "{what}: {}", archived.stderr);
        }
        assert!(site.unreceipted().is_empty(), "{what}: batches wait");
        let mut left = files_below(&site.path("spool/tmp"));
        left.extend(files_below(&site.path("spool/receipts")));
        left.extend(files_below(self.store.path()));
        left.retain(|file| !is_meant_to_stay(file));
        assert!(left.is_empty(), "{what}: left over: {left:?}");
        drop(site.verify_clean());
        let oracle = ask(self.store.path(), &lives, &["--no-gaps"]);
        assert_eq!(oracle.code, Some(0), "{what}: {oracle:?}");
        let archive = Archive::read(self.store.path());
        let geneses = archive
            .manifests
            .iter()
            .filter(|manifest| manifest["kind"] == "genesis");
        assert_eq!(geneses.count(), 1, "{what}: a new epoch");
        let fresh = |manifest: &Value| manifest["entries"]["count"] == 1;
        assert!(
            archive.manifests.iter().any(fresh),
            "{what}: the fresh line has no batch"
        );
    }
}

/// Whether a file is what the archiver keeps, or an object.
fn is_meant_to_stay(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let ends = [".receipt", ".manifest", ".ndjson.zst"];
    let own = [".lock", ".status.json", ".key"];
    own.contains(&&*name) || (ends.iter().any(|end| name.ends_with(end)) && !name.starts_with('.'))
}

/// The name without what is random in it.
fn name_of(part: &str, numbers: &mut BTreeMap<String, usize>) -> String {
    let is_random = |word: &str| {
        word.len() >= 8
            && word
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    if !part.split('.').any(is_random) && !part.starts_with(".tmp") && !part.contains("holdfast") {
        return part.to_owned();
    }
    let next = numbers.len();
    let number = numbers.entry(part.to_owned()).or_insert(next);
    format!("#{number}")
}
