//! What the age of a batch costs: how long a line can be lost, and what the store charges for it.
//! Pure sums; README's table and `check` are made from them.
//!
//! Requests are all that is counted: what is stored costs the same whatever the age.

use std::time::Duration;

/// Price of 1000 PUTs, in thousandths of a cent: AWS's list price for S3 Standard in us-east-1,
/// 0.005 USD, as of 2025-06. Other regions and servers differ.
const PUT_PER_1000: u64 = 500;

/// Price of 1000 reads, the same way: 0.0004 USD. Each object's lock is read back once.
const READ_PER_1000: u64 = 40;

/// Where and when the prices were so.
pub(crate) const PRICES: &str = "S3 Standard, us-east-1, list prices of 2025-06";

/// Seconds of a year of 366 days, as in retentions: costs are never told too low.
const YEAR_S: u64 = 366 * 86_400;

/// What one stream costs in a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Objects put, one PUT each.
    pub(crate) puts: u64,
    /// Cents, rounded up.
    pub(crate) cents: u64,
}

impl Cost {
    fn of(puts: u64) -> Self {
        let thousandths = puts * (PUT_PER_1000 + READ_PER_1000);
        Self {
            puts,
            cents: thousandths.div_ceil(1000 * 1000),
        }
    }

    /// A stream that always has something to say: a batch of two objects, body and manifest, each
    /// time the age is over. A batch that is full first, at 16 MiB of entries, comes on top.
    #[must_use]
    pub(crate) fn busy(age: Duration) -> Self {
        Self::of(2 * times(age))
    }

    /// A stream that has nothing to say: its heartbeats, a manifest each.
    #[must_use]
    pub(crate) fn quiet(heartbeat: Duration) -> Self {
        Self::of(times(heartbeat))
    }

    /// `$34.16`
    #[must_use]
    pub(crate) fn dollars(&self) -> String {
        format!("${}.{:02}", grouped(self.cents / 100), self.cents % 100)
    }
}

/// How often something happens in a year that happens each `every`, rounded up.
fn times(every: Duration) -> u64 {
    let millis = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
    (YEAR_S * 1000).div_ceil(millis.max(1))
}

/// `1,234,567`
#[must_use]
pub(crate) fn grouped(number: u64) -> String {
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
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// Years of the table's last column.
    const YEARS_KEPT: u64 = 7;

    /// Ages in README's table.
    const AGES_S: [u64; 6] = [1, 5, 10, 30, 60, 300];

    /// README's table, in Markdown: what a busy stream costs at some ages.
    fn markdown() -> String {
        let mut text = String::from(
            "| `seal.age` | a line can be lost for | PUTs per stream and year | dollars per stream and year | objects in 7 years |\n\
             | --- | --- | --- | --- | --- |\n",
        );
        for age_s in AGES_S {
            let cost = Cost::busy(Duration::from_secs(age_s));
            let age = match age_s {
                300 => "5m".into(),
                _ => format!("{age_s}s"),
            };
            // A String takes whatever is written into it.
            let written = writeln!(
                text,
                "| `{age}` | {age_s} s | {} | {} | {} |",
                grouped(cost.puts),
                cost.dollars(),
                grouped(cost.puts * YEARS_KEPT)
            );
            debug_assert!(written.is_ok());
        }
        text
    }

    #[test]
    fn sums_are_right_and_rounded_up() {
        let ten = Cost::busy(Duration::from_secs(10));
        // 31,622,400 s a year, a batch each 10 s, 2 objects each, 5.4 millionths of a dollar each.
        assert_eq!((ten.puts, ten.cents), (6_324_480, 3416));
        assert_eq!(ten.dollars(), "$34.16");
        let quiet = Cost::quiet(Duration::from_secs(300));
        assert_eq!((quiet.puts, quiet.dollars().as_str()), (105_408, "$0.57"));
        assert_eq!(Cost::busy(Duration::from_millis(100)).puts, 632_448_000);
        assert_eq!(Cost::quiet(Duration::from_secs(86_400)).puts, 366);
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn readme_has_this_table() {
        let readme = include_str!("../../../README.md");
        assert!(
            readme.contains(&markdown()),
            "README must have:\n{}",
            markdown()
        );
        assert!(readme.contains(PRICES), "README must say: {PRICES}");
        let quiet = Cost::quiet(Duration::from_secs(300));
        let said = format!(
            "{} PUTs and {} a year",
            grouped(quiet.puts),
            quiet.dollars()
        );
        assert!(readme.contains(&said), "README must say: {said}");
    }
}
