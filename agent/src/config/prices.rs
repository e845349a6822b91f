//! What a store charges for requests: decimals in the settings, whole numbers from there on.

use std::fmt;
use std::str::FromStr;

/// Decimals that a price may have.
const DECIMALS: usize = 6;

/// Parts of a dollar that a price counts: as many as those decimals tell apart.
const PARTS: u64 = 1_000_000;

/// Highest price: a dollar for each request.
const MOST: u64 = 1000 * PARTS;

/// What 1,000 requests cost, in millionths of a dollar: for one request, billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price(u64);

/// What a store charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prices {
    /// For storing an object.
    pub(crate) put: Price,
    /// For everything that only asks.
    pub(crate) read: Price,
}

/// Text that is no price.
#[derive(Debug)]
pub(crate) struct NotAPrice;

impl Price {
    /// Billionths of a dollar for one request; at most a dollar.
    pub(crate) fn billionths(self) -> u64 {
        self.0
    }
}

impl Prices {
    /// AWS's list prices, and the settings' defaults. Other regions and servers differ.
    pub(crate) const LIST: Self = Self {
        put: Price(5_000),
        read: Price(400),
    };

    /// Whose they are, and of when.
    pub(crate) fn source(self) -> &'static str {
        if self == Self::LIST {
            "S3 Standard, us-east-1, list prices of 2025-06"
        } else {
            "your prices"
        }
    }
}

impl FromStr for Price {
    type Err = NotAPrice;

    fn from_str(text: &str) -> Result<Self, NotAPrice> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || decimals.len() > DECIMALS {
            return Err(NotAPrice);
        }
        let parts = format!("{whole}{decimals:0<DECIMALS$}").parse();
        let price = parts.ok().filter(|parts| *parts <= MOST);
        price.map(Self).ok_or(NotAPrice)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:0DECIMALS$}", self.0 % PARTS);
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "${}{point}{decimals}", self.0 / PARTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_taken_as_they_stand() {
        for (text, billionths, told) in [
            ("0.005", 5_000, "$0.005"),
            ("0.0004", 400, "$0.0004"),
            ("0.00043", 430, "$0.00043"),
            ("0.000001", 1, "$0.000001"),
            ("0", 0, "$0"),
            ("12", 12_000_000, "$12"),
            ("007.50", 7_500_000, "$7.5"),
            ("1000", 1_000_000_000, "$1000"),
        ] {
            let price: Price = text.parse().unwrap();
            assert_eq!(
                (price.billionths(), price.to_string().as_str()),
                (billionths, told)
            );
        }
    }

    #[test]
    fn anything_else_is_no_price() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e-3",
            "0,005",
            " 1",
            "1 ",
            "$1",
            "1_000",
            "1.2.3",
            "0.0000001",
            "1000.000001",
            "99999999999999999999",
            "٣",
            "0x1",
            "NaN",
            "inf",
        ] {
            assert!(text.parse::<Price>().is_err(), "{text:?}");
        }
    }
}
