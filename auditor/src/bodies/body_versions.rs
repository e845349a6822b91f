//! The bodies of one epoch: listed in step with the manifests, read side by side, judged in order.
//!
//! Within an epoch bodies sort by date and seq just as manifests sort by seq, so one page of their
//! list is in memory at a time. What the list shows and no manifest names is kept for the end.

use crate::audit_state::Judge;
use crate::bodies::content as body;
use crate::listing::lister::{Group, ListError, Lister};
use crate::listing::store_reader::Reader;
use crate::manifests::statements::Statement;
use crate::objects::lock_state::{self as lock, LockState};
use ledger::chain::Touch;
use ledger::manifest::Manifest;
use ledger::name::{Epoch, Name};
use ledger::{Digest, Moment};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Store, StoreError, Version, VersionKind};

/// Versions of a body's key that are looked at one by one. A body's name holds its hash, so nobody
/// can put versions there before it; the oldest are kept.
const VERSIONS_MAX: usize = 4000;

/// Unnamed keys of an epoch that are kept until its end.
const UNNAMED_MAX: usize = 1000;

/// Walks the list of one epoch's bodies.
pub(crate) struct BodyCursor<S> {
    reader: Reader<S>,
    folder: String,
    epoch: Epoch,
    open: Option<(String, Lister<S>)>,
    held: Option<Group>,
    /// Keys that a statement names which is not followed: evidence of a fork, not orphans.
    pub(crate) spoken_for: BTreeSet<String>,
    pub(crate) unnamed: Vec<Version>,
    /// Unnamed keys beyond those kept.
    pub(crate) unnamed_more: u64,
    newest_date: String,
    disordered: bool,
}

/// The list prefix under which one epoch's bodies of one date stand.
pub(crate) fn day_prefix(agent: &Name, stream: &Name, date: &str, epoch: Epoch) -> String {
    format!("entries/agent={agent}/stream={stream}/date={date}/{epoch}-")
}

impl<S: Store> BodyCursor<S> {
    pub(crate) fn new(reader: &Reader<S>, agent: &Name, stream: &Name, epoch: Epoch) -> Self {
        Self {
            reader: reader.clone(),
            folder: format!("entries/agent={agent}/stream={stream}/"),
            epoch,
            open: None,
            held: None,
            spoken_for: BTreeSet::new(),
            unnamed: Vec::new(),
            unnamed_more: 0,
            newest_date: String::new(),
            disordered: false,
        }
    }

    /// All versions of `key`, which stands under `date` and after every key asked for before.
    pub(crate) async fn versions_of(
        &mut self,
        key: &str,
        date: &str,
    ) -> Result<Vec<Version>, ListError> {
        if self.open.as_ref().is_none_or(|(open, _)| open != date) {
            self.finish_day().await?;
            // A date that goes back is told with the chain. Its day is then listed twice, and what
            // was named the first time would look unnamed.
            if date < self.newest_date.as_str() {
                self.disordered = true;
                self.unnamed.clear();
                self.unnamed_more = 0;
            }
            self.newest_date = date.max(&self.newest_date).to_string();
            let prefix = format!("{}date={date}/{}-", self.folder, self.epoch);
            self.open = Some((date.to_string(), Lister::new(&self.reader, prefix)));
        }
        let mut versions = Vec::new();
        while let Some(group) = self.next_group().await? {
            if group.key.as_str() > key {
                self.held = Some(group);
                break;
            }
            if group.key == key {
                versions.extend(group.versions);
                let excess = versions.len().saturating_sub(VERSIONS_MAX);
                versions.drain(..excess);
            } else {
                self.leave_unnamed(group);
            }
        }
        Ok(versions)
    }

    /// Reads the rest of the open day: nothing in it is named any more.
    pub(crate) async fn finish_day(&mut self) -> Result<(), ListError> {
        while let Some(group) = self.next_group().await? {
            self.leave_unnamed(group);
        }
        self.open = None;
        Ok(())
    }

    async fn next_group(&mut self) -> Result<Option<Group>, ListError> {
        if let Some(group) = self.held.take() {
            return Ok(Some(group));
        }
        match &mut self.open {
            Some((_, lister)) => lister.next().await,
            None => Ok(None),
        }
    }

    fn leave_unnamed(&mut self, group: Group) {
        if self.disordered || self.spoken_for.contains(&group.key) {
            return;
        }
        for version in group.versions {
            if self.unnamed.len() < UNNAMED_MAX {
                self.unnamed.push(version);
            } else {
                self.unnamed_more += 1;
            }
        }
    }
}

/// A version of a body's key whose bytes are not the signed ones.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) version_id: String,
    pub(crate) stored_at: Moment,
    pub(crate) got: String,
}

/// The version that holds the signed bytes.
#[derive(Debug)]
pub(crate) struct Right {
    pub(crate) version_id: String,
    pub(crate) content: Result<BTreeMap<u64, Touch>, body::Fault>,
}

/// Everything found under one body's key.
#[derive(Debug, Default)]
pub(crate) struct BodyReading {
    pub(crate) right: Option<Right>,
    pub(crate) lock: Option<LockState>,
    pub(crate) locks_read: u64,
    pub(crate) wrong: Vec<Wrong>,
    /// Versions that could not be read, so nobody knows.
    pub(crate) unreadable: Vec<Wrong>,
    pub(crate) markers: Vec<Version>,
    pub(crate) newer: u64,
}

/// Reads and judges `versions` of the body that `statement` names.
pub(crate) async fn read<S: Store>(
    judge: Judge<S>,
    manifest: Arc<Manifest>,
    key: String,
    versions: Vec<Version>,
) -> BodyReading {
    let mut reading = BodyReading::default();
    let Some(stored) = &manifest.stored else {
        return reading;
    };
    for version in versions {
        if judge.is_newer(version.last_modified) {
            reading.newer += 1;
            continue;
        }
        if version.kind == VersionKind::Marker {
            reading.markers.push(version);
            continue;
        }
        let wrong = |got: String| Wrong {
            version_id: version.version_id.clone(),
            stored_at: version.last_modified,
            got,
        };
        if version.kind == VersionKind::Special || version.size != stored.size {
            reading.wrong.push(wrong(format!("{} bytes", version.size)));
            continue;
        }
        match judge
            .reader
            .get(&key, &version.version_id, stored.size)
            .await
        {
            Ok(fetched) => {
                let sha256 = Digest::of(&fetched.bytes);
                if sha256 != stored.sha256 {
                    reading.wrong.push(wrong(sha256.to_string()));
                    continue;
                }
                read_lock(&judge, &manifest, &key, &version, &mut reading).await;
                if reading.right.is_none() {
                    let version_id = version.version_id;
                    let content = judge_content(Arc::clone(&manifest), fetched.bytes).await;
                    reading.right = Some(Right {
                        version_id,
                        content,
                    });
                }
            }
            Err(StoreError::TooLarge { .. }) => {
                reading
                    .wrong
                    .push(wrong("more bytes than its list says".into()));
            }
            Err(error) => reading.unreadable.push(wrong(error.to_string())),
        }
    }
    reading
}

async fn read_lock<S: Store>(
    judge: &Judge<S>,
    manifest: &Manifest,
    key: &str,
    version: &Version,
    reading: &mut BodyReading,
) {
    if !judge.locks {
        return;
    }
    let needed = version.last_modified.plus_s(manifest.retention_s);
    let state = lock::read(&judge.reader, key, &version.version_id, needed, judge.now).await;
    reading.locks_read += 1;
    reading.lock = Some(match reading.lock.take() {
        Some(other) => other.best(state),
        None => state,
    });
}

/// Unpacking takes a core for a while; the runtime's own threads are for waiting.
async fn judge_content(
    manifest: Arc<Manifest>,
    bytes: bytes::Bytes,
) -> Result<BTreeMap<u64, Touch>, body::Fault> {
    match tokio::task::spawn_blocking(move || body::judge(&manifest, &bytes)).await {
        Ok(judged) => judged,
        Err(error) => Err(body::Fault::unjudged(&error.to_string())),
    }
}

/// The one statement of a slot that is followed, as the bodies need it.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) stored_at: Moment,
}

impl Named {
    pub(crate) fn of(statement: &Statement) -> Self {
        Self {
            manifest: Arc::clone(&statement.manifest),
            stored_at: statement.stored_at,
        }
    }

    /// When the body's absence becomes lawful.
    pub(crate) fn retained_until(&self) -> Moment {
        self.stored_at.plus_s(self.manifest.retention_s)
    }
}
