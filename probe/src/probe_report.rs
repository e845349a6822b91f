//! What a probe found: JSON whose shape is a contract, and a table for people that says the same.

use super::answer::{Outcome, ProbeVerdict, RowAnswer};
use super::canary::Leftover;
use super::row::Row;
use host::terminal::{Style, escape};
use host::tool::Tool;
use ledger::Moment;
use ledger::finding::Severity;
use serde::Serialize;
use std::fmt::Write as _;

/// What a run of `holdfast probe` found, and what it comes to.
#[derive(Debug, Clone, Serialize)]
pub struct ProbeReport {
    /// Where.
    pub store: StoreProbed,
    /// All rows, in the order of [`Row::ALL`].
    pub rows: Vec<RowReport>,
    /// What they come to.
    pub verdict: ProbeVerdict,
    /// The exit code that goes with it.
    pub exit_code: u8,
    /// Canaries that these credentials could not clear away.
    pub left: Vec<Leftover>,
    /// When the last lock of those ends.
    pub left_until: Option<Moment>,
    /// What the store said to deleting the last of them.
    pub left_because: Option<String>,
    /// By what.
    pub tool: Tool,
    /// Our clock at the start.
    pub started: Moment,
    /// Our clock at the end.
    pub finished: Moment,
}

/// The store that was probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreProbed {
    /// Its URL.
    pub url: String,
    /// `enforced`, or `evidenced` where whoever owns the disk can lift a lock.
    pub locks: &'static str,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowReport {
    /// Which.
    pub row: Row,
    /// What it comes to.
    pub answer: RowAnswer,
    /// What the control showed; empty if there was none.
    pub control: String,
    /// What a store that keeps evidence does.
    pub expected: &'static str,
    /// What this one said, and what was seen.
    pub got: String,
}

impl From<Outcome> for RowReport {
    fn from(outcome: Outcome) -> Self {
        Self {
            row: outcome.row,
            answer: outcome.answer,
            control: outcome.control,
            expected: outcome.row.expected(),
            got: outcome.got,
        }
    }
}

impl RowReport {
    /// Its answer in words.
    #[must_use]
    pub fn answer_text(&self) -> &'static str {
        match self.answer {
            RowAnswer::Holds if self.row.is_refusal() => "refused by the lock",
            RowAnswer::Holds => "holds",
            RowAnswer::NotProven => "not proven",
            RowAnswer::NotEnforced => "LOCK NOT ENFORCED",
            RowAnswer::NotAsked => "not asked",
            RowAnswer::NotTried => "not tried",
        }
    }

    fn severity(&self) -> Severity {
        match self.answer {
            RowAnswer::NotEnforced => Severity::Critical,
            RowAnswer::NotProven | RowAnswer::NotAsked => Severity::Inconclusive,
            RowAnswer::Holds | RowAnswer::NotTried => Severity::Note,
        }
    }
}

impl ProbeReport {
    /// One JSON object and LF.
    ///
    /// # Errors
    /// None that this shape can have; serde's signature has one.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// For people: the table, then what it comes to and what to do.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let mut text = String::new();
        // A String takes whatever is written into it.
        let written = self.write(&mut text, style);
        debug_assert!(written.is_ok());
        text
    }

    fn write(&self, text: &mut String, style: Style) -> std::fmt::Result {
        let row_width = width(self.rows.iter().map(|row| row.row.title()));
        let answer_width = width(self.rows.iter().map(RowReport::answer_text));
        let indent = row_width + answer_width + 4;
        for row in &self.rows {
            let title = row.row.title();
            let answer = style.paint(
                row.severity(),
                &format!("{:<answer_width$}", row.answer_text()),
            );
            writeln!(text, "{title:<row_width$}  {answer}  {}", escape(&row.got))?;
            if !row.control.is_empty() {
                writeln!(text, "{:indent$}control: {}", "", escape(&row.control))?;
            }
        }
        let (severity, sentence) = self.sentence();
        writeln!(text, "\n{}", style.paint(severity, sentence.0))?;
        writeln!(text, "{}", sentence.1)?;
        if let Some(until) = self.left_until {
            let (count, url) = (self.left.len(), escape(&self.store.url));
            let because = self.left_because.as_deref().unwrap_or_default();
            writeln!(
                text,
                "\n{count} canaries stay under {url}/probe/, the last locked until {until}: {}\n\
                 a lifecycle rule may expire probe/: nothing else is ever there",
                escape(because)
            )?;
            for left in &self.left {
                let (key, version) = (escape(&left.key), escape(&left.version_id));
                writeln!(text, "  {key} {version}")?;
            }
        }
        let url = escape(&self.store.url);
        writeln!(text, "\nstore     {url}, locks {}", self.store.locks)?;
        writeln!(text, "time      {} to {}", self.started, self.finished)?;
        writeln!(text, "by        {} {}", self.tool.name, self.tool.version)
    }

    /// What it comes to, and what to do.
    fn sentence(&self) -> (Severity, (&'static str, &'static str)) {
        match self.verdict {
            ProbeVerdict::Holds => (
                Severity::Note,
                (
                    "HOLDS: this store keeps what it locks",
                    "Each refusal was the lock's: where none forbids it, the same credentials may do the same. \
                     Probe again\nafter an update of the server.",
                ),
            ),
            ProbeVerdict::NotEnforced if self.store.locks == "evidenced" => (
                Severity::Critical,
                (
                    "LOCK NOT ENFORCED: a directory only evidences",
                    "Whoever owns the disk can change what is on it, and an auditor sees that it was \
                     changed. For protection\nuse a bucket that enforces Object Lock, or a file system \
                     that enforces WORM.",
                ),
            ),
            ProbeVerdict::NotEnforced => (
                Severity::Critical,
                (
                    "LOCK NOT ENFORCED: this store does not keep what it locks",
                    "Archive to another server, another version of it, or a bucket made with: \
                     holdfast bucket create --store s3://NEW-BUCKET/… --retention 1d",
                ),
            ),
            ProbeVerdict::NotProven => (
                Severity::Inconclusive,
                (
                    "NOT PROVEN: no lock was broken, but not every refusal was the lock's",
                    "Probe once with credentials that may do all of this where no lock forbids it \
                     (docs/operations.md, Probe),\nor mend what kept a row from being asked.",
                ),
            ),
        }
    }
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(answer: RowAnswer, got: &str) -> ProbeReport {
        let outcome = Outcome::new(Row::Delete, answer, got).with_control(got);
        let verdict = ProbeVerdict::over([answer]);
        ProbeReport {
            store: StoreProbed {
                url: "s3://b/p".into(),
                locks: "enforced",
            },
            rows: vec![outcome.into()],
            verdict,
            exit_code: verdict.exit_code(),
            left: vec![Leftover {
                key: got.into(),
                version_id: got.into(),
            }],
            left_until: Some(Moment::from_micros(0)),
            left_because: Some(got.into()),
            tool: Tool::this(),
            started: Moment::from_micros(0),
            finished: Moment::from_micros(0),
        }
    }

    #[test]
    fn nothing_from_the_store_reaches_the_terminal_raw() {
        let hostile = "a\u{1b}]0;x\u{7}\u{202e}\n\u{9b}b";
        let text = report(RowAnswer::NotProven, hostile).text(Style::Plain);
        let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(text.chars().all(harmless), "{text:?}");
        assert_eq!(
            text.matches(r"a\u{1b}]0;x\u{7}\u{202e}\u{a}\u{9b}b")
                .count(),
            5
        );
    }

    #[test]
    fn the_table_is_aligned_and_ends_in_a_verdict() {
        for (answer, word, verdict) in [
            (RowAnswer::Holds, "refused by the lock", "HOLDS"),
            (RowAnswer::NotProven, "not proven", "NOT PROVEN"),
            (
                RowAnswer::NotEnforced,
                "LOCK NOT ENFORCED",
                "LOCK NOT ENFORCED",
            ),
            (RowAnswer::NotAsked, "not asked", "NOT PROVEN"),
        ] {
            let report = report(answer, "403");
            let text = report.text(Style::Plain);
            let head = format!("delete the version  {word}  403\n");
            assert!(text.starts_with(&head), "{text}");
            assert!(text.contains(&format!("\n{verdict}: ")), "{text}");
            let coloured = report.text(Style::Colour).contains("\x1b[");
            assert_eq!(coloured, answer != RowAnswer::Holds, "{answer:?}");
        }
    }

    #[test]
    fn json_has_the_contracts_fields() {
        let json = report(RowAnswer::NotEnforced, "gone").json().unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        for name in [
            "store",
            "verdict",
            "exit_code",
            "tool",
            "started",
            "finished",
            "left",
        ] {
            assert!(!value[name].is_null(), "{name}");
        }
        let row = serde_json::json!({
            "row": "delete", "answer": "gave_in", "control": "gone",
            "expected": "no; the version is there until its lock ends", "got": "gone",
        });
        assert_eq!(value["rows"][0], row);
    }
}
