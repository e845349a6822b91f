//! One spelling of a signature is accepted; each other is refused for its own reason.

use super::*;
use crate::damage::Damage;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ssh_key::private::{Ed25519Keypair, KeypairData, SkEd25519};

const LINE: &[u8] = b"{\"a\":1}\n";

/// What OpenSSH 9.2's `ssh-keygen -Y sign -n holdfast-manifest` makes of [`LINE`] with [`private`].
const BY_SSH_KEYGEN: &str = "\
-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg6kpsY+KcUgq+9VB7Ey7F+ZVHdq
6+vnuSQh7qaRRG0iwAAAARaG9sZGZhc3QtbWFuaWZlc3QAAAAAAAAABnNoYTUxMgAAAFMA
AAALc3NoLWVkMjU1MTkAAABA/xmqr75HJ8+0O+uQJP8wJaLtzzytBCXTn7n14swF7AL3ry
y09wy3PyMwFwrQX4/lSlMiLH0ll0f8E2hqPAPBDw==
-----END SSH SIGNATURE-----
";

fn private(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn public(seed: u8) -> [u8; 32] {
    private(seed).public_key().key_data().ed25519().unwrap().0
}

/// An SSHSIG in its parts, so that a test can break one.
#[derive(Clone)]
struct Parts {
    version: u32,
    key: Vec<u8>,
    namespace: Vec<u8>,
    reserved: Vec<u8>,
    hash: Vec<u8>,
    signature: Vec<u8>,
    rest: Vec<u8>,
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

fn typed(name: &str, bytes: &[u8]) -> Vec<u8> {
    [string(name.as_bytes()), string(bytes)].concat()
}

impl Parts {
    fn good() -> Self {
        let block = sign(&private(7), LINE).unwrap();
        let signature = Signature::parse(block.as_bytes()).unwrap();
        Self {
            version: 1,
            key: typed("ssh-ed25519", &public(7)),
            namespace: NAMESPACE.into(),
            reserved: Vec::new(),
            hash: b"sha512".to_vec(),
            signature: typed("ssh-ed25519", &signature.r_and_s),
            rest: Vec::new(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        [
            &b"SSHSIG"[..],
            &self.version.to_be_bytes(),
            &string(&self.key),
            &string(&self.namespace),
            &string(&self.reserved),
            &string(&self.hash),
            &string(&self.signature),
            &self.rest,
        ]
        .concat()
    }

    fn block(&self) -> String {
        wrap(&BASE64.encode(self.bytes()), 70)
    }
}

fn wrap(base64: &str, width: usize) -> String {
    let lines = base64.as_bytes().chunks(width);
    let lines: Vec<_> = lines.map(|l| core::str::from_utf8(l).unwrap()).collect();
    format!(
        "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
        lines.join("\n")
    )
}

fn judge(block: &str) -> Result<(), SignatureError> {
    Signature::parse(block.as_bytes())?.verify(LINE)
}

#[test]
fn signs_as_ssh_keygen_does() {
    assert_eq!(sign(&private(7), LINE).unwrap(), BY_SSH_KEYGEN);
    assert_eq!(judge(BY_SSH_KEYGEN), Ok(()));
    assert_eq!(Parts::good().block(), BY_SSH_KEYGEN);
    let signature = Signature::parse(BY_SSH_KEYGEN.as_bytes()).unwrap();
    assert_eq!(Some(signature.key()), Key::of(private(7).public_key()));
    assert_eq!(
        signature.key().to_string(),
        private(7).fingerprint(HashAlg::Sha256).to_string()
    );
}

#[test]
fn other_spellings_are_malformed() {
    let good = Parts::good();
    let block = good.block();
    let base64 = BASE64.encode(good.bytes());
    let broken = |change: fn(&mut Parts)| {
        let mut parts = good.clone();
        change(&mut parts);
        parts.block()
    };
    for (why, bad) in [
        ("nothing", String::new()),
        ("wrapped at 76", wrap(&base64, 76)),
        ("wrapped at 64", wrap(&base64, 64)),
        ("one long line", wrap(&base64, 1000)),
        ("garbage after", format!("{block}x")),
        ("an empty line after", format!("{block}\n")),
        ("a second armor", format!("{block}{block}")),
        ("garbage before", format!("x{block}")),
        ("an empty line before", format!("\n{block}")),
        ("CRLF", block.replace('\n', "\r\n")),
        ("no last LF", block.trim_end().to_string()),
        ("a space at a line's end", block.replacen("\n", " \n", 2)),
        ("no padding", block.replace('=', "")),
        ("more padding", block.replace("==", "====")),
        ("bits in the padding", block.replace("w==", "x==")),
        ("a header", block.replacen('\n', "\nA: b\n\n", 1)),
        (
            "another label",
            block.replace("SSH SIGNATURE", "SSH SIGNATURES"),
        ),
        ("a NUL", block.replacen('U', "\0", 1)),
        ("version 0", broken(|p| p.version = 0)),
        ("version 2", broken(|p| p.version = 2)),
        ("reserved filled", broken(|p| p.reserved = b"x".to_vec())),
        ("sha256", broken(|p| p.hash = b"sha256".to_vec())),
        ("another hash", broken(|p| p.hash = b"md5".to_vec())),
        ("no namespace", broken(|p| p.namespace.clear())),
        ("a field too many", broken(|p| p.rest = string(b""))),
        ("bytes after the key", broken(|p| p.key.push(0))),
        ("bytes after R and S", broken(|p| p.signature.push(0))),
        (
            "R and S cut",
            broken(|p| p.signature = typed("ssh-ed25519", &[1; 63])),
        ),
        (
            "R and S long",
            broken(|p| p.signature = typed("ssh-ed25519", &[1; 65])),
        ),
        (
            "the key cut",
            broken(|p| p.key = typed("ssh-ed25519", &[1; 31])),
        ),
        ("over the bound", "x".repeat(SIGNATURE_MAX + 1)),
    ] {
        let verdict = Signature::parse(bad.as_bytes());
        assert!(
            matches!(verdict, Err(SignatureError::Malformed(_))),
            "{why}: {verdict:?}"
        );
    }
}

#[test]
fn no_byte_can_change() {
    let block = Parts::good().block();
    for at in 0..block.len() {
        for flip in [1u8, 0x20] {
            let mut bytes = block.clone().into_bytes();
            bytes[at] ^= flip;
            let verdict = Signature::parse(&bytes).and_then(|s| s.verify(LINE));
            assert!(verdict.is_err(), "byte {at} ^ {flip}");
        }
    }
}

#[test]
fn damaged_files_are_refused_without_a_panic() {
    let mut damage = Damage::new();
    let file = [LINE, BY_SSH_KEYGEN.as_bytes()].concat();
    for _ in 0..5_000 {
        let bad = damage.of(&file);
        let verdict = split(&bad)
            .and_then(|(line, block)| Ok((line, Signature::parse(block)?)))
            .and_then(|(line, signature)| signature.verify(line));
        assert_eq!(verdict.is_ok(), bad == file);
    }
}

#[test]
fn another_purpose_or_key_type_is_told_apart() {
    let mut parts = Parts::good();
    parts.namespace = b"file".to_vec();
    let other = SignatureError::OtherNamespace("file".into());
    assert_eq!(judge(&parts.block()), Err(other));

    let rsa = [string(b"ssh-rsa"), string(&[1, 0, 1]), string(&[1; 128])].concat();
    let sk_tail = [string(&public(7)), string(b"ssh:")].concat();
    let sk = [string(b"sk-ssh-ed25519@openssh.com"), sk_tail].concat();
    let ecdsa_tail = [string(b"nistp256"), string(&[4; 65])].concat();
    let ecdsa = [string(b"ecdsa-sha2-nistp256"), ecdsa_tail].concat();
    for key in [rsa, sk, ecdsa, typed("ssh-new@example", b"key")] {
        let mut parts = Parts::good();
        parts.key = key;
        assert_eq!(judge(&parts.block()), Err(SignatureError::OtherKeyType));
    }
    let mut parts = Parts::good();
    parts.signature = [typed("rsa-sha2-512", &[1; 128])].concat();
    assert_eq!(judge(&parts.block()), Err(SignatureError::OtherKeyType));
}

#[test]
fn s_plus_l_is_the_same_signature_in_another_spelling() {
    let mut r_and_s = Signature::parse(BY_SSH_KEYGEN.as_bytes()).unwrap().r_and_s;
    let mut carry = 0;
    for (byte, add) in r_and_s[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    let mut parts = Parts::good();
    parts.signature = typed("ssh-ed25519", &r_and_s);
    assert_eq!(
        judge(&parts.block()),
        Err(SignatureError::Malformed("S is not below L"))
    );
    parts.signature = typed("ssh-ed25519", &[&r_and_s[..32], &L].concat());
    assert_eq!(
        judge(&parts.block()),
        Err(SignatureError::Malformed("S is not below L"))
    );
}

#[test]
fn a_key_under_which_everyone_can_sign_is_refused() {
    // A = the neutral element, R = B, S = 1: holds over every line by the plain rule, S·B = R + h·A.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut base = [0x66; 32];
    base[0] = 0x58;
    let mut parts = Parts::good();
    parts.key = typed("ssh-ed25519", &neutral);
    parts.signature = typed("ssh-ed25519", &[base, neutral].concat());
    let block = parts.block();

    let plain = SshSig::from_pem(&block).unwrap();
    let key = PublicKey::from(Ed25519PublicKey(neutral));
    assert!(key.verify(NAMESPACE, b"any line", &plain).is_ok());
    assert_eq!(judge(&block), Err(SignatureError::DoesNotVerify));
    assert!(!Key(Ed25519PublicKey(neutral)).is_sound());
}

#[test]
fn another_line_or_key_does_not_verify() {
    let signature = Signature::parse(BY_SSH_KEYGEN.as_bytes()).unwrap();
    for line in [&LINE[..7], b"{\"a\":2}\n", b""] {
        assert_eq!(signature.verify(line), Err(SignatureError::DoesNotVerify));
    }
    let mut parts = Parts::good();
    parts.key = typed("ssh-ed25519", &public(8));
    assert_eq!(judge(&parts.block()), Err(SignatureError::DoesNotVerify));
}

#[test]
fn files_split_after_the_first_lf() {
    assert_eq!(split(b"{}\nrest\n"), Ok((&b"{}\n"[..], &b"rest\n"[..])));
    assert_eq!(split(b"{}\n"), Ok((&b"{}\n"[..], &b""[..])));
    let longest = [&[b'x'; MANIFEST_MAX - 1][..], b"\n"].concat();
    assert_eq!(split(&longest).unwrap().0.len(), MANIFEST_MAX);
    for bad in [
        Vec::new(),
        b"{}".to_vec(),
        [&[b'x'; MANIFEST_MAX][..], b"\n"].concat(),
        [b"{}\n", &[b'x'; SIGNATURE_MAX + 1][..]].concat(),
    ] {
        assert!(matches!(split(&bad), Err(SignatureError::Malformed(_))));
    }
}

/// An Ed25519 key under a passphrase, made for this test.
const ENCRYPTED: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAEQxgM8r
1Zgt+DmGbIqNC3AAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIChg18aIEIitLE36
HkrHBckAd40EhXH9U6TyDuRzYfrdAAAAkC8BvgxspuU2nFVs0wKK3gr5y4YYMHndYZbOQQ
x2+MSvyJKmAQI/Ct6gTcsvs1ufvSj3/+rWiIE4C1rfQL7/g0Tbo0t0YF0cyTwhPxSJClPx
8m8uRNbQSNmay5Pxwsu84X8iPGngr7EJP/jec4/KLLtvA3EHeZDC6Uk139tfgT0vQhMHAO
3xfXHgcmtkCnTCWg==
-----END OPENSSH PRIVATE KEY-----
";

#[test]
fn keys_that_cannot_sign_say_why() {
    let mut two_halves = Ed25519Keypair::from_seed(&[7; 32]);
    two_halves.public = Ed25519PublicKey(public(8));
    let two_halves = PrivateKey::from(two_halves);
    assert_eq!(sign(&two_halves, LINE), Err(SignError::Failed));
    let encrypted = PrivateKey::from_openssh(ENCRYPTED).unwrap();
    assert_eq!(sign(&encrypted, LINE), Err(SignError::Encrypted));
    let token = SkEd25519::new(Ed25519PublicKey(public(7)).into(), 0, Vec::new()).unwrap();
    let token = PrivateKey::new(KeypairData::SkEd25519(token), "").unwrap();
    assert_eq!(sign(&token, LINE), Err(SignError::OtherKeyType));
}
