//! What each fault goes through: a host that archives well, the fault, its end, and the one check of the world.

use harness::front::{Answer, Request};
use harness::world::{Archive, check_locks};
use harness::{Bucket, Dice, Front, Kind, Server, Site, dice, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// One stream, sealed at once.
const STREAMS: &str = r#"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// How a fault goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Course {
    /// It stops uploads until it ends; the status is unhealthy or degraded with one of these codes.
    Told(&'static [&'static str]),
    /// Uploads continue while it lasts, and the status stays healthy.
    Borne,
    /// It passes by itself, or is overcome, while it lasts.
    Passing,
}

/// What happens to requests.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    /// Connections are refused.
    Refuse,
    /// Each request meets this: the request, a throw of the dice, and how many did not pass before it.
    Meet(fn(&Request, u64, u64) -> Answer),
}

/// One fault.
pub(super) struct Row {
    pub(super) course: Course,
    pub(super) fault: Fault,
    /// Most versions that a body's key may have in the end, all with the same bytes.
    pub(super) bodies: usize,
    /// Most manifests that may be there once more, with the same bytes.
    pub(super) manifests_again: usize,
}

impl Row {
    /// A fault after which every key has one version.
    pub(super) fn new(course: Course, meet: fn(&Request, u64, u64) -> Answer) -> Self {
        Self {
            course,
            fault: Fault::Meet(meet),
            bodies: 1,
            manifests_again: 0,
        }
    }
}

/// A host before a front.
struct Scene<'a> {
    bucket: Bucket<'a>,
    site: Site,
    written: Vec<Vec<u8>>,
}

impl<'a> Scene<'a> {
    fn new(server: &'a Server, front: &Front, name: &str) -> Self {
        let bucket = server.locked_bucket(&name.replace('_', "-"));
        let site = Site::at(&front.endpoint(), &bucket.url("prod"), STREAMS);
        site.write_archiver_config("poll = \"50ms\"\nretry_held = \"1s\"");
        site.init();
        Self {
            bucket,
            site,
            written: Vec::new(),
        }
    }

    /// Has a log written and sealed.
    fn seal(&mut self) {
        let number = self.written.len();
        let text = format!("log {number}: a line\nlog {number}: another one\n").into_bytes();
        let path = self.site.log(&format!("{number}.log"));
        fs::write(path, &text).unwrap();
        self.written.push(text);
        drop(self.site.agent(&["drain"]).expect(0));
    }

    fn is_drained(&self) -> bool {
        self.site.unreceipted().is_empty()
    }

    /// The status, once there is one, and the exit code that went with it.
    fn status(&self) -> Option<(Value, Option<i32>)> {
        let told = self.site.archive(&["status", "--format", "json"]);
        let status: Value = serde_json::from_str(&told.stdout).ok()?;
        let code = if status["health"] == "unhealthy" {
            2
        } else {
            0
        };
        assert_eq!(told.code, Some(code), "{status}");
        Some((status, told.code))
    }

    /// Waits until all is archived and the status has nothing to say.
    fn wait_until_well(&self, what: &str) {
        wait_for(what, || {
            let (status, _) = self.status().filter(|_| self.is_drained())?;
            let nothing_waits = status["streams"]["all"]["backlog"] == 0;
            (nothing_waits && status["health"] == "healthy").then_some(())
        });
    }

    /// Waits until the status says one of these.
    fn wait_until_told(&self, codes: &[&str]) {
        wait_for(&format!("the status to say one of {codes:?}"), || {
            let (status, _) = self.status()?;
            let told = status["reasons"].as_array()?.iter();
            let told = told.filter_map(|reason| reason["code"].as_str());
            let is_told = { told }.any(|code| codes.contains(&code));
            (is_told && status["health"] != "healthy").then_some(())
        });
    }

    /// Everything is there, once, under its lock, and the verifier agrees.
    fn check(&self, bodies: usize, manifests_again: usize) {
        assert!(self.is_drained());
        let copy = TempDir::new().unwrap();
        self.bucket.download("prod/", copy.path());
        let archive = Archive::read(copy.path());
        archive.must_hold(&self.written);
        assert_eq!(archive.events("gap"), 0);
        let again = check_locks(&self.bucket, "prod/", 1);
        assert!(again <= manifests_again, "{again} manifests once more");
        let mut held: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for version in self.bucket.versions("prod/entries/") {
            let bytes = self.bucket.get(&version);
            held.entry(version.key).or_default().push(bytes);
        }
        for (key, versions) in held {
            assert!(versions.len() <= bodies, "{} of {key}", versions.len());
            assert!(versions.iter().all(|bytes| *bytes == versions[0]), "{key}");
        }
        let bad = harness::site::files_below(&self.site.path("spool/receipts"));
        let is_mark = |path: &std::path::PathBuf| {
            path.extension()
                .is_some_and(|of| of == "bad" || of == "conflict")
        };
        assert_eq!(bad.iter().find(|path| is_mark(path)), None);
        drop(self.site.verify_clean());
    }
}

/// Plays one row.
pub(super) fn play(name: &str, row: &Row) {
    let dice = Mutex::new(Dice::new(dice::seed(name, 7)));
    let (is_on, hits) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let server = Server::shared(Kind::Minio);
    let front = {
        let (fault, is_on, hits) = (row.fault, Arc::clone(&is_on), Arc::clone(&hits));
        Front::before(&server.endpoint(), move |request| {
            let Fault::Meet(meet) = fault else {
                return Answer::Pass;
            };
            if !is_on.load(Ordering::SeqCst) {
                return Answer::Pass;
            }
            let throw = dice.lock().unwrap().throw();
            let answer = meet(request, throw, hits.load(Ordering::SeqCst));
            if !matches!(answer, Answer::Pass) {
                hits.fetch_add(1, Ordering::SeqCst);
            }
            answer
        })
    };
    let switch = |on: bool| {
        is_on.store(on, Ordering::SeqCst);
        front.refuse(on && matches!(row.fault, Fault::Refuse));
    };
    let mut scene = Scene::new(&server, &front, name);
    let mut archiver = scene
        .site
        .start(scene.site.archive_command(&["-v"]), "archive");
    scene.seal();
    scene.wait_until_well("a sound beginning");

    switch(true);
    scene.seal();
    match row.course {
        Course::Told(codes) => {
            scene.wait_until_told(codes);
            assert!(!scene.is_drained(), "it was to stop uploads");
            scene.seal();
            switch(false);
            scene.wait_until_well("the end, once the fault is over");
        }
        Course::Borne => {
            wait_for("uploads to continue", || {
                if let Some((status, _)) = scene.status() {
                    assert_eq!(status["health"], "healthy", "{status}");
                }
                scene.is_drained().then_some(())
            });
            switch(false);
            scene.wait_until_well("the end");
        }
        Course::Passing => {
            scene.wait_until_well("the fault to be overcome");
            switch(false);
        }
    }
    assert!(archiver.is_alive());
    archiver.signal(Signal::TERM);
    drop(archiver.finish().expect(0));
    let hits = hits.load(Ordering::SeqCst);
    println!("{name}: {hits} requests met it");
    assert!(
        hits > 0
            || matches!(
                (row.fault, row.course),
                (Fault::Refuse, _) | (_, Course::Borne)
            )
    );
    scene.check(row.bodies, row.manifests_again);
}

/// A fault that is there from the start, under which the archiver works and says `code` as a degradation.
pub(super) fn play_from_start(
    name: &str,
    code: &str,
    meet: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) {
    let server = Server::shared(Kind::Minio);
    let (front, is_on) = front_while_on(&server, meet);
    let mut scene = Scene::new(&server, &front, name);
    let mut archiver = scene.site.start(scene.site.archive_command(&[]), "archive");
    scene.seal();
    wait_for("uploads", || scene.is_drained().then_some(()));
    scene.wait_until_told(&[code]);
    let (status, exit) = scene.status().unwrap();
    assert_eq!(
        (&status["health"], exit),
        (&Value::from("degraded"), Some(0))
    );
    is_on.store(false, Ordering::SeqCst);
    archiver.signal(Signal::TERM);
    drop(archiver.finish().expect(0));
    scene.check(1, 0);
}

/// A store like this gets nothing but canaries: `archive --once` ends with `exit` and says `words`, and the status
/// says `code`. Once the store is sound, the same host archives.
pub(super) fn gets_nothing(
    name: &str,
    exit: i32,
    code: &str,
    words: &[&str],
    meet: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) {
    let server = Server::shared(Kind::Minio);
    let (front, is_on) = front_while_on(&server, meet);
    let mut scene = Scene::new(&server, &front, name);
    scene.seal();
    drop(scene.site.archive(&["--once"]).expect(exit).says(words));
    scene.wait_until_told(&[code]);
    assert!(scene.bucket.versions("prod/manifests/").is_empty());
    assert!(scene.bucket.versions("prod/entries/").is_empty());
    is_on.store(false, Ordering::SeqCst);
    drop(scene.site.archive(&["--once"]).expect(0));
    scene.check(1, 0);
}

/// A front that does as `meet` says until it is switched off.
fn front_while_on(
    server: &Server,
    meet: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> (Front, Arc<AtomicBool>) {
    let is_on = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&is_on);
    let front = Front::before(&server.endpoint(), move |request| {
        if is_on.load(Ordering::SeqCst) {
            meet(request)
        } else {
            Answer::Pass
        }
    });
    (front, switch)
}
