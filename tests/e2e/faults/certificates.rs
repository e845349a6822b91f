//! A store whose certificate a CA of the operator's own has signed, and certificates that are not trusted.

use harness::account::root;
use harness::{Finished, Running, Site, cache, wait_for};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const STREAMS: &str = r#"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// Makes a CA, `ca.crt`, and what it signed for `localhost`, where MinIO looks for it.
fn make_certificates(home: &Path) {
    let script = "\
        mkdir certs
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 9 -subj /CN=TestCA
        openssl req -newkey rsa:2048 -nodes -keyout certs/private.key -out request -subj /CN=localhost
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > extensions
        openssl x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -out certs/public.crt -days 9 \\
            -extfile extensions";
    let made = Command::new("sh")
        .args(["-ec", script])
        .current_dir(home)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// A MinIO that speaks TLS alone, and its port.
fn start(home: &Path) -> (Running, u16) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = port.local_addr().unwrap().port();
    let mut command = Command::new(cache::minio());
    command
        .args([
            "server",
            "--quiet",
            "--address",
            &format!("127.0.0.1:{port}"),
        ])
        .arg("--certs-dir")
        .arg(home.join("certs"))
        .arg(home.join("data"))
        .env_clear()
        .env("HOME", home)
        .env("MINIO_ROOT_USER", root().key)
        .env("MINIO_ROOT_PASSWORD", root().secret)
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off");
    (Running::start(command, home, "minio"), port)
}

/// A host, and its bucket on a MinIO that a private CA vouches for.
struct Private {
    site: Site,
    port: u16,
    home: TempDir,
    _minio: Running,
}

const CREATE: [&str; 6] = [
    "bucket",
    "create",
    "--store",
    "s3://audit/prod",
    "--retention",
    "1d",
];

impl Private {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        make_certificates(home.path());
        let (minio, port) = start(home.path());
        let endpoint = format!("https://localhost:{port}");
        let site = Site::at(&endpoint, "s3://audit/prod", STREAMS);
        site.write_archiver_config("poll = \"50ms\"\nretry_held = \"1s\"");
        site.init();
        fs::write(site.log("a.log"), "a line\n").unwrap();
        drop(site.agent(&["drain"]).expect(0));
        let private = Self {
            site,
            port,
            home,
            _minio: minio,
        };
        wait_for("MinIO to serve", || {
            let made = private.run(&CREATE, private.bundle());
            (made.code == Some(0)).then_some(())
        });
        private
    }

    /// Where the CA is named as other AWS tools want it.
    fn bundle(&self) -> Option<(&'static str, PathBuf)> {
        Some(("AWS_CA_BUNDLE", self.home.path().join("ca.crt")))
    }

    /// The same in a profile.
    fn profile(&self) -> Option<(&'static str, PathBuf)> {
        let profile = self.home.path().join("profile");
        let ca = self.home.path().join("ca.crt");
        let text = format!("[default]\nca_bundle = {}\n", ca.display());
        fs::write(&profile, text).unwrap();
        Some(("AWS_CONFIG_FILE", profile))
    }

    fn run(&self, words: &[&str], by: Option<(&str, PathBuf)>) -> Finished {
        let mut command = self.site.holdfast_command();
        command.args(words).envs(by);
        self.site.start(command, words[0]).finish()
    }

    fn archive(&self, more: &str, by: Option<(&str, PathBuf)>) -> Finished {
        let config = self.site.path("archiver.toml").display().to_string();
        self.run(&["archive", more, "--config", &config], by)
    }

    fn verify(&self, by: Option<(&str, PathBuf)>) -> Finished {
        let signers = self.site.path("signers").display().to_string();
        let store = self.site.store();
        self.run(&["verify", "--store", store, "--signers", &signers], by)
    }
}

/// shared/cases 10: AWS_CA_BUNDLE and the profile's `ca_bundle` were passed over.
#[test]
fn a_private_ca_is_trusted_where_it_is_named() {
    let private = Private::new();
    drop(private.run(&CREATE, private.profile()).expect(0));
    drop(private.archive("--once", private.bundle()).expect(0));
    drop(private.verify(private.bundle()).expect(0));
    drop(private.verify(private.profile()).expect(0));
}

/// shared/cases 10: that was retried for ever as an outage.
#[test]
fn a_certificate_that_is_not_trusted_is_named_as_such_with_the_setting() {
    let private = Private::new();
    let probe = ["probe", "--store", "s3://audit/prod"];
    for told in [
        private.run(&CREATE, None),
        private.run(&probe, None),
        private.archive("--check", None),
        private.archive("--once", None),
        private.verify(None),
    ] {
        drop(told.expect(2).says(&[
            "certificate is not trusted",
            "UnknownIssuer",
            "AWS_CA_BUNDLE",
            "ca_bundle",
        ]));
    }
    // A running archiver waits for it to be mended, and says so.
    let site = &private.site;
    let mut archiver = site.start(site.archive_command(&[]), "archive");
    wait_for("the status to tell of it", || {
        let told = site.archive(&["status", "--format", "json"]);
        let status: Value = serde_json::from_str(&told.stdout).ok()?;
        let told = status["running"] == true && status["reasons"][0]["code"] == "certificate";
        (told && status["health"] == "unhealthy").then_some(())
    });
    assert!(archiver.is_alive());
    drop(archiver);
    // A certificate for another name is as good as none.
    let mut other = site.verify_command(site.store(), &[]);
    other.envs(private.bundle());
    let elsewhere = format!("https://127.0.0.1:{}", private.port);
    other.env("AWS_ENDPOINT_URL_S3", elsewhere);
    let told = site.start(other, "verify").finish().expect(2);
    drop(told.says(&["certificate is not trusted"]));
}

#[test]
fn a_ca_bundle_that_is_none_is_a_matter_of_configuration() {
    let site = Site::at("https://localhost:9", "s3://audit/prod", STREAMS);
    for name in ["not-there.pem", "archiver.toml"] {
        let mut command = site.archive_command(&["--check"]);
        command.env("AWS_CA_BUNDLE", site.path(name));
        let told = site.start(command, "check").finish();
        drop(told.says(&["AWS_CA_BUNDLE", name]));
        let mut command = site.verify_command(site.store(), &[]);
        fs::write(site.path("signers"), "").unwrap();
        command.env("AWS_CA_BUNDLE", site.path(name));
        let told = site.start(command, "verify").finish();
        drop(told.expect(3));
    }
}
