//! Lines that count, lines that are refused and why, and what a key is trusted for.

use super::*;
use crate::damage::Damage;
use alloc::format;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

const OURS: &str = "namespaces=\"holdfast-manifest\"";

fn public(seed: u8) -> PublicKey {
    let private = PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]));
    private.public_key().clone()
}

fn key(seed: u8) -> Key {
    Key::of(&public(seed)).unwrap()
}

fn text(seed: u8) -> String {
    public(seed).to_openssh().unwrap()
}

fn agent(name: &str) -> Name {
    name.parse().unwrap()
}

fn at(time: &str) -> Moment {
    time.parse().unwrap()
}

fn now() -> Moment {
    at("2026-11-22T10:30:00.000000Z")
}

fn fault(text: &str) -> SignersFault {
    AllowedSigners::parse(text).unwrap_err().fault
}

#[test]
fn the_line_that_init_prints_is_trusted() {
    let mut commented = public(1);
    commented.set_comment("root@web-01");
    let line = line_for(&agent("web-01"), &commented).unwrap();
    assert_eq!(line, format!("web-01 {OURS} {}", text(1)));
    let signers = AllowedSigners::parse(&line).unwrap();
    assert_eq!(
        signers.trust(&agent("web-01"), key(1), now()),
        Trust::Trusted
    );
    assert_eq!(
        signers.trust(&agent("web-01"), key(2), now()),
        Trust::OtherKey
    );
    assert_eq!(
        signers.trust(&agent("web-02"), key(1), now()),
        Trust::UnknownAgent
    );
}

#[test]
fn spellings_that_mean_the_same() {
    let text = text(1);
    for line in [
        format!("web-01 {OURS} {text}"),
        format!("  web-01\t{OURS}  {text} a comment, with \"quotes\"\n"),
        format!("# a comment \u{e9}\n\n \t\nweb-00,web-01,a@b {OURS} {text}\n"),
        format!("web-01 namespaces=\"file,holdfast-manifest\" {text}"),
        format!("web-01 valid-after=\"20260101Z\",{OURS},valid-before=\"20270101Z\" {text}"),
    ] {
        let signers = AllowedSigners::parse(&line).unwrap();
        assert_eq!(
            signers.trust(&agent("web-01"), key(1), now()),
            Trust::Trusted,
            "{line}"
        );
    }
    assert!(AllowedSigners::parse("# nobody\n").unwrap().is_empty());
}

fn check_faults(cases: &[(String, SignersFault)]) {
    for (line, expected) in cases {
        assert_eq!(&fault(line), expected, "{line}");
    }
}

#[test]
fn options_are_ours_or_refused() {
    use SignersFault::{CertAuthority, Namespace, Repeated, Shape, UnknownOption};
    let key = text(1);
    let with = |options: &str| format!("a {options} {key}");
    let unknown = |name: &str| UnknownOption(name.into());
    check_faults(&[
        (with("namespaces=\"holdfast-manifest"), Shape),
        (with(&format!("{OURS}x")), Shape),
        (format!("a {key}"), Namespace),
        (with("namespaces=\"file\""), Namespace),
        (with("namespaces=\"\""), Namespace),
        (with("namespaces=\"holdfast-*\""), Namespace),
        (
            with("namespaces=\"!holdfast-manifest,holdfast-manifest\""),
            Namespace,
        ),
        (with("namespaces=\"holdfast-manifest,fi?e\""), Namespace),
        (with("namespaces=\"holdfast-manifest \""), Namespace),
        (with("valid-after=\"20260101Z\""), Namespace),
        (with("namespaces=holdfast-manifest"), unknown("namespaces")),
        (
            with("NAMESPACES=\"holdfast-manifest\""),
            unknown("NAMESPACES"),
        ),
        (
            with(&format!("no-touch-required,{OURS}")),
            unknown("no-touch-required"),
        ),
        (with(&format!("{OURS},")), unknown("")),
        (with(&format!("{OURS},{OURS}")), Repeated("namespaces")),
        (with(&format!("cert-authority,{OURS}")), CertAuthority),
        (with(&format!("{OURS},cert-authority")), CertAuthority),
    ]);
}

#[test]
fn dates_are_utc_and_in_order() {
    use SignersFault::{Date, Repeated, Validity};
    let key = text(1);
    let with = |option: &str, value: &str| format!("a {option}=\"{value}\",{OURS} {key}");
    for date in [
        "",
        "Z",
        "20260101",
        "20260101UTC",
        "2026010110Z",
        "20260230Z",
        "202601012460Z",
        "20260101000060Z",
        "+2026010Z",
        "\u{e9}026010Z",
        "19691231Z",
    ] {
        assert_eq!(fault(&with("valid-after", date)), Date(date.into()));
        assert_eq!(fault(&with("valid-before", date)), Date(date.into()));
    }
    check_faults(&[
        (
            with("valid-after=\"20260101Z\",valid-before", "20260101Z"),
            Validity,
        ),
        (
            with("valid-after=\"20260101Z\",valid-after", "20260101Z"),
            Repeated("valid-after"),
        ),
    ]);
}

#[test]
fn principals_keys_and_lines_are_exact() {
    use SignersFault::{Control, Key, KeyType, LineTooLong, Pattern, Principals, Shape};
    let key = text(1);
    let base64 = key.split(' ').nth(1).unwrap();
    let short = &base64[..base64.len() - 1];
    let neutral = "AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let of_type = |key_type: &str| {
        (
            format!("a {OURS} {key_type} AAAA"),
            KeyType(key_type.into()),
        )
    };
    check_faults(&[
        ("a".into(), Shape),
        (format!("a {OURS}"), Shape),
        (format!("a {OURS} ssh-ed25519"), Shape),
        (format!("web-* {OURS} {key}"), Pattern("web-*".into())),
        (format!("a,b? {OURS} {key}"), Pattern("b?".into())),
        (format!("*,!a {OURS} {key}"), Pattern("*".into())),
        (format!("a, {OURS} {key}"), Principals),
        (format!("\"a\" {OURS} {key}"), Principals),
        (format!("a {OURS} {key}\r"), Control),
        ("\r".into(), Control),
        of_type("ssh-rsa"),
        of_type("ssh-ed25519-cert-v01@openssh.com"),
        (format!("a {OURS} ssh-ed25519 AAAA"), Key),
        (format!("a {OURS} ssh-ed25519 {base64}AAAA"), Key),
        (format!("a {OURS} ssh-ed25519 {short}"), Key),
        (format!("a {OURS} ssh-ed25519 {neutral}"), Key),
        (format!("# {}", "x".repeat(SIGNERS_LINE_MAX)), LineTooLong),
        ("\n".repeat(SIGNERS_FILE_MAX + 1), SignersFault::FileTooLong),
    ]);
    let third = AllowedSigners::parse("# one\n\nthree\n").unwrap_err();
    assert_eq!(third.line, 3);
}

#[test]
fn validity_is_in_whole_seconds_with_both_ends() {
    let key_text = text(1);
    let line = format!(
        "a valid-after=\"202601021030Z\",valid-before=\"20260102103059Z\",{OURS} {key_text}"
    );
    let signers = AllowedSigners::parse(&line).unwrap();
    for (time, trust) in [
        ("2026-01-02T10:29:59.999999Z", Trust::OutsideValidity),
        ("2026-01-02T10:30:00.000000Z", Trust::Trusted),
        ("2026-01-02T10:30:59.999999Z", Trust::Trusted),
        ("2026-01-02T10:31:00.000000Z", Trust::OutsideValidity),
    ] {
        assert_eq!(
            signers.trust(&agent("a"), key(1), at(time)),
            trust,
            "{time}"
        );
    }
}

#[test]
fn any_of_several_lines_may_vouch() {
    let (old, new) = (text(1), text(2));
    let signers = AllowedSigners::parse(&format!(
        "a {OURS},valid-before=\"20260101Z\" {old}\na {OURS},valid-after=\"20260101Z\" {new}\n\
         a {OURS},valid-after=\"20270101Z\" {old}\n"
    ))
    .unwrap();
    for (seed, time, trust) in [
        (1, "2025-06-01T00:00:00.000000Z", Trust::Trusted),
        (1, "2026-06-01T00:00:00.000000Z", Trust::OutsideValidity),
        (1, "2027-06-01T00:00:00.000000Z", Trust::Trusted),
        (2, "2025-06-01T00:00:00.000000Z", Trust::OutsideValidity),
        (2, "2026-06-01T00:00:00.000000Z", Trust::Trusted),
        (3, "2026-06-01T00:00:00.000000Z", Trust::OtherKey),
    ] {
        assert_eq!(
            signers.trust(&agent("a"), key(seed), at(time)),
            trust,
            "{seed} {time}"
        );
    }
}

#[test]
fn only_an_ed25519_key_gets_a_line() {
    let weak = ssh_key::public::Ed25519PublicKey([0; 32]);
    assert_eq!(
        line_for(&agent("a"), &PublicKey::from(weak)),
        Err(SignersFault::Key)
    );
}

#[test]
fn damaged_lines_never_vouch_for_another_key() {
    let mut damage = Damage::new();
    let line = format!("a,b {OURS},valid-after=\"20260101Z\" {}\n", text(1));
    let (mut refused, mut passed) = (0, 0);
    for _ in 0..5_000 {
        let bad = String::from_utf8_lossy(&damage.of(line.as_bytes())).into_owned();
        match AllowedSigners::parse(&bad) {
            Ok(signers) => {
                passed += 1;
                assert_ne!(signers.trust(&agent("a"), key(2), now()), Trust::Trusted);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        refused > 2_000 && passed > 50,
        "{refused} refused, {passed} passed"
    );
}
