//! Every sentence of what must happen on bad input, one test each: wrong settings, files and disks
//! that refuse, stores that are not there or not fit, a second program, a wrong archive or key.

mod disk;
mod settings;
mod store;

/// One stream over all logs.
const STREAMS: &str = r#"
poll = "50ms"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;
