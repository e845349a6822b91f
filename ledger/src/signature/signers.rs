//! Whose signatures count: an `allowed_signers` file (ssh-keygen(1), ALLOWED SIGNERS), read strictly.
//!
//! The file decides what an auditor believes, so nothing in it is guessed at: a line that ssh-keygen
//! might read in another way than we do is an error that names the line and what to write instead.

use super::{Key, NAMESPACE};
use crate::Moment;
use crate::limits::{SIGNERS_FILE_MAX, SIGNERS_LINE_MAX};
use crate::name::Name;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ssh_key::PublicKey;

/// A line that cannot be taken at its word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct SignersError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: SignersFault,
}

/// What can be wrong with a line, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignersFault {
    /// The file is over its bound.
    #[error("the file is over 1 MiB; keep the lines of the agents to be checked")]
    FileTooLong,
    /// The line is over its bound.
    #[error("the line is over 16 KiB; give each agent a line of its own")]
    LineTooLong,
    /// A carriage return or another control character.
    #[error("a control character in the line (CR LF line ends?); save the file with LF line ends")]
    Control,
    /// Fields are missing or in another order.
    #[error(
        "expected `<agent> namespaces=\"holdfast-manifest\" ssh-ed25519 <key>`, as `holdfast-agent init` prints it"
    )]
    Shape,
    /// An empty or quoted principal.
    #[error("principals are agents' names joined by commas, without quotes or empty ones")]
    Principals,
    /// A principal with a wildcard or a negation.
    #[error("principal {0:?} is a pattern; write each agent's exact name")]
    Pattern(String),
    /// The line would certify other keys.
    #[error("cert-authority is not supported; list each agent's own key")]
    CertAuthority,
    /// An option we do not know.
    #[error("unknown option {0:?}; known are namespaces, valid-after and valid-before")]
    UnknownOption(String),
    /// An option given twice.
    #[error("option {0} stands twice; keep one")]
    Repeated(&'static str),
    /// No namespace, or not ours.
    #[error("namespaces=\"holdfast-manifest\" is needed, so that the key counts for nothing else")]
    Namespace,
    /// A date ssh-keygen would read in local time, or none at all.
    #[error("{0:?} is not a UTC date like 20261122Z, 202611221030Z or 20261122103059Z")]
    Date(String),
    /// It ends before it begins.
    #[error("valid-before is not after valid-after")]
    Validity,
    /// Another type of key.
    #[error("key type {0:?}; manifests are signed with ssh-ed25519 alone")]
    KeyType(String),
    /// Not a key.
    #[error("the key is not an ssh-ed25519 public key; copy the whole line again")]
    Key,
}

/// What the file says of a key that signed for an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It may.
    Trusted,
    /// No line names the agent.
    UnknownAgent,
    /// Lines name the agent, none with this key.
    OtherKey,
    /// The agent's key, at a time for which it is not valid.
    OutsideValidity,
}

/// A parsed `allowed_signers` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigners {
    signers: Vec<Signer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signer {
    principals: Vec<String>,
    key: Key,
    validity: Validity,
}

/// Both ends count, in whole seconds, as ssh-keygen has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Validity {
    after: Option<Moment>,
    before: Option<Moment>,
}

impl AllowedSigners {
    /// Reads the file's text. Blank lines and lines from `#` on are passed over.
    ///
    /// # Errors
    /// The first line at fault.
    pub fn parse(text: &str) -> Result<Self, SignersError> {
        if text.len() > SIGNERS_FILE_MAX {
            let fault = SignersFault::FileTooLong;
            return Err(SignersError { line: 1, fault });
        }
        let mut signers = Vec::new();
        for (index, line) in text.split('\n').enumerate() {
            let line_number = index + 1;
            let at_line = |fault| SignersError {
                line: line_number,
                fault,
            };
            signers.extend(parse_line(line).map_err(at_line)?);
        }
        Ok(Self { signers })
    }

    /// Whether it trusts nobody at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    /// Whether any line names `agent`.
    #[must_use]
    pub fn names(&self, agent: &Name) -> bool {
        let mut principals = self.signers.iter().flat_map(|signer| &signer.principals);
        principals.any(|name| name == agent.as_str())
    }

    /// Whether `key` may sign for `agent` at a time: the store's LastModified, or `time.sealed` in a
    /// copy that has none.
    #[must_use]
    pub fn trust(&self, agent: &Name, key: Key, at: Moment) -> Trust {
        let names = |signer: &&Signer| signer.principals.iter().any(|name| name == agent.as_str());
        let mut lines = self.signers.iter().filter(names).peekable();
        if lines.peek().is_none() {
            return Trust::UnknownAgent;
        }
        let mut with_key = lines.filter(|signer| signer.key == key).peekable();
        if with_key.peek().is_none() {
            return Trust::OtherKey;
        }
        if with_key.any(|signer| signer.validity.holds(at)) {
            Trust::Trusted
        } else {
            Trust::OutsideValidity
        }
    }
}

impl Validity {
    fn holds(self, at: Moment) -> bool {
        let seconds = at.seconds();
        self.after.is_none_or(|after| after.seconds() <= seconds)
            && self.before.is_none_or(|before| seconds <= before.seconds())
    }
}

/// The line, without LF, that lets `key` sign for `agent` and do nothing else.
///
/// # Errors
/// The key is not one that signs manifests.
pub fn line_for(agent: &Name, key: &PublicKey) -> Result<String, SignersFault> {
    let fault = |_| SignersFault::Key;
    let mut bare = PublicKey::from(key.key_data().clone());
    bare.set_comment("");
    let text = bare.to_openssh().map_err(fault)?;
    let line = alloc::format!("{agent} namespaces=\"{NAMESPACE}\" {text}");
    parse_line(&line)?;
    Ok(line)
}

/// A signer, or nothing for a line that says nothing.
fn parse_line(line: &str) -> Result<Option<Signer>, SignersFault> {
    if line.len() > SIGNERS_LINE_MAX {
        return Err(SignersFault::LineTooLong);
    }
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err(SignersFault::Control);
    }
    let line = trim(line);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (principals, rest) = field(line).ok_or(SignersFault::Shape)?;
    let principals = parse_principals(principals)?;
    let (options, rest) = field(rest).ok_or(SignersFault::Shape)?;
    // What stands here is the key's type if there are no options at all.
    if options.starts_with("ssh-") || options.starts_with("ecdsa-") || options.starts_with("sk-") {
        return Err(SignersFault::Namespace);
    }
    let validity = parse_options(options)?;
    let (key_type, rest) = field(rest).ok_or(SignersFault::Shape)?;
    if key_type != "ssh-ed25519" {
        return Err(SignersFault::KeyType(key_type.to_string()));
    }
    let (key, _comment) = field(rest).ok_or(SignersFault::Shape)?;
    let key = parse_key(key)?;
    Ok(Some(Signer {
        principals,
        key,
        validity,
    }))
}

fn trim(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The text up to a space or tab outside double quotes, and what follows it.
fn field(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        !quoted && (c == ' ' || c == '\t')
    });
    let (field, rest) = text.split_at(end.unwrap_or(text.len()));
    (!field.is_empty() && !quoted).then(|| (field, trim(rest)))
}

fn parse_principals(field: &str) -> Result<Vec<String>, SignersFault> {
    let exact = |name: &str| {
        if name.is_empty() || name.contains(['"', '\'', '\\']) {
            Err(SignersFault::Principals)
        } else if is_pattern(name) {
            Err(SignersFault::Pattern(name.to_string()))
        } else {
            Ok(name.to_string())
        }
    };
    field.split(',').map(exact).collect()
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '!'])
}

fn parse_options(mut rest: &str) -> Result<Validity, SignersFault> {
    let mut validity = Validity::default();
    let mut namespaces = None;
    loop {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (name, value) = rest.split_at(end);
        if name == "cert-authority" {
            return Err(SignersFault::CertAuthority);
        }
        let value = value.strip_prefix("=\"").and_then(|v| v.split_once('"'));
        let fresh = match (name, value) {
            ("namespaces", Some((list, _))) => namespaces.replace(list).is_none(),
            ("valid-after", Some((date, _))) => validity.after.replace(parse_date(date)?).is_none(),
            ("valid-before", Some((date, _))) => {
                validity.before.replace(parse_date(date)?).is_none()
            }
            _ => return Err(SignersFault::UnknownOption(name.to_string())),
        };
        if !fresh {
            return Err(SignersFault::Repeated(known(name)));
        }
        let after = value.map_or("", |(_, after)| after);
        if after.is_empty() {
            break;
        }
        rest = after.strip_prefix(',').ok_or(SignersFault::Shape)?;
    }
    // ssh-keygen reads the list as patterns, so one with any could mean something else to it.
    let ours = |list: &str| !is_pattern(list) && list.split(',').any(|one| one == NAMESPACE);
    if !namespaces.is_some_and(ours) {
        return Err(SignersFault::Namespace);
    }
    match validity {
        Validity {
            after: Some(after),
            before: Some(before),
        } if before <= after => Err(SignersFault::Validity),
        _ => Ok(validity),
    }
}

fn known(name: &str) -> &'static str {
    match name {
        "valid-after" => "valid-after",
        "valid-before" => "valid-before",
        _ => "namespaces",
    }
}

/// `YYYYMMDD[HHMM[SS]]Z`. Without the Z ssh-keygen takes it in the reader's own time zone, and two
/// auditors would judge one signature differently.
fn parse_date(text: &str) -> Result<Moment, SignersFault> {
    let fault = || SignersFault::Date(text.to_string());
    let digits = text.strip_suffix('Z').ok_or_else(fault)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault());
    }
    let padded = match digits.len() {
        8 => alloc::format!("{digits}000000"),
        12 => alloc::format!("{digits}00"),
        14 => digits.to_string(),
        _ => return Err(fault()),
    };
    let (day, time) = padded.split_at(8);
    let rfc3339 = alloc::format!(
        "{}-{}-{}T{}:{}:{}.000000Z",
        &day[..4],
        &day[4..6],
        &day[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    rfc3339.parse().map_err(|_| fault())
}

fn parse_key(text: &str) -> Result<Key, SignersFault> {
    let text = alloc::format!("ssh-ed25519 {text}");
    let public = PublicKey::from_openssh(&text).map_err(|_| SignersFault::Key)?;
    // One spelling only: what encodes back to the same text.
    let same = public.to_openssh().is_ok_and(|again| again == text);
    let key = Key::of(&public).filter(|key| same && key.is_sound());
    key.ok_or(SignersFault::Key)
}

#[cfg(test)]
mod tests;
