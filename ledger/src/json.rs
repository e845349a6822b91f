//! What strict JSON needs beyond serde: present-or-absent fields, bounded integers, duplicate keys.
//!
//! Manifests are I-JSON (RFC 7493): integers below 2^53, no floats, no duplicate or unknown keys.

use crate::limits::INTEGER_END;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Reads a string and parses it; `expected` names the form in the error.
///
/// # Errors
/// Not a string, or not of that form.
pub fn text<'de, D: Deserializer<'de>, T: FromStr>(
    deserializer: D,
    expected: &'static str,
) -> Result<T, D::Error> {
    struct Text(&'static str);
    impl Visitor<'_> for Text {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.into())
        }
    }
    let text = deserializer.deserialize_str(Text(expected))?;
    text.parse()
        .map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text), &expected))
}

/// For `#[serde(default, deserialize_with = "present")]`: the field may be left out, never null.
///
/// # Errors
/// Whatever `T` refuses, null included.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// For `#[serde(deserialize_with = "nullable")]`: the field must be there and may be null.
///
/// # Errors
/// Whatever `T` refuses.
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// For `#[serde(deserialize_with = "integer")]`: an integer below 2^53.
///
/// # Errors
/// A float, a negative number or one out of range.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = u64::deserialize(deserializer)?;
    if value < INTEGER_END {
        return Ok(value);
    }
    Err(de::Error::invalid_value(
        de::Unexpected::Unsigned(value),
        &"an integer below 2^53",
    ))
}

/// The same for a field that may be left out (never null).
///
/// # Errors
/// As [`integer`].
pub fn integer_present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    integer(deserializer).map(Some)
}

/// JSON under the manifest's own rules, for `ext`: kept and written back, never interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strict {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer below 2^53.
    Integer(u64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object without duplicate keys.
    Object(BTreeMap<String, Self>),
}

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Strict;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON without floats, negative numbers or duplicate keys")
            }
            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
                Ok(Strict::Bool(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Strict, E> {
                integer(de::value::U64Deserializer::new(value)).map(Strict::Integer)
            }
            fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
                Ok(Strict::Text(value.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    list.push(item);
                }
                Ok(Strict::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut object = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Strict>()? {
                    if object.contains_key(&key) {
                        return Err(de::Error::custom(format_args!("duplicate key {key:?}")));
                    }
                    object.insert(key, value);
                }
                Ok(Strict::Object(object))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// For `#[serde(deserialize_with = "object")]`: an object without duplicate keys, which serde's own
/// maps would let the last one win.
///
/// # Errors
/// Not an object, or not strict.
pub fn object<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Strict>, D::Error> {
    match Strict::deserialize(deserializer)? {
        Strict::Object(object) => Ok(object),
        _ => Err(de::Error::custom("expected an object")),
    }
}

impl Serialize for Strict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_u64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(object) => serializer.collect_map(object),
        }
    }
}

/// Depth to which a value that is read past is followed; a deeper one is refused.
const DEPTH_MAX: usize = 64;

/// A value that is read past, with nothing asked of it but strict JSON with unique keys: an entry's unknown
/// fields. Numbers may be of any size, for nobody computes with them.
#[derive(Debug, Clone, Copy)]
pub struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        skim(raw.get(), 0).map_err(de::Error::custom)?;
        Ok(Self)
    }
}

/// Looks through JSON whose syntax serde_json has accepted, for what it then does not look at: keys that
/// repeat, and text that is none.
fn skim(json: &str, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("nested deeper than {DEPTH_MAX} levels"));
    }
    let failed = |error: serde_json::Error| error.to_string();
    match json.as_bytes().first() {
        Some(b'{') => {
            let Pairs(values) = serde_json::from_str(json).map_err(failed)?;
            values
                .iter()
                .try_for_each(|value| skim(value.get(), depth + 1))
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(json).map_err(failed)?;
            values
                .iter()
                .try_for_each(|value| skim(value.get(), depth + 1))
        }
        Some(b'"') => serde_json::from_str::<String>(json)
            .map(drop)
            .map_err(failed),
        _ => Ok(()),
    }
}

/// An object's values, once its keys are known to be unique.
struct Pairs<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object without duplicate keys")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let (mut keys, mut values) = (BTreeSet::new(), Vec::new());
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if !keys.insert(key) {
                        return Err(de::Error::custom("duplicate key"));
                    }
                    values.push(value);
                }
                Ok(Pairs(values))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_refuses_what_readers_disagree_on() {
        for bad in [
            "1.0",
            "-1",
            "1e3",
            "9007199254740992",
            r#"{"a":1,"a":2}"#,
            r#""\ud800""#,
            "01",
            "-0",
        ] {
            assert!(serde_json::from_str::<Strict>(bad).is_err(), "{bad}");
        }
        let good = r#"{"a":[null,true,"x",9007199254740991],"b":{}}"#;
        let value: Strict = serde_json::from_str(good).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap().to_string(), good);
    }

    #[test]
    fn skipped_refuses_duplicates_at_any_depth() {
        assert!(serde_json::from_str::<Skipped>(r#"{"a":[{"b":-1.5,"c":null}]}"#).is_ok());
        assert!(serde_json::from_str::<Skipped>(r#"{"a":[{"b":1,"b":1}]}"#).is_err());
        assert!(serde_json::from_str::<Skipped>(r#"["\ud800"]"#).is_err());
    }

    #[test]
    fn skipped_takes_numbers_of_any_size_and_bounded_depth() {
        for number in ["1e999", "-1e-999", "1.5", &"9".repeat(1000)] {
            let json = format!(r#"{{"a":[{number}]}}"#);
            assert!(serde_json::from_str::<Skipped>(&json).is_ok(), "{number}");
        }
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(serde_json::from_str::<Skipped>(&nested(DEPTH_MAX)).is_ok());
        assert!(serde_json::from_str::<Skipped>(&nested(DEPTH_MAX + 2)).is_err());
        assert!(serde_json::from_str::<Skipped>(&nested(1 << 20)).is_err());
    }
}
