//! Where `./test` puts the tools that tests use: outside target/, one name a version.
//!
//! Nothing is installed from here. What is missing fails, never skips.

use std::path::PathBuf;

/// The pins that `./test` reads as well.
const PINS: &str = include_str!("../pins");

/// The pinned version under `name`.
fn pin(name: &str) -> &'static str {
    let line = PINS
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("tests/pins has no {name}"))
}

fn root() -> PathBuf {
    let given = std::env::var_os("HOLDFAST_CACHE").map(PathBuf::from);
    given.unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/holdfast")
    })
}

fn installed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run ./test", path.display());
    path
}

/// A program, by its name and the pin of its version.
fn program(name: &str, version: &str) -> PathBuf {
    installed(root().join("bin").join(format!("{name}-{}", pin(version))))
}

/// The MinIO server.
#[must_use]
pub fn minio() -> PathBuf {
    program("minio", "MINIO_VERSION")
}

/// MinIO's client, which makes its users.
#[must_use]
pub fn mc() -> PathBuf {
    program("mc", "MC_VERSION")
}

/// SeaweedFS's one program.
#[must_use]
pub fn seaweedfs() -> PathBuf {
    let package = format!("seaweedfs-{}", pin("SEAWEEDFS_VERSION"));
    installed(root().join(package).join("bin/weed"))
}

/// A folder for PYTHONPATH in which `import duckdb` works.
#[must_use]
pub fn duckdb() -> PathBuf {
    installed(root().join(format!("duckdb-{}", pin("DUCKDB_VERSION"))))
}
