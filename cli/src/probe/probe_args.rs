//! The arguments of `holdfast probe`.

use clap::{Args, ValueEnum};
use probe::LOCK_BOUNDS_S;

const EXAMPLES: &str = "\
Examples:
  holdfast probe --store s3://audit-logs/prod
  holdfast probe --store s3://audit-logs/prod --format json
  holdfast probe --store s3://audit-logs/prod --scratch-bucket audit-scratch

It lays canaries under probe/, locked for seconds, tries to delete, overwrite and unlock them, and
clears them away once their locks have ended. Nothing else in the store is touched. To prove every row
the credentials need all rights on probe/ (s3:BypassGovernanceRetention included), and to list the
bucket's versions: an administrator's, not the archiver's.

It ends with 0 if every row holds, with 1 if the store does not enforce a lock or cannot lock, with 2 if some row is
not proven, for want of a permission or of an answer.";

/// The arguments of `holdfast probe`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ProbeArgs {
    /// What to try: s3://BUCKET[/PREFIX] or file:///ABSOLUTE/DIRECTORY
    #[arg(long, env = "HOLDFAST_STORE", value_name = "URL")]
    pub(crate) store: String,
    /// How long the canaries are locked, from 5s to 60s; the probe takes about as long. On a store too
    /// slow for it the rows that came too late are asked again with a lock twice as long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = lock_s)]
    pub(crate) lock: u64,
    /// A bucket with Object Lock in which nothing matters, on the same server: try to suspend its
    /// versioning
    #[arg(long, value_name = "BUCKET")]
    pub(crate) scratch_bucket: Option<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) format: ProbeFormat,
    /// Name the bucket in the path, not in the host name [default: true where an endpoint is configured]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) force_path_style: Option<bool>,
}

/// The forms of a probe's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ProbeFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

fn lock_s(text: &str) -> Result<u64, String> {
    let (least, most) = LOCK_BOUNDS_S.into_inner();
    let seconds = humantime::parse_duration(text).map(|lock| lock.as_secs());
    let bounded = seconds.ok().filter(|lock| LOCK_BOUNDS_S.contains(lock));
    bounded.ok_or_else(|| format!("expected a duration from {least}s to {most}s, such as 10s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_last_for_seconds() {
        for (text, expected) in [("5s", Some(5)), ("1m", Some(60)), ("10s", Some(10))] {
            assert_eq!(lock_s(text).ok(), expected, "{text}");
        }
        for text in ["", "10", "4s", "61s", "1d", "-5s"] {
            assert!(lock_s(text).is_err(), "{text}");
        }
    }
}
