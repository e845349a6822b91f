//! Agent and archiver as two users, as docs/operations.md sets them up ("Who owns what").

mod modes;
mod swaps;

/// One stream over all logs.
const STREAMS: &str = r#"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// Scans that are quick, and batches that go as soon as they may.
const TOP: &str = "poll = \"50ms\"\nspool_keep = \"0s\"";
