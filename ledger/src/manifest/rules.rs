//! The rules that one manifest alone can be held to, once it has the right shape.

use super::{Entries, Event, EventKind, Kind, Manifest, ManifestError, Reason, SCHEMA, Via, Was};
use crate::block::{self, Totals};
use crate::limits::{
    BATCH_ENTRIES_MAX, BATCH_RAW_MAX, BATCH_STORED_MAX, DAY_S, HEADS_MAX, HEARTBEAT_MAX_S,
    HEARTBEATS_PROMISED, INTEGER_END,
};
use crate::{Digest, Moment, moment};
use alloc::collections::BTreeSet;
use alloc::string::String;

impl Manifest {
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        self.check_place()?;
        self.check_content()?;
        self.check_sources()?;
        self.check_events()?;
        self.check_promise()
    }

    /// Whether `crit` itself is in order: the one rule that holds before it is known what else does.
    pub(super) fn check_crit(&self) -> Result<(), ManifestError> {
        rule(
            self.crit.iter().all(|name| self.ext.contains_key(name)),
            "crit names a key that ext lacks",
        )?;
        let distinct: BTreeSet<_> = self.crit.iter().collect();
        rule(distinct.len() == self.crit.len(), "crit names a key twice")
    }

    fn check_place(&self) -> Result<(), ManifestError> {
        rule(
            (self.kind == Kind::Genesis) == (self.seq == 0),
            "kind is genesis exactly at seq 0",
        )?;
        rule(
            self.prev_epoch.is_some() == (self.seq == 0),
            "prev_epoch stands exactly at seq 0",
        )?;
        rule(
            self.prev.map(|prev| prev.seq) == self.seq.checked_sub(1),
            "prev is not the seq before",
        )?;
        let heads = self.prev_epoch.as_deref().unwrap_or_default();
        let distinct: BTreeSet<_> = heads.iter().map(|head| head.epoch).collect();
        rule(
            distinct.len() == heads.len(),
            "prev_epoch names an epoch twice",
        )?;
        rule(
            !distinct.contains(&self.epoch),
            "prev_epoch names its own epoch",
        )?;
        let heads = self.heads.as_deref().unwrap_or_default();
        let distinct: BTreeSet<_> = heads.iter().map(|head| &head.stream).collect();
        rule(distinct.len() == heads.len(), "heads names a stream twice")?;
        rule(
            !distinct.contains(&self.stream),
            "heads names its own stream",
        )?;
        rule(heads.len() <= HEADS_MAX, "heads names over 16 streams")?;
        rule(
            self.heads.is_none() || !heads.is_empty(),
            "heads stands and names no stream",
        )
    }

    fn check_content(&self) -> Result<(), ManifestError> {
        let Entries { first, count, root } = self.entries;
        rule(
            (self.kind == Kind::Batch) == (count > 0),
            "kind is batch exactly where entries are",
        )?;
        rule(
            first
                .checked_add(count)
                .is_some_and(|end| end <= INTEGER_END),
            "entries run past 2^53",
        )?;
        let times = (self.time.first, self.time.last);
        let (body, stored, blocks) = match (&self.body, &self.stored, &self.blocks) {
            (None, None, None) if count == 0 => {
                rule(
                    root == Digest::of(b""),
                    "the root over no entries is SHA-256 of nothing",
                )?;
                return rule(
                    times == (None, None),
                    "time.first and time.last stand only with entries",
                );
            }
            (Some(body), Some(stored), Some(blocks)) if count > 0 => (body, stored, blocks),
            _ => {
                return Err(ManifestError::Field(
                    "body, stored and blocks stand exactly where entries are",
                ));
            }
        };
        rule(
            matches!(times, (Some(_), Some(_))),
            "time.first and time.last are needed with entries",
        )?;
        rule(
            body.schema == SCHEMA,
            "body.schema is not holdfast/entries/1",
        )?;
        rule(moment::is_day(&body.date), "body.date is not a day")?;
        rule(body.size <= BATCH_RAW_MAX, "body.size is over 24 MiB")?;
        rule(
            stored.size <= BATCH_STORED_MAX,
            "stored.size is over 32 MiB",
        )?;
        rule(count <= BATCH_ENTRIES_MAX, "entries.count is over 2^18")?;
        let stated = Totals {
            size: stored.size,
            raw: body.size,
            count,
        };
        rule(
            block::totals(stored.codec, blocks) == Some(stated),
            "blocks do not add up to the totals",
        )
    }

    fn check_sources(&self) -> Result<(), ManifestError> {
        for source in &self.sources {
            rule(
                source.path_bytes().is_some(),
                "a source needs one of path and path_base64",
            )?;
            rule(
                is_decimal(&source.dev) && is_decimal(&source.ino),
                "dev and ino are decimal strings",
            )?;
            let hex =
                |handle: &String| !handle.is_empty() && crate::digest::parse_hex(handle).is_some();
            rule(
                source.handle.as_ref().is_none_or(hex),
                "handle is not even lowercase hex",
            )?;
            rule(source.from <= source.to, "a source's to is before its from")?;
            let own = |was: &Was| was.epoch == self.epoch;
            rule(
                !source.was.as_ref().is_some_and(own),
                "was names its own epoch",
            )?;
        }
        let needs_sources = self.entries.count > 0;
        rule(
            !needs_sources || !self.sources.is_empty(),
            "entries without a source",
        )
    }

    fn check_events(&self) -> Result<(), ManifestError> {
        for event in &self.events {
            let Event {
                kind,
                source,
                from,
                to,
                reason,
                clean,
                next,
            } = event;
            let about = source.map(|id| self.sources.iter().any(|source| source.id == id));
            rule(
                about != Some(false),
                "an event names a source that sources lacks",
            )?;
            let about_source = matches!(
                kind,
                EventKind::Gap | EventKind::Ambiguous | EventKind::Weak
            );
            rule(
                about.is_some() == about_source,
                "source stands in gap, ambiguous and weak alone",
            )?;
            rule(
                clean.is_some() == (*kind == EventKind::Start),
                "clean stands in start alone",
            )?;
            rule(
                next.is_some() == (*kind == EventKind::Key),
                "next stands in key alone",
            )?;
            let gap = *kind == EventKind::Gap;
            rule(
                from.is_some() == gap && reason.is_some() == gap,
                "a gap, and nothing else, has from and reason",
            )?;
            rule(to.is_none() || gap, "to stands in gap alone")?;
            rule(
                to.is_none_or(|to| Some(to) > *from),
                "a gap's to is not after its from",
            )?;
            let mut about = self.sources.iter().filter(|it| Some(it.id) == *source);
            let packed = about.all(|source| source.via == Via::Gzip);
            rule(
                *reason != Some(Reason::Skipped) || to.is_some() || packed,
                "what was skipped has an end, unless it is read via gzip",
            )?;
            let genesis_alone = matches!(
                kind,
                EventKind::StateLost | EventKind::Rollback | EventKind::Rot | EventKind::Retention
            );
            rule(
                !genesis_alone || self.kind == Kind::Genesis,
                "this event stands in a genesis alone",
            )?;
        }
        let keys = self.events.iter().filter(|it| it.kind == EventKind::Key);
        rule(keys.count() <= 1, "two events name the next key")
    }

    fn check_promise(&self) -> Result<(), ManifestError> {
        let beats = 1..=HEARTBEAT_MAX_S;
        rule(
            beats.contains(&self.heartbeat_s),
            "heartbeat_s is not between 1 and 86400",
        )?;
        let silent =
            self.kind == Kind::Close || self.has(EventKind::Stop) || self.has(EventKind::Full);
        let due = (!silent).then(|| {
            self.time
                .sealed
                .plus_s(HEARTBEATS_PROMISED * self.heartbeat_s)
        });
        rule(
            self.next_due == due,
            "next_due is sealed + 3 x heartbeat_s, or null with stop, full or close",
        )?;
        let sealed = self.before().map(|before| before.sealed_max);
        rule(
            self.time.sealed_max == sealed.fold(self.time.sealed, Moment::max),
            "sealed_max is not the largest sealed so far",
        )?;
        rule(self.retention_s >= DAY_S, "retention_s is under a day")?;
        rule(
            self.retention_max_s >= self.retention_s,
            "retention_max_s is under retention_s",
        )
    }
}

fn rule(holds: bool, broken: &'static str) -> Result<(), ManifestError> {
    if holds {
        Ok(())
    } else {
        Err(ManifestError::Field(broken))
    }
}

fn is_decimal(text: &str) -> bool {
    let plain =
        !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain && (text == "0" || !text.starts_with('0'))
}
