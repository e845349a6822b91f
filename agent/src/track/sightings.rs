//! Where known files are now: every name that matched, then every descriptor. Names that lead to no
//! file in sight are arrivals.

use super::arrivals::Arrival;
use super::candidates::Candidates;
use super::changes;
use super::identity::Inode;
use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_source::{SourceKey, TrackedSource};
use crate::find::{MatchedPath, OWN, OwnFiles};
use crate::sys;
use std::collections::{HashMap, HashSet};
use std::io;

/// Every name that is wanted: sources and candidates known by inode take note of it, the rest are
/// arrivals.
pub(super) fn by_name(
    matches: impl Iterator<Item = (MatchedPath, usize)>,
    own: &OwnFiles,
    table: &mut SourceTable,
    candidates: &mut Candidates,
    scan: &mut Scan,
) -> Vec<Arrival> {
    let here = table.iter().filter(|(_, source)| source.is_in_sight());
    let known: HashMap<(u64, u64), SourceKey> = here
        .map(|(key, source)| (source.file().id().numbers(), key))
        .collect();
    let waiting = candidates.by_numbers();
    let mut arrivals = Vec::new();
    for (matched, watch) in matches {
        let stat = match sys::stat_name(matched.path()) {
            Ok(stat) if stat.regular => stat,
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                let folder = scan.folder_of(&matched);
                scan.blocked_folder(&folder);
                scan.fault(&matched.bytes(), &error);
                continue;
            }
        };
        if own.has_file(&stat) {
            scan.note(&matched.bytes(), OWN.into());
            continue;
        }
        let inode = Inode::from(&stat);
        let known_files = candidates.known_mut();
        if known_files.is_seen(&stat, &matched, scan.number()) {
            continue;
        }
        let key = known.get(&(stat.dev, stat.ino)).copied();
        let key = key.filter(|key| {
            let source = table.get(*key);
            source.is_some_and(|source| source.may_be_at(&matched, inode))
        });
        if let Some(key) = key {
            let source = table.get_mut(key);
            if source.is_some_and(|source| source.seen_under(matched, &stat, scan)) {
                changes::examine(table, key, stat, scan);
            }
            continue;
        }
        let at = waiting.get(&(stat.dev, stat.ino)).copied();
        if let Some(at) = at.filter(|at| candidates.may_be_at(*at, &matched, inode)) {
            candidates.seen_under(at, matched, &stat, scan);
        } else {
            arrivals.push(Arrival::new(matched, watch, stat));
        }
    }
    candidates.known_mut().keep_seen(scan.number());
    for (path, form) in candidates.known_mut().passed_over() {
        scan.note(path, format!("{form}, not read"));
    }
    // A file with two names is met once, for the first stream that wants it.
    arrivals.sort_by(|a: &Arrival, b| a.order().cmp(&b.order()));
    let mut met = HashSet::new();
    arrivals.retain(|arrival| met.insert(arrival.inode()));
    arrivals
}

/// Sources that no name led to: looked at through their descriptors, or out of sight.
pub(super) fn through_descriptors(table: &mut SourceTable, scan: &mut Scan) {
    let number = scan.number();
    let unseen = |source: &TrackedSource| source.is_in_sight() && source.file().scan() != number;
    for key in table.keys_where(unseen) {
        let Some(source) = table.get_mut(key) else {
            continue;
        };
        let Some(file) = source.unseen(scan) else {
            continue;
        };
        match sys::stat_file(&file) {
            Ok(stat) if source.is_to_be_examined(&stat) => {
                changes::examine(table, key, stat, scan);
            }
            Ok(_) => {}
            Err(error) => {
                source.has_fault(&error);
                scan.fault(source.path(), &error);
            }
        }
    }
}
