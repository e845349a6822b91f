//! Whether entries and gaps fill a manifest's byte ranges: each byte once, in order, none left over.

use super::seams::{Edge, Touch};
use crate::entry::Entry;
use crate::manifest::{EventKind, Manifest};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The first byte that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilingFault {
    /// The source.
    pub source: u64,
    /// The byte that should come next; at the end of all ranges, where the next range should begin.
    pub expected: u64,
    /// The byte that comes, or the end that was stated.
    pub got: u64,
}

/// One source while its bytes are laid.
#[derive(Debug)]
struct Lane {
    /// Stated `[from, to)`, in order.
    ranges: Vec<(u64, u64)>,
    /// Stated gaps with an end, by their start.
    gaps: Vec<(u64, u64)>,
    next_gap: usize,
    range: usize,
    at: u64,
    touch: Touch,
}

/// The ranges of one manifest, being filled.
#[derive(Debug)]
pub struct Tiling {
    lanes: BTreeMap<u64, Lane>,
    fault: Option<TilingFault>,
}

impl Tiling {
    /// The ranges and gaps that `manifest` states, nothing laid yet.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let mut lanes: BTreeMap<u64, Lane> = BTreeMap::new();
        for source in &manifest.sources {
            let lane = lanes
                .entry(source.id)
                .or_insert_with(|| Lane::at(source.from));
            lane.ranges.push((source.from, source.to));
        }
        let mut fault = None;
        for event in &manifest.events {
            let (EventKind::Gap, Some(id), Some(from)) = (event.kind, event.source, event.from)
            else {
                continue;
            };
            let Some(lane) = lanes.get_mut(&id) else {
                continue;
            };
            match event.to {
                Some(to) => lane.gaps.push((from, to)),
                None => lane.touch.ended = true,
            }
        }
        for (id, lane) in &mut lanes {
            lane.gaps.sort_unstable();
            let mut pairs = lane.ranges.iter().zip(lane.ranges.iter().skip(1));
            let torn = pairs.find(|(one, next)| one.1 != next.0);
            fault = fault.or(torn.map(|(one, next)| TilingFault {
                source: *id,
                expected: one.1,
                got: next.0,
            }));
        }
        Self { lanes, fault }
    }

    /// Lays the bytes of `entry`. A source that the manifest does not list is the caller's to find.
    pub fn lay(&mut self, entry: &Entry<'_>) {
        let Some(lane) = self.lanes.get_mut(&entry.source) else {
            return;
        };
        lane.lay_gaps();
        let end = entry.offset.saturating_add(entry.source_len());
        let fits = entry.offset == lane.at && end <= lane.range_end();
        if !fits && self.fault.is_none() {
            let got = if entry.offset == lane.at {
                end
            } else {
                entry.offset
            };
            let expected = if entry.offset == lane.at {
                lane.range_end()
            } else {
                lane.at
            };
            self.fault = Some(TilingFault {
                source: entry.source,
                expected,
                got,
            });
        }
        lane.touch.lay(entry.flags);
        lane.at = end;
    }

    /// What the batch did to each of its sources.
    ///
    /// # Errors
    /// The first byte that is doubled, missing or out of order.
    pub fn finish(mut self) -> Result<BTreeMap<u64, Touch>, TilingFault> {
        for (id, lane) in &mut self.lanes {
            lane.lay_gaps();
            let stated = lane.ranges.last().map_or(lane.at, |range| range.1);
            // A gap that no range reaches is bytes stated twice or bytes of nothing.
            let unlaid = lane.gaps.get(lane.next_gap).map(|gap| gap.0);
            let got = unlaid.unwrap_or(stated);
            if (lane.at != stated || unlaid.is_some()) && self.fault.is_none() {
                self.fault = Some(TilingFault {
                    source: *id,
                    expected: lane.at,
                    got,
                });
            }
        }
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(self
                .lanes
                .into_iter()
                .map(|(id, lane)| (id, lane.touch))
                .collect()),
        }
    }
}

impl Lane {
    fn at(from: u64) -> Self {
        Self {
            ranges: Vec::new(),
            gaps: Vec::new(),
            next_gap: 0,
            range: 0,
            at: from,
            touch: Touch::default(),
        }
    }

    /// Continues with the next range while this one is full.
    fn range_end(&mut self) -> u64 {
        while self.range + 1 < self.ranges.len() && self.ranges[self.range].1 <= self.at {
            self.range += 1;
        }
        self.ranges.get(self.range).map_or(self.at, |range| range.1)
    }

    /// Lays the gaps that begin where the bytes stand.
    fn lay_gaps(&mut self) {
        while let Some((from, to)) = self.gaps.get(self.next_gap).copied() {
            if from != self.at || to > self.range_end() {
                return;
            }
            self.touch.skip();
            self.at = to;
            self.next_gap += 1;
        }
    }
}

impl Touch {
    fn skip(&mut self) {
        self.last = Some(Edge::Free);
    }

    fn lay(&mut self, flags: crate::entry::Flags) {
        match self.last {
            None => self.first = Some(flags.cont),
            Some(edge) if !edge.allows(flags.cont) => self.torn = true,
            Some(_) => {}
        }
        self.last = Some(if flags.open {
            Edge::InsideLine
        } else {
            Edge::LineEnd
        });
    }
}
