//! Runs of an epoch's bodies that are not there: lawfully, or in a copy. What a run means is judged by
//! `objects::missing_objects`.

/// Bodies of a copy that are not there, seen from the first and the last that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MissingRun {
    /// Before the first body that is there.
    pub(crate) lead: Option<(u64, u64)>,
    /// After the last one; all of them if none is there.
    pub(crate) trail: Option<(u64, u64)>,
    /// Whether any is there.
    pub(crate) any: bool,
}

impl MissingRun {
    pub(crate) fn miss(&mut self, seq: u64) {
        let (first, _) = self.trail.unwrap_or((seq, seq));
        self.trail = Some((first, seq));
    }

    /// A body is there; returns the run that this ends in the middle.
    pub(crate) fn meet(&mut self) -> Option<(u64, u64)> {
        let run = self.trail.take();
        if self.any {
            return run;
        }
        self.any = true;
        self.lead = run;
        None
    }
}

/// Bodies past their retention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpiredRun {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) count: u64,
}

impl ExpiredRun {
    /// One more, after those of `run`.
    pub(crate) fn extended(run: Option<Self>, seq: u64) -> Self {
        Self {
            first: run.map_or(seq, |run| run.first),
            last: seq,
            count: run.map_or(0, |run| run.count) + 1,
        }
    }
}
