//! How a SeaweedFS is started: master, volume server, filer and S3 gateway, small, in one process.

use crate::account::root;
use crate::cache;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What listens, S3 first; each a second time for gRPC.
const ROLES: [&str; 4] = ["s3", "master", "volume", "filer"];

/// Two for each role.
pub(crate) const PORTS: usize = 2 * ROLES.len();

/// Without a say it makes seven volumes for each bucket.
const MASTER: &str = "[master.volume_growth]\ncopy_1 = 1\n";

/// The command that serves data below `home` on `ports`.
///
/// # Panics
/// When the disk refuses.
pub(crate) fn command(home: &Path, ports: &[u16]) -> Command {
    let account = root();
    let identities = json!({ "identities": [{
        "name": account.key,
        "credentials": [{ "accessKey": account.key, "secretKey": account.secret }],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }] });
    for folder in [home.join("data"), home.join(".seaweedfs")] {
        fs::create_dir_all(folder).expect("a folder can be made");
    }
    let accounts = home.join("accounts.json");
    fs::write(&accounts, identities.to_string()).expect("a config can be written");
    fs::write(home.join(".seaweedfs/master.toml"), MASTER).expect("a config can be written");

    let mut command = Command::new(cache::seaweedfs());
    command
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .args(["-logtostderr", "server", "-s3"])
        .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
        .args(["-volume.max=2000", "-master.volumeSizeLimitMB=30"])
        .args(["-master.electionTimeout=1s", "-master.telemetry=false"])
        .args(["-s3.port.iceberg=0", "-s3.port.lance=0"])
        .arg(format!("-dir={}", home.join("data").display()))
        .arg(format!("-s3.config={}", accounts.display()));
    for (role, ports) in ROLES.iter().zip(ports.chunks(2)) {
        command
            .arg(format!("-{role}.port={}", ports[0]))
            .arg(format!("-{role}.port.grpc={}", ports[1]));
    }
    for role in ["s3", "filer"] {
        let socket = home.join(format!("{role}.sock"));
        command.arg(format!("-{role}.localSocket={}", socket.display()));
    }
    command
}

/// Removes what a killed server leaves outside its home: it cannot be told where else to put it.
pub(crate) fn sweep(ports: &[u16]) {
    for (role, ports) in ROLES.iter().zip(ports.chunks(2)) {
        let socket = PathBuf::from(format!("/tmp/seaweedfs-{role}-grpc-{}.sock", ports[1]));
        // One that was never made is not there.
        fs::remove_file(socket).ok();
    }
}
