//! A point in time as the format writes it: RFC 3339, UTC, `Z`, microseconds.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use time::{Date, Month, OffsetDateTime, Time, UtcDateTime};

/// Microseconds since 1970-01-01T00:00:00Z, within the years 1970 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

/// A text that is not `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time like 2026-11-22T10:20:30.000000Z")]
pub struct NotAMoment;

const SECOND_US: u64 = 1_000_000;
/// 9999-12-31T23:59:59.999999Z
const LAST_US: u64 = 253_402_300_799_999_999;

impl Moment {
    /// The latest moment the format can write.
    pub const LAST: Self = Self(LAST_US);

    /// From microseconds since the epoch; later than the year 9999 becomes its end.
    #[must_use]
    pub fn from_micros(micros: u64) -> Self {
        Self(micros.min(LAST_US))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0 / SECOND_US
    }

    /// `seconds` later, at most [`Moment::LAST`].
    #[must_use]
    pub fn plus_s(self, seconds: u64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(SECOND_US)))
    }

    /// Seconds from `earlier` to `self`, rounded down; 0 if `earlier` is later.
    #[must_use]
    pub fn since_s(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / SECOND_US
    }

    /// The next whole second, or itself: S3 keeps retain-until dates in seconds and rounding down
    /// would shorten a lock.
    #[must_use]
    pub fn ceil_to_second(self) -> Self {
        Self::from_micros(self.0.div_ceil(SECOND_US).saturating_mul(SECOND_US))
    }

    /// The UTC day, `YYYY-MM-DD`.
    #[must_use]
    pub fn day(self) -> String {
        let mut text = alloc::format!("{self}");
        text.truncate(10);
        text
    }

    fn parts(self) -> UtcDateTime {
        let seconds = i64::try_from(self.seconds()).unwrap_or(i64::MAX);
        UtcDateTime::from_unix_timestamp(seconds).unwrap_or(UtcDateTime::UNIX_EPOCH)
    }
}

/// Whether `text` is a calendar day, `YYYY-MM-DD`.
#[must_use]
pub fn is_day(text: &str) -> bool {
    alloc::format!("{text}T00:00:00.000000Z")
        .parse::<Moment>()
        .is_ok()
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.parts();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            self.0 % SECOND_US
        )
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        parse(text.as_bytes()).ok_or(NotAMoment)
    }
}

fn parse(text: &[u8]) -> Option<Moment> {
    const SHAPE: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";
    let fits = |(byte, shape): (&u8, &u8)| {
        if *shape == b'0' {
            byte.is_ascii_digit()
        } else {
            byte == shape
        }
    };
    if text.len() != SHAPE.len() || !text.iter().zip(SHAPE).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to]
            .iter()
            .fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    };
    let small = |from: usize| u8::try_from(number(from, from + 2)).ok();
    let month = Month::try_from(small(5)?).ok()?;
    let date =
        Date::from_calendar_date(i32::try_from(number(0, 4)).ok()?, month, small(8)?).ok()?;
    let time = Time::from_hms(small(11)?, small(14)?, small(17)?).ok()?;
    let seconds = u64::try_from(OffsetDateTime::new_utc(date, time).unix_timestamp()).ok()?;
    Some(Moment(seconds * SECOND_US + u64::from(number(20, 26))))
}

impl serde::Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::json::text(deserializer, "a time like 2026-11-22T10:20:30.000000Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn writes_and_reads_back() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_827_696_789_012, "2000-02-29T12:34:56.789012Z"),
            (LAST_US, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Moment::from_micros(micros).to_string(), text);
            assert_eq!(text.parse(), Ok(Moment::from_micros(micros)));
        }
    }

    #[test]
    fn refuses_other_forms() {
        for bad in [
            "2026-11-22T10:20:30Z",
            "2026-11-22T10:20:30.000000+00:00",
            "2026-11-22t10:20:30.000000Z",
            "2026-02-30T10:20:30.000000Z",
            "2026-11-22T24:20:30.000000Z",
            "2026-11-22T10:20:60.000000Z",
            "1969-12-31T23:59:59.000000Z",
            "",
        ] {
            assert_eq!(bad.parse::<Moment>(), Err(NotAMoment), "{bad}");
        }
    }

    #[test]
    fn locks_round_up() {
        assert_eq!(
            Moment::from_micros(1).ceil_to_second(),
            Moment::from_micros(SECOND_US)
        );
        assert_eq!(
            Moment::from_micros(0).ceil_to_second(),
            Moment::from_micros(0)
        );
    }
}
