//! A good line with a signature that is not one here.

use super::super::private;
use super::super::writer::sealed;
use super::Refused;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::manifest::Manifest;
use ledger::signature::NAMESPACE;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

/// L, the order of Ed25519's subgroup, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn armor(bytes: &[u8], width: usize) -> String {
    let base64 = BASE64.encode(bytes);
    let lines = base64.as_bytes().chunks(width);
    let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
    let lines = lines.join("\n");
    format!("-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----\n")
}

/// Whatever OpenSSH would make of `line` for another namespace or hash.
fn other_signature(key: &PrivateKey, namespace: &str, hash: HashAlg, line: &[u8]) -> String {
    let signature = key.sign(namespace, hash, line).unwrap();
    signature.to_pem(LineEnding::LF).unwrap()
}

/// Other spellings of the block's armor, with what is wrong about each.
fn armors(block: &str, blob: &[u8]) -> [(&'static str, &'static str, String); 5] {
    [
        ("armor-rewrapped", "base64 in lines of 76", armor(blob, 76)),
        (
            "armor-crlf",
            "lines end in CR LF",
            block.replace('\n', "\r\n"),
        ),
        (
            "armor-cut",
            "no LF after the END line",
            block.trim_end().into(),
        ),
        (
            "armor-trailing",
            "bytes after the END line",
            format!("{block}x\n"),
        ),
        ("armor-twice", "a second armor", format!("{block}{block}")),
    ]
}

/// One of each.
pub(super) fn signatures(stop: &Manifest) -> Vec<Refused> {
    let key = private(42);
    let (line, good) = sealed(stop, &key);
    let block = String::from_utf8(good[line.len()..].to_vec()).unwrap();
    let base64: String = block.lines().filter(|l| !l.starts_with('-')).collect();
    let blob = BASE64.decode(base64).unwrap();
    let text = String::from_utf8(line.clone()).unwrap();
    let altered = text.replacen("0.1.0", "0.1.1", 1);
    let other_line = [altered.as_bytes(), block.as_bytes()].concat();
    let with = |block: String| [&line, block.as_bytes()].concat();
    let refused = |name, why, file| Refused {
        name,
        by: "signature",
        why,
        file,
    };
    let sha256 = other_signature(&key, NAMESPACE, HashAlg::Sha256, &line);
    let for_files = other_signature(&key, "file", HashAlg::Sha512, &line);
    let spelled = armors(&block, &blob).map(|(name, why, block)| refused(name, why, with(block)));
    let mut all = vec![
        Refused {
            name: "key-of-another",
            by: "signers",
            why: "a good signature by a key that allowed_signers does not name",
            file: sealed(stop, &private(43)).1,
        },
        refused(
            "reserved-filled",
            "the reserved field is not empty",
            with(reserved(&blob)),
        ),
        refused("s-plus-l", "S is not below L", with(s_plus_l(&blob))),
        refused("hash-sha256", "sha256 in place of sha512", with(sha256)),
        refused(
            "namespace-file",
            "signed for the namespace file",
            with(for_files),
        ),
        refused(
            "key-swapped",
            "names a key that did not sign",
            with(swapped(&blob)),
        ),
        refused(
            "key-small-order",
            "a key under which everyone can sign",
            with(small_order(&blob)),
        ),
        refused("line-altered", "another line than was signed", other_line),
        refused("signature-missing", "no signature at all", line.clone()),
    ];
    all.extend(spelled);
    all
}

/// The offset of the reserved field's length, after preamble, version, key and namespace.
const RESERVED_AT: usize = 6 + 4 + 4 + 51 + 4 + NAMESPACE.len();

fn reserved(blob: &[u8]) -> String {
    let (before, after) = blob.split_at(RESERVED_AT);
    assert_eq!(after[..4], [0; 4]);
    armor(&[before, &[0, 0, 0, 1, b'x'], &after[4..]].concat(), 70)
}

fn s_plus_l(blob: &[u8]) -> String {
    let mut blob = blob.to_vec();
    let s_at = blob.len() - 32;
    let mut carry = 0;
    for (byte, add) in blob[s_at..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    armor(&blob, 70)
}

/// The offset of the key's 32 bytes, after preamble, version, length and type.
const KEY_AT: usize = 6 + 4 + 4 + 4 + 11 + 4;

fn swapped(blob: &[u8]) -> String {
    let mut blob = blob.to_vec();
    let other = private(43).public_key().key_data().ed25519().unwrap().0;
    blob[KEY_AT..KEY_AT + 32].copy_from_slice(&other);
    armor(&blob, 70)
}

/// A = the neutral element, R = the base point, S = 1: by the plain rule good over every line.
fn small_order(blob: &[u8]) -> String {
    let mut blob = blob.to_vec();
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut base = [0x66; 32];
    base[0] = 0x58;
    blob[KEY_AT..KEY_AT + 32].copy_from_slice(&neutral);
    let r_at = blob.len() - 64;
    blob[r_at..r_at + 32].copy_from_slice(&base);
    blob[r_at + 32..].copy_from_slice(&neutral);
    armor(&blob, 70)
}
