//! Whether a store looks like a copy of an archive: LOOKS_LIKE_COPY.

use super::lister::{ListError, Lister};
use super::store_reader::StoreReader;
use ledger::finding::{Code, Finding, Severity};
use store::{Protection, Store, VersionKind};

/// Whether a store that only evidences locks holds objects of an archive, none of them locked.
pub(crate) async fn looks_like_copy<S: Store>(
    reader: &StoreReader<S>,
    protection: Protection,
) -> Result<bool, ListError> {
    if protection == Protection::Enforces {
        return Ok(false);
    }
    let mut any = false;
    for prefix in ["manifests/", "entries/"] {
        let mut lister = Lister::new(reader, prefix);
        while let Some(group) = lister.next().await? {
            let objects = group.versions.iter();
            for version in objects.filter(|version| version.kind == VersionKind::Object) {
                any = true;
                if !matches!(
                    reader.lock_of(&version.key, &version.version_id).await,
                    Ok(None)
                ) {
                    return Ok(false);
                }
            }
        }
    }
    Ok(any)
}

/// It was judged as a copy, though nobody said that it is one.
pub(crate) fn judged_as_copy() -> Finding {
    let message = "nothing in this directory is locked: it looks like a copy and was judged \
                   as one; say --copy if it is";
    Finding::new(Code::LooksLikeCopy, Severity::Inconclusive, message)
}
