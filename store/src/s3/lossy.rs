//! Lists that lose names: SeaweedFS (4.48) reads folder by folder, `web/` before `web-01/`, but continues
//! after a page's last key in the order of bytes, and so never comes to `web-01/` from within `web/`.
//!
//! A list that may have lost names of ours is refused: evidence that is not listed would not be missed.

use super::super::{StoreError, Token};
use super::S3Store;

/// Folders above an object of ours, below the store's prefix.
const FOLDERS_MAX: usize = 4;

/// What our names may hold that sorts before `/`.
const BEFORE_SLASH: [char; 2] = ['-', '.'];

impl S3Store {
    /// Refuses a list of keys below `prefix` that continues after `next`, if it may have lost names.
    pub(super) async fn refuse_lossy_list(
        &self,
        prefix: &str,
        next: &Token,
    ) -> Result<(), StoreError> {
        let what = ("list", prefix);
        for beginning in beside(next, &self.full(prefix)) {
            let request = self.client.list_object_versions().bucket(&self.bucket);
            let request = request.prefix(&beginning).max_keys(1).send();
            let reply = self.send(what, 0, request).await?;
            if !reply.versions().is_empty() || !reply.delete_markers().is_empty() {
                let said = format!(
                    "this server leaves names that begin with {beginning:?} out of long lists; \
                     ask for one folder at a time (verify: --agent and --stream)"
                );
                return Err(self.broken(what, said));
            }
        }
        Ok(())
    }
}

/// What a list below `asked` may have lost that continues after `next`, as beginnings of keys.
fn beside(next: &Token, asked: &str) -> Vec<String> {
    let key = str::from_utf8(&next.key).unwrap_or_default();
    let slashes = key.match_indices('/').map(|(at, _)| at);
    let folders = slashes.filter(|at| *at >= asked.len()).take(FOLDERS_MAX);
    let names = folders.flat_map(|at| BEFORE_SLASH.map(|char| format!("{}{char}", &key[..at])));
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beside_folders_are_those_that_sort_before_them() {
        let beside = |key: &str, asked| {
            let token = Token {
                key: key.into(),
                version_id: None,
            };
            beside(&token, asked)
        };
        assert_eq!(
            beside("p/m/web/1", "p/"),
            ["p/m-", "p/m.", "p/m/web-", "p/m/web."]
        );
        assert_eq!(beside("m/web/1", "m/web"), ["m/web-", "m/web."]);
        assert_eq!(beside("m/web/1", "m/web/"), [""; 0]);
        assert_eq!(beside(&"a/".repeat(500), "").len(), 2 * FOLDERS_MAX);
        assert_eq!(beside("", ""), [""; 0]);
    }
}
