//! What the age of a batch costs: how long a line can be lost, and what the store charges for it.
//! Pure sums; README's table, that of docs/design.md and `check` are made from them.
//!
//! Requests are all that is counted, as `ledger::requests` has them. What comes on top: batches that
//! are full before their time, retries, and a start's look at the store.

use crate::config::Prices;
use ledger::requests::{BATCH, HEARTBEAT, Requests};
use std::time::Duration;

/// Seconds of a year of 366 days, as in retentions: costs are never told too low.
const YEAR_S: u64 = 366 * 86_400;

/// Billionths of a dollar in a cent.
const CENT: u128 = 10_000_000;

/// What is asked of the store in a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Year(Requests);

impl Year {
    /// A stream that always has something to say: a batch each time the age is over. A batch that is
    /// full first, at 16 MiB of entries, comes on top.
    #[must_use]
    pub(crate) fn busy(age: Duration) -> Self {
        Self::of(BATCH, age)
    }

    /// A stream that has nothing to say: its heartbeats.
    #[must_use]
    pub(crate) fn quiet(heartbeat: Duration) -> Self {
        Self::of(HEARTBEAT, heartbeat)
    }

    /// Something that is stored each `every`, rounded up to whole times.
    fn of(requests: Requests, every: Duration) -> Self {
        let millis = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let times = (YEAR_S * 1000).div_ceil(millis.max(1));
        Self(requests.after(every.as_secs())).of_many(times)
    }

    /// So many of it: streams of a host, hosts.
    #[must_use]
    pub(crate) fn of_many(self, count: u64) -> Self {
        let Requests { puts, reads } = self.0;
        Self(Requests {
            puts: puts * count,
            reads: reads * count,
        })
    }

    /// Objects stored: each is a PUT.
    #[must_use]
    pub(crate) fn puts(self) -> u64 {
        self.0.puts
    }

    /// Locks read back, and the store's clock where it has to be asked.
    #[must_use]
    pub(crate) fn reads(self) -> u64 {
        self.0.reads
    }

    /// What all of it costs, rounded up to a cent: `$34.16`
    #[must_use]
    pub(crate) fn dollars(self, prices: Prices) -> String {
        // A price is at most a dollar, so that no sum of two u64 is too large for this.
        let of = |count: u64, billionths: u64| u128::from(count) * u128::from(billionths);
        let billionths =
            of(self.puts(), prices.put.billionths()) + of(self.reads(), prices.read.billionths());
        let cents = billionths.div_ceil(CENT);
        format!("${}.{:02}", grouped(cents / 100), cents % 100)
    }
}

/// `1,234,567`
#[must_use]
pub(crate) fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
