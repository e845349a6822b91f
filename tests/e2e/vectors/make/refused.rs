//! What a reader must refuse: each file is one good manifest with one thing wrong.

mod lines;
mod manifests;
mod signatures;

use super::writer::{sealed, write};
use super::{private, write_json};
use ledger::manifest::Manifest;
use ledger::signature;
use serde_json::json;
use std::path::Path;

struct Refused {
    name: &'static str,
    by: &'static str,
    why: &'static str,
    file: Vec<u8>,
}

/// Writes `refused/` and the list of what is in it.
pub(super) fn write_all(root: &Path, stop: &Manifest, close: &Manifest) {
    let mut all = vec![Refused {
        name: "key-of-another",
        by: "signers",
        why: "a good signature by a key that allowed_signers does not name",
        file: sealed(stop, &private(43)).1,
    }];
    all.extend(signatures::signatures(stop));
    all.extend(manifests::manifests(
        &batch_line(root, stop),
        &sealed(close, &private(42)).0,
    ));
    let mut list = Vec::new();
    for refused in all {
        let file = format!("{}.manifest", refused.name);
        write(&root.join("refused").join(&file), &refused.file);
        list.push(json!({"file": file, "by": refused.by, "why": refused.why}));
    }
    let value =
        json!({"manifests": list, "entries": lines::entries(), "signers": lines::signers()});
    write_json(&root.join("refused.json"), &value);
}

/// The line of the first epoch's first batch.
fn batch_line(root: &Path, stop: &Manifest) -> Vec<u8> {
    let mut slot = stop.slot();
    slot.seq = 1;
    let file = std::fs::read(root.join("archive").join(slot.manifest_key())).unwrap();
    signature::split(&file).unwrap().0.to_vec()
}
