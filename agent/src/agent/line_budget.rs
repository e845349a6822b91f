//! How many lines of the agent's own log may tell of files: whoever may make files could fill the disk with it. Pure.

/// Lines in a window.
const LINES_MAX: usize = 50;

/// Length of a window, in milliseconds.
const WINDOW_MS: u64 = 60_000;

/// What was logged in the window of now.
#[derive(Debug, Default)]
pub(super) struct LineBudget {
    began_ms: u64,
    told: usize,
    left_out: usize,
}

/// What may be logged now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed {
    /// So many of the lines that are wanted.
    pub(super) lines: usize,
    /// If not 0, one line more says that so many were left out.
    pub(super) left_out: usize,
}

impl LineBudget {
    /// Takes up to `wanted` lines. What is left out is told when it begins, and what else was when the window ends.
    pub(super) fn take(&mut self, wanted: usize, now_ms: u64) -> Allowed {
        let mut left_out = 0;
        if now_ms.saturating_sub(self.began_ms) >= WINDOW_MS {
            left_out = std::mem::take(&mut self.left_out);
            (self.began_ms, self.told) = (now_ms, 0);
        }
        let lines = wanted.min(LINES_MAX - self.told);
        let is_first = self.told < LINES_MAX;
        self.told += lines;
        match wanted - lines {
            0 => {}
            more if is_first => left_out += more,
            more => self.left_out += more,
        }
        Allowed { lines, left_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_files_are_bounded_in_a_minute() {
        let mut budget = LineBudget::default();
        for (wanted, now_ms, lines, left_out) in [
            (3, 100, 3, 0),
            (100, 200, 47, 53),
            (7, 300, 0, 0),
            (0, 60_000, 0, 7),
            (50, 60_001, 50, 0),
            (2, 60_002, 0, 0),
            (1, 120_000, 1, 2),
        ] {
            let allowed = budget.take(wanted, now_ms);
            assert_eq!(allowed, Allowed { lines, left_out }, "at {now_ms}");
        }
    }
}
