//! What a reader must refuse: each file is one good manifest with one thing wrong.

mod blocks;
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
    let mut batch = stop.slot();
    batch.seq = 1;
    let (batch, close_line) = (batch.manifest_key(), sealed(close, &private(42)).0);
    let mut list = Vec::new();
    for (key, all) in [
        (stop.slot().manifest_key(), signatures::signatures(stop)),
        (batch.clone(), manifests::batches(&line(root, &batch))),
        (close.slot().manifest_key(), manifests::closes(&close_line)),
    ] {
        for refused in all {
            let file = format!("{}.manifest", refused.name);
            write(&root.join("refused").join(&file), &refused.file);
            let Refused { by, why, .. } = refused;
            list.push(json!({"file": file, "key": key, "by": by, "why": why}));
        }
    }
    let value = json!({
        "manifests": list,
        "blocks": blocks::blocks(),
        "entries": lines::entries(),
        "signers": lines::signers(),
    });
    write_json(&root.join("refused.json"), &value);
}

/// The line of a manifest that is already written.
fn line(root: &Path, key: &str) -> Vec<u8> {
    let file = std::fs::read(root.join("archive").join(key)).unwrap();
    signature::split(&file).unwrap().0.to_vec()
}
