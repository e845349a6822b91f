//! The spool as the archiver sees it: the agent's half, `sealed/`, read only, and what stands in its
//! own half, `receipts/`, beside it. Names and contents are hostile input.
//!
//! It says what is there and reads batches; it decides nothing ([`order`] does) and writes nothing
//! ([`crate::receipt_writer`] does), but removes receipts whose batch is gone.

pub mod batch;
pub mod order;
mod survey;

use batch::{Batch, BatchError};
use host::disk;
use host::folder::{Folder, mend_mode};
use ledger::manifest::EpochHead;
use ledger::name::{Epoch, Name, parse_seq};
use ledger::spool::{BatchId, ID, Mark, OtherVersion, RECEIPTS, SEALED, parse_id_file};
use order::{EpochView, Next, Outlook};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use survey::{EpochLinks, Survey};

/// Longest time between two looks at all of a stream's batches. Between them only the number that
/// comes next is asked for, so that an idle stream costs next to nothing however much it keeps.
const RESCAN_EVERY: Duration = Duration::from_secs(60);

/// Streams of one spool, closed ones included: an agent has at most 256 at a time. Whoever has its account could make any
/// number of folders, and each is kept in memory and told in the status.
const STREAMS_MAX: usize = 4096;

/// Mode of the folders of the archiver's half: the agent, of the same group, reads them.
pub(crate) const RECEIPTS_MODE: u32 = 0o2750;

/// The spool's folder.
#[derive(Debug, Clone)]
pub struct Spool {
    root: PathBuf,
    /// The archiver's half, this user's own. Held open: what stands under its name is the agent's to say.
    receipts: Arc<Folder>,
}

/// The folder of the batch with this number.
fn seq_name(seq: u64) -> String {
    format!("{seq:020}")
}

/// What becomes of marks whose batch is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Orphans {
    Drop,
    Keep,
}

/// What was found of one stream at the last look, and what was done since.
#[derive(Debug, Default)]
pub struct StreamView {
    /// What is to be done.
    pub outlook: Outlook,
    /// Where the next batch will appear, if nothing unforeseen happens.
    expected: Option<Next>,
    epochs: BTreeSet<Epoch>,
    looked: Option<Instant>,
    links: BTreeMap<Epoch, Vec<EpochHead>>,
}

impl StreamView {
    /// Has everything looked at again the next time.
    pub fn forget(&mut self) {
        self.looked = None;
    }

    /// Looks whether what is expected is there; false if what is known cannot be all.
    fn expect(&mut self, stream_folder: &Folder) -> io::Result<bool> {
        if self.outlook.next.is_some() {
            return Ok(true);
        }
        if let Some(expected) = self.expected {
            let epoch_folder = stream_folder.enter(expected.epoch.to_string())?;
            if epoch_folder.has(&seq_name(expected.seq))? {
                self.outlook.next = Some(expected);
                self.outlook.backlog = self.outlook.backlog.max(1);
                return Ok(true);
            }
        }
        // Some were there that are not the expected one: one between them is missing.
        Ok(self.outlook.backlog == 0 || !self.outlook.blocked.is_empty())
    }

    /// The batch at `next` has its receipt.
    pub fn passed(&mut self, next: Next) {
        self.outlook.next = None;
        self.outlook.backlog = self.outlook.backlog.saturating_sub(1);
        self.expected = next.successor();
        if self.expected.is_none() {
            self.forget();
        }
    }
}

/// Largest file with a spool's id.
const ID_MAX: u64 = 4096;

/// Why a spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenSpoolError {
    /// A half of it is missing or can't be listed; the text names it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another version of the agent made it.
    #[error("{}: {other}", root.display())]
    OtherVersion { root: PathBuf, other: OtherVersion },
    /// Who may change the link says where the archiver writes.
    #[error("{}: a symbolic link, through which receipts are never written; put a folder there that belongs to \
        user {user} (or mount one)", path.display())]
    Linked { path: PathBuf, user: u32 },
    /// Its owner may put a link into it at any time.
    #[error("{0}: belongs to user {owner}, and receipts are written only where nobody else may; as root: \
        chown {user} {0}", path.display())]
    NotOurs {
        path: PathBuf,
        owner: u32,
        user: u32,
    },
}

impl Spool {
    /// The spool at `root`, which must have both halves and be of this version.
    ///
    /// # Errors
    /// [`OpenSpoolError`]
    pub fn open(root: &Path) -> Result<Self, OpenSpoolError> {
        // Batches of another version would all look rotten, and be marked so.
        let id = root.join(ID);
        match disk::read_bounded(&id, ID_MAX) {
            Ok(bytes) => {
                let version = parse_id_file(&String::from_utf8_lossy(&bytes)).map(drop);
                version.map_err(|other| OpenSpoolError::OtherVersion {
                    root: root.into(),
                    other,
                })?;
            }
            // What is no spool lacks a half as well, and is named by that.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(name_error(&id.display(), error).into()),
        }
        let sealed = root.join(SEALED);
        let listed = Folder::open(&sealed).and_then(|folder| folder.each_name(1, |_| {}));
        listed.map_err(|error| name_error(&sealed.display(), error))?;
        Ok(Self {
            root: root.into(),
            receipts: Arc::new(open_receipts(root)?),
        })
    }

    /// The archiver's half.
    #[must_use]
    pub fn receipts(&self) -> &Arc<Folder> {
        &self.receipts
    }

    /// Where it stands, for messages: whoever writes by this path may be led elsewhere.
    #[must_use]
    pub fn receipts_path(&self) -> PathBuf {
        self.root.join(RECEIPTS)
    }

    /// Gives the archiver's half its mode, which another umask or an older version may have left open to the agent.
    ///
    /// # Errors
    /// What the system says; the text names it.
    pub fn close_receipts(&self) -> io::Result<()> {
        let mended = mend_mode(&*self.receipts, RECEIPTS_MODE);
        mended.map_err(|error| name_error(&self.receipts_path().display(), error))
    }

    /// Whether something else than the folder that is held open stands in its place by now: nobody reads what is
    /// written there, and nothing keeps a second archiver off the new one. Not while nothing can be seen there.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        let root = Folder::open(&self.root);
        let stands = root.and_then(|root| self.receipts.stands_at(&root, RECEIPTS));
        matches!(stands, Ok(Some(false)))
    }

    /// The streams that have a folder, in order of their names.
    ///
    /// # Errors
    /// `sealed/` can't be listed, or holds more than [`STREAMS_MAX`] of them.
    pub fn streams(&self) -> io::Result<BTreeSet<Name>> {
        let mut streams = BTreeSet::new();
        self.sealed()?.each_name(usize::MAX, |name| {
            if streams.len() <= STREAMS_MAX {
                streams.extend(name.parse::<Name>());
            }
        })?;
        if streams.len() > STREAMS_MAX {
            let path = self.root.join(SEALED);
            let message = format!("{}: more than {STREAMS_MAX} streams", path.display());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(streams)
    }

    /// Brings `view.outlook` up to date with what stands in the spool for `stream`.
    ///
    /// # Errors
    /// A folder can't be listed; the text names it.
    pub fn refresh(&self, stream: &Name, view: &mut StreamView, now: Instant) -> io::Result<()> {
        let looked = self.rescan(stream, view, now);
        let path = self.root.join(SEALED).join(stream.as_str());
        looked.map_err(|error| name_error(&path.display(), error))
    }

    /// Makes one batch durable, reads and checks it.
    ///
    /// # Errors
    /// [`BatchError`]
    pub fn read(&self, id: &BatchId) -> Result<Batch, BatchError> {
        let absent = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => BatchError::Absent,
            _ => BatchError::Unreadable(error),
        };
        let sealed = self.sealed()?;
        let stream_folder = sealed.enter(id.stream.as_str()).map_err(absent)?;
        let epoch_folder = stream_folder.enter(id.epoch.to_string()).map_err(absent)?;
        let batch = Batch::read(&epoch_folder, id)?;
        // Its own folder is durable by now; these make the way to it so.
        for folder in [&epoch_folder, &stream_folder, &sealed] {
            folder.sync()?;
        }
        Ok(batch)
    }

    /// Removes what killed writes of marks left below `receipts/`. Only while no other archiver writes there.
    ///
    /// # Errors
    /// A folder can't be looked through; the text names it. What is left does no harm.
    pub fn sweep(&self) -> io::Result<()> {
        let root = &self.receipts;
        root.sweep_temporaries()?;
        // Names that are no stream's or epoch's are not ours to enter, nor is what is no folder.
        let named = |path: String| {
            let path = self.receipts_path().join(path);
            move |error| name_error(&path.display(), error)
        };
        let streams = root.names()?;
        for stream in streams.iter().filter(|name| name.parse::<Name>().is_ok()) {
            let Some(folder) = folder_in(root, stream).map_err(named(stream.clone()))? else {
                continue;
            };
            let epochs = folder.names().map_err(named(stream.clone()))?;
            for epoch in epochs.iter().filter(|name| name.parse::<Epoch>().is_ok()) {
                let swept = match folder_in(&folder, epoch) {
                    Ok(Some(folder)) => folder.sweep_temporaries(),
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                };
                swept.map_err(named(format!("{stream}/{epoch}")))?;
            }
        }
        Ok(())
    }

    fn sealed(&self) -> io::Result<Folder> {
        Folder::open(&self.root)?.enter(SEALED)
    }

    fn rescan(&self, stream: &Name, view: &mut StreamView, now: Instant) -> io::Result<()> {
        let folder = self.sealed()?.enter(stream.as_str())?;
        let names = folder.names()?;
        let epochs: BTreeSet<Epoch> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let fresh = view
            .looked
            .is_some_and(|at| now.duration_since(at) < RESCAN_EVERY);
        if fresh && epochs == view.epochs && view.expect(&folder)? {
            return Ok(());
        }
        view.links.retain(|epoch, _| epochs.contains(epoch));
        let views = self.views(stream, &epochs, &mut view.links, Orphans::Drop)?;
        view.outlook = order::outlook(&views);
        view.expected = view.outlook.expected;
        view.epochs = epochs;
        // An epoch's folder is there before its genesis is. Seen in between, it tells nothing of what
        // to expect, so it is looked at each time until it does.
        let all_begun = views.values().all(|view| !view.sealed.is_empty());
        view.looked = all_begun.then_some(now);
        Ok(())
    }

    /// Everything that stands in the spool for `stream`.
    fn views(
        &self,
        stream: &Name,
        epochs: &BTreeSet<Epoch>,
        links: &mut BTreeMap<Epoch, Vec<EpochHead>>,
        orphans: Orphans,
    ) -> io::Result<BTreeMap<Epoch, EpochView>> {
        // Marks first: one that is listed here had its batch before, so a batch that is not listed
        // afterwards is gone, not new.
        let mut marks = self.marks(stream)?;
        let folder = self.sealed()?.enter(stream.as_str())?;
        let mut views = BTreeMap::new();
        for epoch in epochs {
            let Some(epoch_folder) = found(folder.enter(epoch.to_string()))? else {
                continue;
            };
            let names = epoch_folder.names()?;
            let sealed: BTreeSet<u64> = names.iter().filter_map(|name| parse_seq(name)).collect();
            let marks = marks.remove(epoch).unwrap_or_default();
            if orphans == Orphans::Drop {
                self.drop_orphans(stream, *epoch, &marks, Some(&sealed))?;
            }
            // A stream's only epoch needs no links, and a bad genesis is not believed.
            let needs_links = epochs.len() > 1 && sealed.contains(&0);
            let links = if needs_links && marks.get(&0) != Some(&Mark::Bad) {
                links_of(&epoch_folder, stream, *epoch, links)?
            } else {
                Vec::new()
            };
            views.insert(
                *epoch,
                EpochView {
                    sealed,
                    marks,
                    links,
                },
            );
        }
        if orphans == Orphans::Drop {
            for (epoch, marks) in marks {
                self.drop_orphans(stream, epoch, &marks, None)?;
            }
        }
        Ok(views)
    }

    fn marks(&self, stream: &Name) -> io::Result<BTreeMap<Epoch, BTreeMap<u64, Mark>>> {
        let mut marks = BTreeMap::new();
        let Some(folder) = found(self.receipts.enter(stream.as_str()))? else {
            return Ok(marks);
        };
        for name in folder.names()? {
            let Ok(epoch) = name.parse::<Epoch>() else {
                continue;
            };
            let names = folder.enter(&name)?.names()?;
            let mut of_epoch = BTreeMap::new();
            for (seq, mark) in names.iter().filter_map(|name| Mark::parse_file_name(name)) {
                // Should several stand there, the one that tells of more trouble counts.
                let worst = of_epoch.entry(seq).or_insert(mark);
                *worst = mark.max(*worst);
            }
            marks.insert(epoch, of_epoch);
        }
        Ok(marks)
    }

    /// Removes what stands in `receipts/` for batches that are gone. A crash leaves some of it, to
    /// be removed at the next look.
    fn drop_orphans(
        &self,
        stream: &Name,
        epoch: Epoch,
        marks: &BTreeMap<u64, Mark>,
        sealed: Option<&BTreeSet<u64>>,
    ) -> io::Result<()> {
        let is_gone = |seq: &u64| sealed.is_none_or(|sealed| !sealed.contains(seq));
        if sealed.is_some() && !marks.keys().any(is_gone) {
            return Ok(());
        }
        let stream_folder = self.receipts.enter(stream.as_str())?;
        let folder = stream_folder.enter(epoch.to_string())?;
        for name in folder.names()? {
            let of_gone = Mark::parse_file_name(&name).is_some_and(|(seq, _)| is_gone(&seq));
            if of_gone {
                folder.remove(&name)?;
            }
        }
        if sealed.is_none() {
            stream_folder.remove_if_empty(&epoch.to_string())?;
        }
        Ok(())
    }
}

/// Opens the archiver's half, which must be a folder and this user's.
fn open_receipts(root: &Path) -> Result<Folder, OpenSpoolError> {
    let path = root.join(RECEIPTS);
    let user = rustix::process::geteuid().as_raw();
    let named = |error| OpenSpoolError::Io(name_error(&path.display(), error));
    let top = Folder::open(root).map_err(named)?;
    let folder = match top.enter(RECEIPTS) {
        // The kernel has two words for a link where a folder is wanted.
        Err(_) if path.is_symlink() => return Err(OpenSpoolError::Linked { path, user }),
        entered => entered.map_err(named)?,
    };
    let owner = folder.owner().map_err(named)?;
    if owner != user {
        return Err(OpenSpoolError::NotOurs { path, owner, user });
    }
    // Whoever owns it may list it; one that was closed against its owner is named now.
    folder.names().map_err(named)?;
    Ok(folder)
}

/// The epochs that `epoch` continues, as its genesis says; read once.
fn links_of(
    epoch_folder: &Folder,
    stream: &Name,
    epoch: Epoch,
    known: &mut BTreeMap<Epoch, Vec<EpochHead>>,
) -> io::Result<Vec<EpochHead>> {
    if let Some(links) = known.get(&epoch) {
        return Ok(links.clone());
    }
    let stream = stream.clone();
    let id = BatchId {
        stream,
        epoch,
        seq: 0,
    };
    let statement = Batch::read_statement(epoch_folder, &id);
    match statement {
        Ok(manifest) => {
            let links = manifest.prev_epoch.unwrap_or_default();
            known.insert(epoch, links.clone());
            Ok(links)
        }
        // Its turn to be uploaded will come, and then its fault is found and stated.
        Err(BatchError::Absent | BatchError::Rot(_)) => Ok(Vec::new()),
        Err(BatchError::Unreadable(error)) => Err(error),
    }
}

/// Opens the folder `name`; `None` if something else stands there.
fn folder_in(folder: &Folder, name: &str) -> io::Result<Option<Folder>> {
    match folder.enter(name) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        entered => entered.map(Some),
    }
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn name_error(what: &dyn fmt::Display, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
