//! Three ways to tamper with a copy of an archive, each a thing an insider could try.

use super::demo_setup::{DemoSetup, SetupError, at, files_below};
use std::path::Path;

/// Flips one bit in the middle of a body.
pub(super) fn flip_a_bit(_: &DemoSetup, copy: &Path) -> Result<(), SetupError> {
    let path = files_below(&copy.join("entries"), ".zst")?
        .into_iter()
        .next();
    let path = path.ok_or_else(|| SetupError::NotAsArchived(copy.into()))?;
    let mut bytes = std::fs::read(&path).map_err(at(&path))?;
    let middle = bytes.len() / 2;
    let byte = bytes
        .get_mut(middle)
        .ok_or_else(|| SetupError::NotAsArchived(path.clone()))?;
    *byte ^= 1;
    std::fs::write(&path, bytes).map_err(at(&path))
}

/// Deletes one manifest that has others before and after it.
pub(super) fn delete_a_manifest(_: &DemoSetup, copy: &Path) -> Result<(), SetupError> {
    let manifests = files_below(&copy.join("manifests"), ".manifest")?;
    let path = manifests.get(manifests.len() / 2);
    let path = path.ok_or_else(|| SetupError::NotAsArchived(copy.into()))?;
    std::fs::remove_file(path).map_err(at(path))
}

/// Signs every manifest again with a key that no auditor pinned.
pub(super) fn sign_again(setup: &DemoSetup, copy: &Path) -> Result<(), SetupError> {
    let agent = "demo"
        .parse()
        .map_err(|_| SetupError::NotAsArchived(copy.into()))?;
    let path = setup.folder().join("other-key");
    let told = |error: agent::key::KeyError| SetupError::Sign(error.to_string());
    agent::key::make(&path, &agent).map_err(told)?;
    let (key, _) = agent::key::load(&path).map_err(told)?;
    for path in files_below(&copy.join("manifests"), ".manifest")? {
        let file = std::fs::read(&path).map_err(at(&path))?;
        let (line, _) =
            ledger::signature::split(&file).map_err(|_| SetupError::NotAsArchived(path.clone()))?;
        let signature = ledger::signature::sign(&key, line)
            .map_err(|error| SetupError::Sign(error.to_string()))?;
        let forged = [line, signature.as_bytes()].concat();
        std::fs::write(&path, forged).map_err(at(&path))?;
    }
    Ok(())
}
