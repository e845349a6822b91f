//! Names that lead to no file in sight: a source seen again after it was out of sight, or a candidate.

use super::candidates::Candidates;
use super::identity::{FileId, Inode};
use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_file::TrackedFile;
use super::tracked_source::{SourceKey, TrackedSource};
use crate::find::MatchedPath;
use crate::read::plain;
use crate::sys::{self, Stat};
use host::sabotage::{Switch, is_on};
use ledger::manifest::Via;
use std::collections::HashMap;
use std::fs::File;
use std::io;

/// A name whose file no source in sight is in, and what a look at the name showed.
pub(super) struct Arrival {
    matched: MatchedPath,
    watch: usize,
    stat: Stat,
}

impl Arrival {
    pub(super) fn new(matched: MatchedPath, watch: usize, stat: Stat) -> Self {
        Self {
            matched,
            watch,
            stat,
        }
    }

    pub(super) fn inode(&self) -> Inode {
        Inode::from(&self.stat)
    }

    /// Streams in the config's order, and names in theirs.
    pub(super) fn order(&self) -> (usize, &[u8]) {
        (self.watch, self.matched.raw())
    }

    /// Opens it; `None` if the name leads elsewhere by now. One that may be another's is an error.
    fn open(&self) -> io::Result<Option<(File, Stat)>> {
        let file = match self.matched.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let stat = sys::stat_file(&file)?;
        if self.matched.may_be_anothers(&stat) {
            return Err(io::Error::other(format!(
                "it has {} names, uid {} owns it, and others may have put it into this folder: it may be another's file, \
                 linked here; remove the other names, or set the stream's hard_links = \"read\"",
                stat.links, stat.owner
            )));
        }
        let same = stat.regular && Inode::from(&stat) == self.inode();
        Ok(same.then_some((file, stat)))
    }
}

/// Arrivals that a source out of sight is known by continue as that source; the rest are candidates.
pub(super) fn meet(
    arrivals: Vec<Arrival>,
    table: &mut SourceTable,
    candidates: &mut Candidates,
    scan: &mut Scan,
) {
    let mut missing: HashMap<u64, Vec<SourceKey>> = HashMap::new();
    for (key, source) in table.iter().filter(|(_, source)| source.is_missing()) {
        missing.entry(source.file().id().ino).or_default().push(key);
    }
    for arrival in arrivals {
        let path = arrival.matched.bytes();
        let (file, stat) = match arrival.open() {
            Ok(Some(opened)) => opened,
            Ok(None) => continue,
            Err(error) => {
                let folder = scan.folder_of(&arrival.matched);
                scan.blocked(arrival.inode(), &folder);
                scan.unlooked(&path, &error, table);
                // The next scan meets it again, if it lives so long. Of one that no source is known to be in, recovery is
                // to know.
                if sys::is_pressure(&error) && !missing.contains_key(&arrival.stat.ino) {
                    let id = FileId::by_name(&arrival.stat, scan.boot_id());
                    let file = TrackedFile::seen(id, arrival.matched, folder, scan);
                    let seen = (path, file, arrival.stat);
                    candidates.meet(arrival.watch, seen, None, 0, scan);
                }
                continue;
            }
        };
        let id = FileId::of(&file, &stat, scan.boot_id());
        let is_known = |key: &SourceKey| {
            let source = table.get(*key);
            source.is_some_and(|source| source.is_known_as(&id, &path))
        };
        let keys = missing.get(&id.ino).map(Vec::as_slice).unwrap_or_default();
        let known: Vec<_> = keys.iter().copied().filter(is_known).collect();
        let folder = scan.folder_of(&arrival.matched);
        let mut file = TrackedFile::opened(id, file, arrival.matched, folder, scan);
        let unidentified = |key: &SourceKey| {
            let source = table.get(*key);
            source.is_some_and(TrackedSource::is_unidentified)
        };
        let registered = known.iter().copied().find(unidentified);
        let known: Vec<_> = known.into_iter().filter(|key| !unidentified(key)).collect();
        let fits = match recognise(&known, arrival.watch, &mut file, &stat, table) {
            Ok(fits) => fits,
            Err(error) => {
                scan.blocked(Inode::from(&stat), file.folder());
                scan.unlooked(&path, &error, table);
                continue;
            }
        };
        for key in known.iter().filter(|key| Some(**key) != fits) {
            // Where another file was given its number, its own was not cut: it is gone, and that is judged as such.
            let is_reused = |source: &TrackedSource| source.file().id().is_reused_by(file.id());
            if !table.get(*key).is_some_and(is_reused) {
                table.lose_file(*key, scan);
            }
        }
        if let Some(key) = fits {
            if let Some(registered) = registered {
                table.withdraw(registered);
            }
            file.is_via(table.get(key).map_or(Via::Plain, TrackedSource::via));
            table.found_again(key, file, stat, scan);
        } else {
            if let Some(source) = registered.and_then(|key| table.get_mut(key)) {
                source.claim_for(arrival.watch);
                source.is_met_again();
            }
            file.is_via(Via::Plain);
            let (open_max, seen) = (table.budget().candidates, (path, file, stat));
            candidates.meet(arrival.watch, seen, registered, open_max, scan);
        }
    }
}

/// Which of the sources that are known by identity continues in the file, which is in sight again: several may have
/// lived in it, one after the other, and the one whose content it still has continues.
fn recognise(
    known: &[SourceKey],
    watch: usize,
    file: &mut TrackedFile,
    stat: &Stat,
    table: &mut SourceTable,
) -> io::Result<Option<SourceKey>> {
    let mut fits: Option<(u64, SourceKey)> = None;
    for key in known {
        let Some(source) = table.get_mut(*key) else {
            continue;
        };
        source.claim_for(watch);
        file.is_via(source.via());
        let offset = source.offset();
        if still_in(source, file, stat)? && fits.is_none_or(|(best, _)| best < offset) {
            fits = Some((offset, *key));
        }
    }
    Ok(fits.map(|(_, key)| key))
}

/// Whether a file of the source's identity still holds its content.
fn still_in(source: &TrackedSource, file: &TrackedFile, stat: &Stat) -> io::Result<bool> {
    if is_on(Switch::InodeAlone) {
        return Ok(true);
    }
    let surely = source.file().id().is_surely(file.id());
    if source.is_covered() {
        return Ok(surely && stat.size == source.file().size());
    }
    let Some(descriptor) = file.descriptor() else {
        return Ok(false);
    };
    if source.via() == Via::Gzip {
        // Reading on proves it: until then, as long as before is good enough.
        return Ok(surely && stat.size >= source.file().size());
    }
    let content = source.positions().content();
    if !plain::reaches(stat.size, source.offset()) {
        return Ok(false);
    }
    if surely && source.offset() == 0 {
        // Its size is all that is known of its content.
        return Ok(stat.size >= source.file().size());
    }
    if surely {
        return content.ends_in(descriptor);
    }
    // Its name is the same, and it may be another: then all of the content must be there.
    let telling = match source.file().id().is_reused_by(file.id()) {
        true => source.offset() > 0,
        false => plain::reaches(stat.size, source.file().size()),
    };
    Ok(telling && content.begins(descriptor)?)
}
