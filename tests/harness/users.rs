//! Accounts of a MinIO with no more rights than a policy gives them, made as an operator makes them:
//! by `mc admin`; and the project's own policies, from the files that operators take.

use crate::account::{Account, root};
use crate::cache;
use crate::server::Server;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What `mc` calls the server; `MC_HOST_<this>` says where it is.
const ALIAS: &str = "local";

/// `infra/iam/<name>.json`, filled in as its README says: `prefix` is empty or ends with `/`.
///
/// # Panics
/// When there is no such file.
#[must_use]
pub fn policy(name: &str, bucket: &str, prefix: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/iam");
    let file = fs::read_to_string(folder.join(format!("{name}.json")));
    let file = file.unwrap_or_else(|error| panic!("infra/iam/{name}.json: {error}"));
    file.replace("BUCKET", bucket).replace("PREFIX/", prefix)
}

impl Server {
    /// A new user `name`, whose only policy is the document `policy` (JSON).
    ///
    /// # Panics
    /// When `mc` is not installed ("run ./test"), or the server refuses the user or the document.
    #[must_use]
    pub fn user(&self, name: &str, policy: &str) -> Account {
        let account = Account {
            key: name.to_owned(),
            secret: format!("{name}-secret"),
        };
        let document = self.home().join(format!("{name}.json"));
        fs::write(&document, policy).expect("a policy can be written");
        let document = document.display().to_string();
        self.admin(&["policy", "create", ALIAS, name, &document]);
        self.admin(&["user", "add", ALIAS, name, &account.secret]);
        self.admin(&["policy", "attach", ALIAS, name, "--user", name]);
        account
    }

    /// Runs `mc admin` as root, with nothing of the developer's environment or settings.
    fn admin(&self, args: &[&str]) {
        let address = self.endpoint().replace("http://", "");
        let Account { key, secret } = root();
        let output = Command::new(cache::mc())
            .arg("admin")
            .args(args)
            .env_clear()
            .env("HOME", self.home())
            .env(
                format!("MC_HOST_{ALIAS}"),
                format!("http://{key}:{secret}@{address}"),
            )
            .output()
            .expect("mc starts");
        assert!(
            output.status.success(),
            "mc admin {args:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Kind, client};

    const READ_ONE: &str = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::users/open/*"]}]}"#;

    #[test]
    fn a_user_may_what_its_policy_says_and_nothing_else() {
        let server = Server::shared(Kind::Minio);
        let bucket = server.locked_bucket("users");
        bucket.put("open/a", b"bytes");
        bucket.put("closed/a", b"bytes");
        let reader = client(&server.endpoint(), &server.user("reader", READ_ONE));
        let get = |key: &str| {
            let done = server.run(reader.get_object().bucket("users").key(key).send());
            done.map_err(Box::new)
        };
        assert!(get("open/a").is_ok());
        let refused = get("closed/a").unwrap_err().into_service_error();
        assert_eq!(refused.meta().code(), Some("AccessDenied"));
        let put = reader.put_object().bucket("users").key("open/b");
        assert!(server.run(put.send()).is_err());
    }
}
