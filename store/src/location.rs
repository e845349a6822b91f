//! A store's URL, parsed once: `s3://BUCKET[/PREFIX]` or `file:///ABSOLUTE/DIRECTORY`.

use super::OpenError;
use std::path::{Component, PathBuf};
use std::str::FromStr;

/// Longest prefix: what S3's longest key leaves beside the longest of ours.
const PREFIX_MAX: usize = 512;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Below a prefix in a bucket of an S3 server.
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// Empty, or parts that each end with `/`.
        prefix: String,
    },
    /// A local directory; its path stands in the URL as it is, without percent-encoding.
    Directory(PathBuf),
}

impl Location {
    /// The URL, in its one spelling.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Bucket { bucket, prefix } => {
                let url = format!("s3://{bucket}/{prefix}");
                url.trim_end_matches('/').into()
            }
            Self::Directory(path) => format!("file://{}", path.display()),
        }
    }
}

impl FromStr for Location {
    type Err = OpenError;

    fn from_str(url: &str) -> Result<Self, OpenError> {
        if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return Ok(Self::Bucket {
                bucket: parse_bucket(bucket).ok_or_else(|| OpenError::Bucket {
                    url: url.into(),
                    bucket: bucket.into(),
                })?,
                prefix: parse_prefix(prefix).ok_or_else(|| OpenError::Prefix(url.into()))?,
            });
        }
        let path = url.strip_prefix("file://").map(PathBuf::from);
        let path = path.ok_or_else(|| OpenError::Url(url.into()))?;
        let climbs = path.components().any(|part| part == Component::ParentDir);
        if path.is_absolute() && !climbs && !url.contains('\0') {
            // Collected from its parts, the path has no doubled or final slashes.
            return Ok(Self::Directory(path.components().collect()));
        }
        Err(OpenError::Url(url.into()))
    }
}

fn parse_bucket(name: &str) -> Option<String> {
    let inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let good = (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(inner)
        && outer(bytes.first())
        && outer(bytes.last());
    good.then(|| name.into())
}

fn parse_prefix(prefix: &str) -> Option<String> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.is_empty() {
        return Some(String::new());
    }
    let good = prefix.len() < PREFIX_MAX && prefix.split('/').all(is_plain_part);
    good.then(|| format!("{prefix}/"))
}

/// Whether `part` can stand between two slashes of a key and of a path alike.
pub(super) fn is_plain_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._=-".contains(&byte);
    !part.is_empty() && !part.starts_with('.') && part.len() <= 255 && part.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_one_spelling() {
        for (given, url) in [
            ("s3://audit-logs", "s3://audit-logs"),
            ("s3://audit-logs/", "s3://audit-logs"),
            ("s3://audit-logs/prod/eu/", "s3://audit-logs/prod/eu"),
            ("file:///srv//archive/", "file:///srv/archive"),
            ("file:///srv/with space", "file:///srv/with space"),
        ] {
            let location: Location = given.parse().unwrap();
            assert_eq!(location.url(), url);
            assert_eq!(url.parse(), Ok(location));
        }
        let Ok(Location::Bucket { prefix, .. }) = "s3://audit-logs/a/b".parse() else {
            panic!("no bucket");
        };
        assert_eq!(prefix, "a/b/");
    }

    #[test]
    fn others_are_refused() {
        for bad in [
            "",
            "audit-logs",
            "https://audit-logs",
            "s3:/audit-logs",
            "s3://",
            "s3://ab",
            "s3://Audit-Logs",
            "s3://-audit",
            "s3://audit_logs/x",
            "s3://audit-logs//x",
            "s3://audit-logs/../x",
            "s3://audit-logs/x//",
            "s3://audit-logs/a b",
            "file://srv",
            "file:///srv/../etc",
            "file:///srv/\0",
        ] {
            assert!(bad.parse::<Location>().is_err(), "{bad:?}");
        }
    }
}
