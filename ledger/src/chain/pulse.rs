//! When manifests are sealed, what they promise, and the silence between two of them.

use crate::manifest::Manifest;
use crate::moment::Moment;
use crate::name::Epoch;

/// A promise of a next manifest that was not kept in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Seconds that were promised at most.
    pub promised_s: u64,
    /// Seconds it lasted.
    pub lasted_s: u64,
    /// Whether the machine was restarted in between, so only its wall clock tells.
    pub rebooted: bool,
}

/// When a manifest was sealed and what it promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// Wall clock.
    pub sealed: Moment,
    /// When the next was due.
    pub next_due: Option<Moment>,
    /// The boot.
    pub boot_id: Epoch,
    /// Milliseconds since it.
    pub boot_ms: u64,
}

impl Pulse {
    /// The pulse of `manifest`.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            sealed: manifest.time.sealed,
            next_due: manifest.next_due,
            boot_id: manifest.time.boot_id,
            boot_ms: manifest.time.boot_ms,
        }
    }

    /// The silence between this manifest and the next, if it outlasted the promise. Within one boot
    /// the boot clock measures it, for nobody sets that one.
    #[must_use]
    pub fn silence_until(&self, next: &Self) -> Option<Silence> {
        let due = self.next_due?;
        let promised_s = due.since_s(self.sealed);
        let rebooted = self.boot_id != next.boot_id;
        let lasted_ms = if rebooted {
            next.sealed.micros().saturating_sub(self.sealed.micros()) / 1000
        } else {
            next.boot_ms.saturating_sub(self.boot_ms)
        };
        (lasted_ms > promised_s.saturating_mul(1000)).then_some(Silence {
            promised_s,
            lasted_s: lasted_ms / 1000,
            rebooted,
        })
    }
}
