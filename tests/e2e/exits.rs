//! Every exit code that a command may end with, one test for each, on the real programs. The table
//! below says which test shows which; codes that a command has no way to are left out.
//!
//! | command | 0 | 1 | 2 | 3 | 4 |
//! | --- | --- | --- | --- | --- | --- |
//! | `holdfast archive --check` | here | – | here | here | – |
//! | `holdfast archive status` | here | – | here | here | – |

mod archive;

use harness::Site;
use std::fs;

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

/// A host with one sealed file, archiving to a directory that is not there yet.
fn site() -> Site {
    let home = Site::new("file:///unused", STREAMS);
    let store = format!("file://{}", home.path("store").display());
    let site = home.with_store(&store);
    site.init();
    fs::write(site.log("a.log"), "a line\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    site
}

/// The same with its store.
fn site_with_store() -> Site {
    let site = site();
    drop(site.bucket_create(&["--retention", "1d"]).expect(0));
    site
}
