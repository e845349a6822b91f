//! The signature around a manifest's line: an SSHSIG (OpenSSH's PROTOCOL.sshsig) in one exact form.
//!
//! `ssh-keygen -Y verify` accepts many spellings of one signature: re-wrapped armor, garbage after
//! it, a filled reserved field, S + L. Here only the one that we write ourselves is a signature, so
//! a stored file cannot be altered by a byte and still pass. Whose key it is, is [`signers`]' matter.

pub mod signers;

use crate::json;
use crate::limits::{MANIFEST_MAX, SIGNATURE_MAX};
use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

/// The SSHSIG namespace of manifests: what keeps a signature over anything else from passing here.
pub const NAMESPACE: &str = "holdfast-manifest";

/// Bytes of an Ed25519 signature: R, then S.
const R_AND_S: usize = 64;

/// L, the order of Ed25519's prime subgroup, little-endian (RFC 8032 section 5.1).
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Why a manifest file is not signed as format 1 wants it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not of the one form that is a signature here.
    #[error("not a signature in the one form that format 1 knows: {0}")]
    Malformed(&'static str),
    /// Made for another purpose.
    #[error("a signature for namespace {0:?}, expected holdfast-manifest")]
    OtherNamespace(String),
    /// Made by another type of key.
    #[error("a signature by another type of key, expected ssh-ed25519")]
    OtherKeyType,
    /// In form, but not by this key over this line.
    #[error("the signature is not by the key it names over this line")]
    DoesNotVerify,
}

/// Why a line could not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key is of another type.
    #[error("the signing key is not ssh-ed25519; make one with `holdfast-agent init`")]
    OtherKeyType,
    /// The key is protected by a passphrase.
    #[error(
        "the signing key has a passphrase; an agent cannot type it, take it off with `ssh-keygen -p`"
    )]
    Encrypted,
    /// The signing itself failed, or made what our own check refuses.
    #[error("the signing key does not give a signature that verifies; replace the key")]
    Failed,
}

/// The public half of a signing key. Shown as `ssh-keygen -l` shows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Ed25519PublicKey);

impl Key {
    /// The key, if it is of the one type that signs manifests.
    #[must_use]
    pub fn of(public: &PublicKey) -> Option<Self> {
        public.key_data().ed25519().copied().map(Self)
    }

    /// `ssh-ed25519 AAAA…`, as OpenSSH writes a public key, without a comment.
    #[must_use]
    pub fn to_openssh(self) -> String {
        let public = PublicKey::new(KeyData::Ed25519(self.0), "");
        // An Ed25519 key always has this form.
        public.to_openssh().unwrap_or_default().trim_end().into()
    }

    /// Whether it is a point that a signature can be checked against: on the curve, and not one of
    /// the few under which everyone can sign.
    fn is_sound(self) -> bool {
        ed25519_dalek::VerifyingKey::try_from(self.0).is_ok_and(|key| !key.is_weak())
    }
}

/// Text that is not exactly what [`Key::to_openssh`] writes, or a key under which everyone can sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an OpenSSH public key of type ssh-ed25519 without a comment")]
pub struct NotAKey;

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let public = PublicKey::from_openssh(text).map_err(|_| NotAKey)?;
        Self::of(&public)
            .filter(|key| key.is_sound() && key.to_openssh() == text)
            .ok_or(NotAKey)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_openssh())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::text(deserializer, "an OpenSSH public key of type ssh-ed25519")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&KeyData::Ed25519(self.0).fingerprint(HashAlg::Sha256), f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Splits a manifest file into its first line, LF included, and the signature block.
///
/// # Errors
/// There is no LF, or either part is longer than any manifest's.
pub fn split(file: &[u8]) -> Result<(&[u8], &[u8]), SignatureError> {
    let within = &file[..file.len().min(MANIFEST_MAX)];
    let end = within.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or(SignatureError::Malformed("no first line within 1 MiB"))?;
    let (line, block) = file.split_at(end + 1);
    if block.len() > SIGNATURE_MAX {
        return Err(SignatureError::Malformed(
            "over 4 KiB after the first line, where the signature alone belongs",
        ));
    }
    Ok((line, block))
}

/// Signs a manifest's line, LF included. What it returns stands after the line in the file.
///
/// # Errors
/// The key cannot sign manifests.
pub fn sign(key: &PrivateKey, line: &[u8]) -> Result<String, SignError> {
    if key.algorithm() != Algorithm::Ed25519 {
        return Err(SignError::OtherKeyType);
    }
    if key.is_encrypted() {
        return Err(SignError::Encrypted);
    }
    let signature = key.sign(NAMESPACE, HashAlg::Sha512, line);
    let block = signature.and_then(|signature| signature.to_pem(LineEnding::LF));
    let block = block.map_err(|_| SignError::Failed)?;
    // A key file whose public half does not fit its private half signs without complaint.
    match Signature::parse(block.as_bytes()).and_then(|signature| signature.verify(line)) {
        Ok(()) => Ok(block),
        Err(_) => Err(SignError::Failed),
    }
}

/// A signature in form. It says nothing until [`Signature::verify`] has passed, and nothing of
/// whose it is until [`signers::AllowedSigners`] has been asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    key: Key,
    r_and_s: [u8; R_AND_S],
}

impl Signature {
    /// Reads a signature block: everything that follows a manifest's line.
    ///
    /// # Errors
    /// It differs in any byte from what [`sign`] writes for the same key and signature.
    pub fn parse(block: &[u8]) -> Result<Self, SignatureError> {
        use SignatureError::{Malformed, OtherKeyType, OtherNamespace};
        if block.len() > SIGNATURE_MAX {
            return Err(Malformed("over 4 KiB"));
        }
        let parsed = SshSig::from_pem(block).map_err(|error| match error {
            ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
                OtherKeyType
            }
            _ => Malformed("not an armored SSHSIG of version 1"),
        })?;
        let KeyData::Ed25519(key) = *parsed.public_key() else {
            return Err(OtherKeyType);
        };
        if parsed.algorithm() != Algorithm::Ed25519 {
            return Err(OtherKeyType);
        }
        if parsed.namespace() != NAMESPACE {
            return Err(OtherNamespace(parsed.namespace().into()));
        }
        if parsed.version() != SshSig::VERSION || parsed.hash_alg() != HashAlg::Sha512 {
            return Err(Malformed("not version 1 with sha512"));
        }
        if !parsed.reserved().is_empty() {
            return Err(Malformed("the reserved field is not empty"));
        }
        let r_and_s = parsed.signature_bytes().try_into();
        let r_and_s: [u8; R_AND_S] = r_and_s.map_err(|_| Malformed("not 64 bytes of R and S"))?;
        if !r_and_s[R_AND_S / 2..].iter().rev().lt(L.iter().rev()) {
            return Err(Malformed("S is not below L"));
        }
        // Whatever else differs (wrapping, line ends, bytes outside or after the last field)
        // differs here.
        let again = parsed.to_pem(LineEnding::LF);
        if !again.is_ok_and(|again| again.as_bytes() == block) {
            return Err(Malformed(
                "not armored as ssh-keygen writes it, to the byte",
            ));
        }
        let key = Key(key);
        Ok(Self { key, r_and_s })
    }

    /// The key it claims to be by.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// Checks it over a manifest's line, LF included, with the strict rule of Ed25519: no key or R
    /// of small order, so nobody can make one signature that fits two lines.
    ///
    /// # Errors
    /// [`SignatureError::DoesNotVerify`]
    pub fn verify(&self, line: &[u8]) -> Result<(), SignatureError> {
        let signed = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, line);
        let signed = signed.map_err(|_| SignatureError::DoesNotVerify)?;
        let signature = ed25519_dalek::Signature::from_bytes(&self.r_and_s);
        ed25519_dalek::VerifyingKey::from_bytes(&self.key.0.0)
            .and_then(|key| key.verify_strict(&signed, &signature))
            .map_err(|_| SignatureError::DoesNotVerify)
    }
}

#[cfg(test)]
mod tests;
