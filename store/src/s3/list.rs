//! A page of versions from a server's list, which is hostile input.

use super::super::{Page, Token, Version, VersionKind};
use super::error_answer::moment;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::EncodingType;
use ledger::Moment;

/// Version id of what was stored without versioning.
pub(super) const NO_VERSION: &str = "null";

/// Turns a reply into a page of keys below `prefix`; `Err` says what makes no sense in it.
pub(super) fn page(
    reply: ListObjectVersionsOutput,
    prefix: &str,
    asked: Option<&Token>,
) -> Result<Page, &'static str> {
    // Keys are asked for percent-encoded: XML can't carry control characters, so one such name would
    // otherwise make its whole page unreadable. A server may ignore that.
    let encoded = reply.encoding_type == Some(EncodingType::Url);
    let next = if reply.is_truncated == Some(true) {
        Some(next_token(&reply, encoded, asked)?)
    } else {
        None
    };
    let mut items = Vec::new();
    for version in reply.versions.unwrap_or_default() {
        items.push(Version {
            key: key_below(version.key, encoded, prefix)?,
            version_id: version.version_id.unwrap_or_else(|| NO_VERSION.into()),
            kind: VersionKind::Object,
            size: version
                .size
                .and_then(|size| u64::try_from(size).ok())
                .ok_or("a version without a size")?,
            last_modified: date(version.last_modified)?,
            is_latest: version.is_latest.unwrap_or(false),
        });
    }
    for marker in reply.delete_markers.unwrap_or_default() {
        items.push(Version {
            key: key_below(marker.key, encoded, prefix)?,
            version_id: marker.version_id.unwrap_or_else(|| NO_VERSION.into()),
            kind: VersionKind::Marker,
            size: 0,
            last_modified: date(marker.last_modified)?,
            is_latest: marker.is_latest.unwrap_or(false),
        });
    }
    // The SDK keeps versions and markers apart; a stable sort brings them together again.
    items.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(Page { items, next })
}

fn next_token(
    reply: &ListObjectVersionsOutput,
    encoded: bool,
    asked: Option<&Token>,
) -> Result<Token, &'static str> {
    let key = reply.next_key_marker.as_deref();
    let key = key.ok_or("a page that has more but not where")?;
    let key = if encoded {
        decode(key).ok_or("a marker that is not percent-encoded")?
    } else {
        key.into()
    };
    let token = Token {
        key,
        version_id: reply.next_version_id_marker.clone(),
    };
    // Else we would go round for ever. Markers have no order: MinIO adds words of its own to the key.
    if asked == Some(&token) {
        return Err("a page whose next is itself");
    }
    Ok(token)
}

fn date(date: Option<aws_smithy_types::DateTime>) -> Result<Moment, &'static str> {
    date.as_ref()
        .and_then(moment)
        .ok_or("a version without a time")
}

fn key_below(key: Option<String>, encoded: bool, prefix: &str) -> Result<String, &'static str> {
    let key = key.ok_or("a version without a key")?;
    // What doesn't decode to UTF-8 stays encoded: then it is no key of ours.
    let decoded = if encoded { decode(&key) } else { None };
    let key = decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or(key);
    let below = key.strip_prefix(prefix).map(str::to_owned);
    below.ok_or("a key that was not asked for")
}

/// Percent-decoding as S3 encodes lists: `+` is a space.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex_digit(bytes.next()?)?, hex_digit(bytes.next()?)?);
                high << 4 | low
            }
            plain => plain,
        });
    }
    Some(decoded)
}

fn hex_digit(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{DeleteMarkerEntry, ObjectVersion};
    use aws_smithy_types::DateTime;

    fn version(key: &str) -> ObjectVersion {
        ObjectVersion::builder()
            .key(key)
            .version_id("v")
            .size(1)
            .last_modified(DateTime::from_secs(1))
            .build()
    }

    fn reply(keys: &[&str]) -> ListObjectVersionsOutput {
        ListObjectVersionsOutput::builder()
            .encoding_type(EncodingType::Url)
            .set_versions(Some(keys.iter().map(|key| version(key)).collect()))
            .build()
    }

    #[test]
    fn keys_are_decoded_and_cut() {
        for (given, key) in [
            ("p/a", "a"),
            ("p/a%2Bb+c", "a+b c"),
            ("p/%01%0a", "\u{1}\n"),
            ("p/%C3%A9", "é"),
            ("p/%ff", "%ff"),
            ("p/%zz", "%zz"),
            ("p/%f", "%f"),
            ("p/", ""),
        ] {
            let page = page(reply(&[given]), "p/", None).unwrap();
            assert_eq!(page.items[0].key, key, "{given}");
        }
        assert!(page(reply(&["q/a"]), "p/", None).is_err());
    }

    #[test]
    fn without_encoding_keys_are_literal() {
        let mut plain = reply(&["p/a+b%41"]);
        plain.encoding_type = None;
        assert_eq!(page(plain, "p/", None).unwrap().items[0].key, "a+b%41");
    }

    #[test]
    fn markers_stand_with_their_key() {
        let mut both = reply(&["b", "c"]);
        both.delete_markers = Some(vec![
            DeleteMarkerEntry::builder()
                .key("b")
                .last_modified(DateTime::from_secs(2))
                .is_latest(true)
                .build(),
        ]);
        let items = page(both, "", None).unwrap().items;
        let keys: Vec<_> = items
            .iter()
            .map(|item| (item.key.as_str(), item.kind))
            .collect();
        assert_eq!(
            keys,
            [
                ("b", VersionKind::Object),
                ("b", VersionKind::Marker),
                ("c", VersionKind::Object)
            ]
        );
        assert_eq!(items[1].version_id, NO_VERSION);
    }

    #[test]
    fn lists_always_get_on() {
        let more = |key: Option<&str>, version: &str| {
            let mut more = reply(&[]);
            more.is_truncated = Some(true);
            more.next_key_marker = key.map(str::to_owned);
            more.next_version_id_marker = Some(version.into());
            more
        };
        let token = |key: &str, version: &str| Token {
            key: key.into(),
            version_id: Some(version.into()),
        };
        let next = |reply, asked| page(reply, "", asked).map(|page| page.next);
        assert_eq!(
            next(more(Some("b+"), "1"), None),
            Ok(Some(token("b ", "1")))
        );
        let asked = token("b", "1");
        assert_eq!(
            next(more(Some("b"), "2"), Some(&asked)),
            Ok(Some(token("b", "2")))
        );
        assert!(next(more(Some("b"), "1"), Some(&asked)).is_err());
        let own_words = token("b[minio_cache:v2,return:]", "2");
        let next_words = more(Some("b[minio_cache:v2,id:1]"), "3");
        assert!(next(next_words, Some(&own_words)).is_ok());
        assert!(next(more(None, "2"), None).is_err());
        assert!(next(more(Some("%"), "2"), None).is_err());
    }

    #[test]
    fn odd_versions_are_errors() {
        let odd = |version: ObjectVersion| {
            let mut reply = reply(&[]);
            reply.versions = Some(vec![version]);
            page(reply, "", None).is_err()
        };
        let mut negative = version("a");
        negative.size = Some(-1);
        let mut early = version("a");
        early.last_modified = Some(DateTime::from_secs(-1));
        let mut nameless = version("a");
        nameless.key = None;
        assert!(odd(negative) && odd(early) && odd(nameless));
    }
}
