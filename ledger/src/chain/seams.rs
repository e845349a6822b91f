//! Where batches meet: whether the first piece of each source says rightly that it starts inside a line.
//!
//! Bodies are read side by side, so each reports what it did to its sources, and the seams between
//! them are checked afterwards, in the chain's order.

use alloc::collections::BTreeMap;

/// What stands before the next byte of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Nothing, or an LF: a line starts.
    LineEnd,
    /// An archived byte that is not LF.
    InsideLine,
    /// Nobody can know: a gap, or a body that is not there.
    Free,
}

impl Edge {
    /// Whether a piece with this `cont` may follow.
    #[must_use]
    pub fn allows(self, cont: bool) -> bool {
        match self {
            Self::LineEnd => !cont,
            Self::InsideLine => cont,
            Self::Free => true,
        }
    }
}

/// What one batch did to one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touch {
    /// `cont` of its first piece, unless a gap came before it.
    pub first: Option<bool>,
    /// What stands before the source's next byte now; `None` if the batch only mentions it.
    pub last: Option<Edge>,
    /// Within the batch a piece says `cont` wrongly.
    pub torn: bool,
    /// A gap of unknown end: nothing follows.
    pub ended: bool,
}

/// A piece that says `cont` wrongly, seen from its neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeamFault {
    /// The source.
    pub source: u64,
    /// Whether its first piece should have said `cont`; `None` if the fault lies within the batch.
    pub expected: Option<bool>,
}

/// The edges of an epoch's sources after the newest batch joined so far.
#[derive(Debug, Clone, Default)]
pub struct Seams {
    edges: BTreeMap<u64, Edge>,
}

impl Seams {
    /// Joins what a batch did to `source`; `fresh` is what stands before it if the epoch has not
    /// touched it yet.
    ///
    /// # Errors
    /// A piece says `cont` wrongly. The batch counts as joined all the same.
    pub fn join(&mut self, source: u64, touch: Touch, fresh: Edge) -> Result<(), SeamFault> {
        let before = self.edges.get(&source).copied().unwrap_or(fresh);
        if let Some(edge) = touch.last {
            self.edges.insert(source, edge);
        } else {
            self.edges.entry(source).or_insert(before);
        }
        if touch.torn {
            return Err(SeamFault {
                source,
                expected: None,
            });
        }
        match touch.first {
            Some(cont) if !before.allows(cont) => Err(SeamFault {
                source,
                expected: Some(!cont),
            }),
            _ => Ok(()),
        }
    }

    /// Nobody can know how `source` continues: the body that would tell is not there.
    pub fn lose(&mut self, source: u64) {
        self.edges.insert(source, Edge::Free);
    }

    /// What stands before the next byte of `source`.
    #[must_use]
    pub fn edge(&self, source: u64) -> Edge {
        self.edges.get(&source).copied().unwrap_or(Edge::Free)
    }
}
