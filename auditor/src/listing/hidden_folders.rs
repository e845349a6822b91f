//! Objects that are in the place of a folder of manifests. Some servers (MinIO) list nothing below
//! such a one, so that whoever may put could hide an agent, and the rest would look intact.

use ledger::name::{Epoch, Name};
use std::collections::BTreeMap;

/// Such places that are remembered in one list.
const KEPT_MAX: usize = 1000;

/// Folders above a manifest: `manifests`, agent, stream, epoch.
const FOLDERS_MAX: usize = 4;

/// The places that a list names, each with whether anything was listed below it.
#[derive(Debug, Default)]
pub(crate) struct HiddenFolders(BTreeMap<String, bool>);

impl HiddenFolders {
    /// Takes the next key of a list that is in the order of its bytes.
    pub(crate) fn pass(&mut self, key: &str) {
        if !self.0.is_empty() {
            for (at, _) in key.match_indices('/').take(FOLDERS_MAX) {
                if let Some(seen) = self.0.get_mut(&key[..at]) {
                    *seen = true;
                }
            }
        }
        if self.0.len() < KEPT_MAX && agent_of(key).is_some() {
            self.0.entry(key.to_owned()).or_default();
        }
    }

    /// The places below which nothing was listed, each with its agent.
    pub(crate) fn hidden(self) -> impl Iterator<Item = (String, Name)> {
        let dark = self.0.into_iter().filter(|(_, seen)| !seen);
        dark.filter_map(|(key, _)| agent_of(&key).map(|agent| (key, agent)))
    }
}

/// The agent whose folder, or whose stream's or epoch's, would have this name.
fn agent_of(key: &str) -> Option<Name> {
    let mut parts = key.strip_prefix("manifests/")?.split('/');
    let agent = parts.next()?.parse().ok()?;
    let is_stream = parts.next().is_none_or(|part| part.parse::<Name>().is_ok());
    let is_epoch = parts
        .next()
        .is_none_or(|part| part.parse::<Epoch>().is_ok());
    (is_stream && is_epoch && parts.next().is_none()).then_some(agent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_below_which_nothing_is_listed_are_reported() {
        let epoch = "01a202b2-c500-7101-8101-010101010101";
        let below = format!("manifests/web/auth/{epoch}/00000000000000000000.manifest");
        let beside = below.replace("/web/", "/web-01/");
        let of_epoch = format!("manifests/web/auth/{epoch}");
        for (keys, dark) in [
            (&[below.as_str()][..], &[][..]),
            (&["manifests/web"], &["manifests/web"]),
            (&["manifests/web/auth"], &["manifests/web/auth"]),
            (&[&of_epoch], &[&of_epoch]),
            // A server that lists what is below as well hides nothing; names in between change nothing.
            (&["manifests/web", &beside, &below], &[]),
            (
                &["manifests/web", "manifests/web-01/x"],
                &["manifests/web", "manifests/web-01/x"],
            ),
            // No folder of ours has such a name.
            (
                &[
                    "manifests",
                    "manifests/",
                    "manifests/.x",
                    "manifests/web/auth/readme",
                    "entries/web",
                ],
                &[],
            ),
        ] {
            let mut folders = HiddenFolders::default();
            for key in keys {
                folders.pass(key);
            }
            let found: Vec<_> = folders.hidden().map(|(key, _)| key).collect();
            assert_eq!(found, dark, "{keys:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut folders = HiddenFolders::default();
        for number in 0..KEPT_MAX + 10 {
            folders.pass(&format!("manifests/web-{number:06}"));
        }
        assert_eq!(folders.hidden().count(), KEPT_MAX);
    }
}
