//! How a MinIO is started.

use crate::account::root;
use crate::cache;
use std::path::Path;
use std::process::Command;

/// S3 alone.
pub(crate) const PORTS: usize = 1;

/// The command that serves data below `home` on `ports`.
pub(crate) fn command(home: &Path, ports: &[u16]) -> Command {
    let mut command = Command::new(cache::minio());
    let address = format!("127.0.0.1:{}", ports[0]);
    command
        .args(["server", "--quiet", "--address", &address])
        .arg(home.join("data"))
        .env_clear()
        .env("HOME", home)
        .env("MINIO_ROOT_USER", root().key)
        .env("MINIO_ROOT_PASSWORD", root().secret)
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off");
    command
}
