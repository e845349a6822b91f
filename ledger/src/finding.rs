//! What an auditor says of an archive: findings, how grave each is, and the verdict they add up to.
//!
//! The list of codes is closed and each has one line that says what it means; how an archive is
//! searched for them is the verifier's.

mod code;

use crate::name::{Epoch, Name, Slot};
use alloc::string::String;
use serde::Serialize;

pub use code::{Code, UnknownCode};

/// How grave a finding is, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The evidence is changed or not whole.
    Critical,
    /// It could not be judged.
    Inconclusive,
    /// The evidence is whole, yet someone interfered.
    Interference,
    /// Worth knowing, nothing wrong.
    Note,
}

impl Severity {
    /// All of them, gravest first.
    pub const ALL: [Self; 4] = [
        Self::Critical,
        Self::Inconclusive,
        Self::Interference,
        Self::Note,
    ];

    /// The word a report uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Inconclusive => "inconclusive",
            Self::Interference => "interference",
            Self::Note => "note",
        }
    }
}

/// One thing found. Its JSON is part of the contract: every field is there, null where it does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub code: Code,
    /// How grave.
    pub severity: Severity,
    /// The agent it concerns.
    pub agent: Option<Name>,
    /// The stream it concerns.
    pub stream: Option<Name>,
    /// The epoch it concerns.
    pub epoch: Option<Epoch>,
    /// The manifest it concerns, or the first of several.
    pub seq: Option<u64>,
    /// The object's full key in the store.
    pub key: Option<String>,
    /// The object's version.
    pub version_id: Option<String>,
    /// What should be there.
    pub expected: Option<String>,
    /// What is there.
    pub got: Option<String>,
    /// The same in a sentence.
    pub message: String,
    /// Commands that show it without this program.
    pub by_hand: Option<String>,
}

impl Finding {
    /// A finding that concerns no place yet.
    #[must_use]
    pub fn new(code: Code, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            agent: None,
            stream: None,
            epoch: None,
            seq: None,
            key: None,
            version_id: None,
            expected: None,
            got: None,
            message: message.into(),
            by_hand: None,
        }
    }

    /// The same about a stream.
    #[must_use]
    pub fn in_stream(self, agent: &Name, stream: &Name) -> Self {
        Self {
            agent: Some(agent.clone()),
            stream: Some(stream.clone()),
            ..self
        }
    }

    /// The same about an epoch as a whole.
    #[must_use]
    pub fn in_epoch(self, agent: &Name, stream: &Name, epoch: Epoch) -> Self {
        Self {
            epoch: Some(epoch),
            ..self.in_stream(agent, stream)
        }
    }

    /// The same about one manifest.
    #[must_use]
    pub fn at(self, slot: &Slot) -> Self {
        Self {
            seq: Some(slot.seq),
            ..self.in_epoch(&slot.agent, &slot.stream, slot.epoch)
        }
    }

    /// The same about one object; an empty version is left out.
    #[must_use]
    pub fn on(self, key: impl Into<String>, version_id: &str) -> Self {
        Self {
            key: Some(key.into()),
            version_id: (!version_id.is_empty()).then(|| version_id.into()),
            ..self
        }
    }

    /// The same with what should be there and what is.
    #[must_use]
    pub fn expected_got(self, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self {
            expected: Some(expected.into()),
            got: Some(got.into()),
            ..self
        }
    }

    /// The same with the commands that show it.
    #[must_use]
    pub fn by_hand(self, commands: impl Into<String>) -> Self {
        Self {
            by_hand: Some(commands.into()),
            ..self
        }
    }
}

/// What all findings together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All that was to be judged was judged and holds.
    Clean,
    /// Tampered or incomplete.
    Tampered,
    /// Not all could be judged, and what could holds.
    Inconclusive,
    /// The evidence is whole, yet someone interfered.
    Interference,
}

impl Verdict {
    /// The verdict over `findings`: any critical, else any inconclusive, else any interference.
    ///
    /// Whether anything was there to judge is a finding too ([`Code::NothingFound`]).
    #[must_use]
    pub fn over(severities: impl IntoIterator<Item = Severity>) -> Self {
        match severities.into_iter().min() {
            Some(Severity::Critical) => Self::Tampered,
            Some(Severity::Inconclusive) => Self::Inconclusive,
            Some(Severity::Interference) => Self::Interference,
            Some(Severity::Note) | None => Self::Clean,
        }
    }

    /// The exit code of a command that ends with this verdict.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Tampered => 1,
            Self::Inconclusive => 2,
            Self::Interference => 4,
        }
    }

    /// The word a report uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Tampered => "tampered",
            Self::Inconclusive => "inconclusive",
            Self::Interference => "interference",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn the_gravest_finding_decides() {
        use Severity::{Critical, Inconclusive, Interference, Note};
        for (severities, verdict, exit_code) in [
            (vec![], Verdict::Clean, 0),
            (vec![Note, Note], Verdict::Clean, 0),
            (vec![Note, Interference], Verdict::Interference, 4),
            (vec![Interference, Inconclusive], Verdict::Inconclusive, 2),
            (
                vec![Inconclusive, Critical, Interference],
                Verdict::Tampered,
                1,
            ),
        ] {
            let got = Verdict::over(severities.iter().copied());
            assert_eq!(
                (got, got.exit_code()),
                (verdict, exit_code),
                "{severities:?}"
            );
        }
    }

    #[test]
    fn json_has_every_field_in_the_contracts_order() {
        let finding = Finding::new(Code::SeqGap, Severity::Critical, "two are gone")
            .on("p/manifests/a", "")
            .expected_got("3", "5");
        let json = serde_json::to_string(&finding).unwrap();
        let expected = r#"{"code":"SEQ_GAP","severity":"critical","agent":null,"stream":null,"epoch":null,"seq":null,"key":"p/manifests/a","version_id":null,"expected":"3","got":"5","message":"two are gone","by_hand":null}"#;
        assert_eq!(json, expected);
    }
}
