//! Format 1's fixed examples, and the by-hand check of them with stock tools.
//!
//! tests/vectors/README.md says what they are. They are read by the ledger crate, by the
//! verifier, and by the page docs/verify-by-hand.md with stock tools alone; each must refuse what is
//! wrong on purpose.

mod by_hand;
mod make;
mod read;
mod verifier;

use std::path::PathBuf;

/// The vectors of format 1.
fn vectors() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/1"))
}

fn json(name: &str) -> serde_json::Value {
    let path = vectors().join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap()
}

/// Makes the vectors again if HOLDFAST_MAKE_VECTORS is set to the directory to write; see the README
/// there before you do. Otherwise it makes them into a temporary directory and checks that what
/// gzip does not touch is what is frozen.
#[test]
fn the_generator_still_makes_what_is_frozen() {
    if let Some(target) = std::env::var_os("HOLDFAST_MAKE_VECTORS") {
        make::write_all(&PathBuf::from(target));
        return;
    }
    let fresh = tempfile::tempdir().unwrap();
    make::write_all(fresh.path());
    for name in ["allowed_signers", "sources/auth-1", "sources/auth-3"] {
        let made = std::fs::read(fresh.path().join(name)).unwrap();
        assert!(
            made == std::fs::read(vectors().join(name)).unwrap(),
            "{name}"
        );
    }
    let roots = |path: PathBuf| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path.join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        let manifests = expected["manifests"].as_array().unwrap().iter();
        manifests.map(|m| m["entries"].clone()).collect()
    };
    assert_eq!(roots(fresh.path().into()), roots(vectors()));
}
