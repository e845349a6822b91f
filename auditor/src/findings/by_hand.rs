//! The commands that show a finding without this program: the AWS CLI for buckets, coreutils for disks.

use store::Store;

/// Writes commands for one store.
#[derive(Debug, Clone)]
pub(crate) struct ByHand {
    place: CommandTarget,
    prefix: String,
}

#[derive(Debug, Clone)]
enum CommandTarget {
    Bucket(String),
    Directory(String),
}

impl ByHand {
    pub(crate) fn of(store: &impl Store) -> Self {
        let url = store.url();
        let place = match url.split_once("://") {
            Some(("s3", rest)) => {
                CommandTarget::Bucket(rest.split('/').next().unwrap_or_default().to_string())
            }
            Some((_, path)) => CommandTarget::Directory(path.to_string()),
            None => CommandTarget::Directory(url.to_string()),
        };
        Self {
            place,
            prefix: store.prefix().to_string(),
        }
    }

    /// The full key in the store.
    pub(crate) fn full_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Hashes one version's bytes.
    pub(crate) fn hash(&self, key: &str, version_id: &str) -> String {
        self.fetch_then(key, version_id, "sha256sum")
    }

    /// Unpacks one body and counts its lines.
    pub(crate) fn unpack(&self, key: &str, version_id: &str) -> String {
        self.fetch_then(key, version_id, "sha256sum") + " ; zcat " + &self.local(key) + " | wc -l"
    }

    /// Shows a manifest's line, its hash and whose signature it carries.
    pub(crate) fn manifest(&self, key: &str, version_id: &str) -> String {
        let object = self.local(key);
        format!(
            "{}head -n 1 {object} | sha256sum; head -n 1 {object} > m; tail -n +2 {object} > s; \
             ssh-keygen -Y check-novalidate -n holdfast-manifest -s s < m",
            self.fetch(key, version_id)
        )
    }

    /// Shows one version's lock.
    pub(crate) fn lock(&self, key: &str, version_id: &str) -> String {
        match &self.place {
            CommandTarget::Bucket(bucket) => format!(
                "aws s3api get-object-retention --bucket {} --key {} --version-id {}",
                quote(bucket),
                quote(&self.full_key(key)),
                quote(version_id)
            ),
            CommandTarget::Directory(_) => {
                format!("stat -c '%A, locked until %x' {}", self.local(key))
            }
        }
    }

    /// Lists all versions and markers below a key or prefix.
    pub(crate) fn list(&self, key: &str) -> String {
        match &self.place {
            CommandTarget::Bucket(bucket) => format!(
                "aws s3api list-object-versions --bucket {} --prefix {}",
                quote(bucket),
                quote(&self.full_key(key))
            ),
            CommandTarget::Directory(directory) => {
                let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("ls -l {}", quote(&format!("{directory}/{folder}")))
            }
        }
    }

    fn fetch_then(&self, key: &str, version_id: &str, command: &str) -> String {
        format!(
            "{}{command} {}",
            self.fetch(key, version_id),
            self.local(key)
        )
    }

    fn fetch(&self, key: &str, version_id: &str) -> String {
        match &self.place {
            CommandTarget::Bucket(bucket) => format!(
                "aws s3api get-object --bucket {} --key {} --version-id {} object && ",
                quote(bucket),
                quote(&self.full_key(key)),
                quote(version_id)
            ),
            CommandTarget::Directory(_) => String::new(),
        }
    }

    fn local(&self, key: &str) -> String {
        match &self.place {
            CommandTarget::Bucket(_) => "object".into(),
            CommandTarget::Directory(directory) => quote(&format!("{directory}/{key}")),
        }
    }
}

/// One word for a POSIX shell, whatever it holds: keys are hostile, and these lines get pasted.
fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-=:%+@".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_string();
    }
    if word.chars().any(char::is_control) {
        // bash's own form: nothing in it can move the cursor or end the line.
        let escaped: String = word.chars().flat_map(ansi_c).collect();
        return format!("$'{escaped}'");
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn ansi_c(c: char) -> Vec<char> {
    match c {
        '\'' | '\\' => vec!['\\', c],
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)).chars().collect(),
        c => vec![c],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cannot_break_out() {
        for (word, quoted) in [
            ("manifests/a/00.manifest", "manifests/a/00.manifest"),
            ("a b;rm -rf $HOME", "'a b;rm -rf $HOME'"),
            ("it's", r"'it'\''s'"),
            ("a\n'b\u{1b}", r"$'a\u000a\'b\u001b'"),
            ("", "''"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }
}
