//! TOML as the settings reader wants it: values with their lines, and the forms people write.

use super::{Fault, Origin};
use ledger::limits::DAY_S;
use std::collections::BTreeMap;
use std::rc::Rc;
use toml::de::{DeTable, DeValue};

/// Days of a year in a retention: never short of a calendar year.
const YEAR_DAYS: u64 = 366;

/// A value and where it comes from.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

/// The values of one table.
pub(super) type Items = BTreeMap<String, Item>;

/// The values that settings use.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    Number(String),
    Texts(Vec<String>),
    Table(Rc<Items>),
    Tables(Vec<(usize, Rc<Items>)>),
    Other(&'static str),
}

impl Value {
    /// The value as an error message names it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => format!("the number {number}"),
            Self::Texts(_) => "a list".into(),
            Self::Table(_) => "a table".into(),
            Self::Tables(_) => "a list of tables".into(),
            Self::Other(kind) => (*kind).into(),
        }
    }
}

/// A retention in seconds; `None` unless it is whole days or years and at least a day.
#[must_use]
pub fn parse_retention(text: &str) -> Option<u64> {
    let (number, unit_days) = match text.strip_suffix('d') {
        Some(number) => (number, 1),
        None => (text.strip_suffix('y')?, YEAR_DAYS),
    };
    let plain = number.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = number.parse().ok().filter(|count| plain && *count > 0)?;
    count.checked_mul(unit_days * DAY_S)
}

/// Parses a file.
pub(super) fn parse(bytes: &[u8]) -> Result<Items, Fault> {
    let fault = |at: usize, message: &str| Fault {
        origin: Origin::Line(line_at(bytes, at)),
        key: String::new(),
        message: format!("not TOML: {}", message.replace('\n', "; ")),
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|error| fault(error.valid_up_to(), "a byte that is not UTF-8"))?;
    let table = DeTable::parse(text)
        .map_err(|error| fault(error.span().map_or(0, |span| span.start), error.message()))?;
    Ok(items(bytes, table.get_ref()))
}

fn line_at(bytes: &[u8], at: usize) -> usize {
    1 + bytes.iter().take(at).filter(|byte| **byte == b'\n').count()
}

fn items(bytes: &[u8], table: &DeTable<'_>) -> Items {
    let item = |value: &DeValue<'_>, at: usize| Item {
        origin: Origin::Line(line_at(bytes, at)),
        value: read(bytes, value),
    };
    let pairs = table.iter();
    pairs
        .map(|(key, value)| {
            (
                key.get_ref().to_string(),
                item(value.get_ref(), key.span().start),
            )
        })
        .collect()
}

fn read(bytes: &[u8], value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Integer(number) => Value::Number(number.to_string()),
        DeValue::Float(number) => Value::Number(number.to_string()),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Table(table) => Value::Table(Rc::new(items(bytes, table))),
        DeValue::Array(list) => {
            let text = |item: &toml::Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            };
            let table = |item: &toml::Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::Table(table) => Some((
                    line_at(bytes, item.span().start),
                    Rc::new(items(bytes, table)),
                )),
                _ => None,
            };
            let texts: Option<Vec<_>> = list.iter().map(text).collect();
            let tables: Option<Vec<_>> = list.iter().map(table).collect();
            match (texts, tables) {
                (Some(texts), _) => Value::Texts(texts),
                (None, Some(tables)) => Value::Tables(tables),
                (None, None) => Value::Other("a list of mixed things"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retentions_are_whole_days() {
        for (text, days) in [
            ("1d", Some(1)),
            ("90d", Some(90)),
            ("7y", Some(7 * 366)),
            ("10y", Some(3660)),
        ] {
            assert_eq!(
                parse_retention(text),
                days.map(|days: u64| days * DAY_S),
                "{text}"
            );
        }
        for bad in [
            "",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1.5d",
            "1h",
            "1",
            "1D",
            "99999999999999999999d",
            "1 d",
        ] {
            assert_eq!(parse_retention(bad), None, "{bad}");
        }
    }
}
