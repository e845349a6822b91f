//! Whether descriptors lack, told as one thing for as long as it lasts, however many files it concerns. Pure.

use crate::now::{Now, millis};
use crate::track::scan::ScanReport;
use std::fmt;
use std::time::Duration;

/// It is over once no scan has shown it for so long.
const OVER_AFTER: Duration = Duration::from_secs(60);

/// Files that a limit of descriptors concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DescriptorPressure {
    /// As of the last scan: files that wait to be opened.
    unopened: usize,
    /// Since it began: deleted files that were let go although more may be written to them.
    pub(super) released: usize,
    shown_ms: u64,
}

impl DescriptorPressure {
    /// What there is of it after a scan, if there was as much `before`.
    pub(super) fn after(before: Option<Self>, report: &ScanReport, now: Now) -> Option<Self> {
        let is_shown = report.unopened + report.released > 0;
        let lasts = |before: &Self| {
            let quiet_ms = now.boot_ms.saturating_sub(before.shown_ms);
            is_shown || quiet_ms < millis(OVER_AFTER)
        };
        let before = before.filter(lasts);
        if before.is_none() && !is_shown {
            return None;
        }
        Some(Self {
            unopened: report.unopened,
            released: before.map_or(0, |before| before.released) + report.released,
            shown_ms: match before {
                Some(before) if !is_shown => before.shown_ms,
                _ => now.boot_ms,
            },
        })
    }
}

impl fmt::Display for DescriptorPressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            unopened, released, ..
        } = self;
        write!(
            f,
            "too few descriptors for so many logs: {unopened} wait to be opened, {released} deleted ones that may still be \
             written to were let go, each stated as a gap; raise the limit of open files"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_one_thing_until_a_minute_shows_none() {
        let mut pressure = None;
        // At a second: unopened, released; whether there is pressure, and how many were let go in all.
        for (second, unopened, released, told) in [
            (0, 0, 0, None),
            (1, 3, 0, Some(0)),
            (2, 0, 7, Some(7)),
            (50, 0, 0, Some(7)),
            (55, 0, 2, Some(9)),
            (114, 0, 0, Some(9)),
            (115, 0, 0, None),
            (116, 0, 1, Some(1)),
        ] {
            let report = ScanReport {
                unopened,
                released,
                ..ScanReport::default()
            };
            let now = Now {
                wall: ledger::Moment::from_micros(0),
                boot_ms: second * 1000,
                suspended_ms: 0,
            };
            pressure = DescriptorPressure::after(pressure, &report, now);
            assert_eq!(pressure.map(|it| it.released), told, "{second}");
        }
    }
}
