//! The report as text.

use super::AuditReport;
use host::cli::counted;
use host::terminal::{Style, escape};
use ledger::finding::{Code, Finding, Severity, Verdict};
use std::fmt::Write as _;

impl AuditReport {
    /// For people: the verdict first, then what was found, then over what.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let mut text = String::new();
        // A String takes whatever is written into it.
        let written = write_all(&mut text, self, style);
        debug_assert!(written.is_ok());
        text
    }
}

fn write_all(text: &mut String, report: &AuditReport, style: Style) -> std::fmt::Result {
    let (severity, sentence) = match report.verdict {
        Verdict::Clean => (
            Severity::Note,
            "CLEAN: all that is here is whole, signed and chained",
        ),
        Verdict::Tampered => (Severity::Critical, "TAMPERED OR INCOMPLETE"),
        Verdict::Inconclusive => (
            Severity::Inconclusive,
            "INCONCLUSIVE: not all could be judged",
        ),
        Verdict::Interference => (
            Severity::Interference,
            "INTERFERENCE: the data is intact, but someone interfered",
        ),
    };
    writeln!(text, "{}", style.paint(severity, sentence))?;
    if report.store.judged_as_copy {
        writeln!(
            text,
            "judged as a copy: content alone, neither locks nor lateness nor silence"
        )?;
    }
    let mut last: Option<(Severity, Code)> = None;
    for finding in &report.findings {
        let group = (finding.severity, finding.code);
        if last != Some(group) {
            let title = format!("{} {}", finding.severity.as_str(), finding.code);
            let title = style.paint(finding.severity, &title);
            writeln!(text, "\n{title}: {}", finding.code.meaning())?;
            last = Some(group);
        }
        write_finding(text, finding)?;
    }
    if let Some(finding) = report.findings.first() {
        writeln!(
            text,
            "\nwhat each of them means and what to do: holdfast explain {}",
            finding.code
        )?;
    }
    write_coverage(text, report)
}

fn write_finding(text: &mut String, finding: &Finding) -> std::fmt::Result {
    writeln!(text, "  - {}{}", place(finding), escape(&finding.message))?;
    let mut line = |name: &str, value: &Option<String>| match value {
        Some(value) => writeln!(text, "      {name:<9}{}", escape(value)),
        None => Ok(()),
    };
    line("object", &finding.key)?;
    line("version", &finding.version_id)?;
    line("expected", &finding.expected)?;
    line("got", &finding.got)?;
    line("by hand", &finding.by_hand)
}

/// `agent/stream/epoch/seq: `, as far as it is known.
fn place(finding: &Finding) -> String {
    let parts = [
        finding.agent.as_ref().map(ToString::to_string),
        finding.stream.as_ref().map(ToString::to_string),
        finding.epoch.map(|epoch| epoch.to_string()),
        finding.seq.map(|seq| seq.to_string()),
    ];
    let known: Vec<_> = parts.into_iter().flatten().collect();
    if known.is_empty() {
        String::new()
    } else {
        known.join("/") + ": "
    }
}

fn write_coverage(text: &mut String, report: &AuditReport) -> std::fmt::Result {
    let coverage = &report.coverage;
    writeln!(
        text,
        "\nlooked at {}, {}, {}, {}, {}, {}",
        counted(coverage.agents, "agent", "agents"),
        counted(coverage.streams, "stream", "streams"),
        counted(coverage.epochs, "epoch", "epochs"),
        counted(coverage.manifests, "manifest", "manifests"),
        counted(coverage.bodies, "body", "bodies"),
        counted(coverage.entries, "entry", "entries"),
    )?;
    writeln!(
        text,
        "          {} bytes of log in {} stored, {} stated as lost, {} locks read, {} versions listed",
        coverage.log_bytes,
        coverage.stored_bytes,
        coverage.gap_bytes,
        coverage.locks,
        coverage.versions
    )?;
    if let (Some(first), Some(last)) = (coverage.first, coverage.last) {
        writeln!(text, "          entries read from {first} to {last}")?;
    }
    if coverage.pending > 0 {
        writeln!(
            text,
            "          {} versions are newer than the start",
            coverage.pending
        )?;
    }
    let url = escape(&report.store.url);
    writeln!(text, "store     {url}, locks {}", report.store.locks)?;
    writeln!(text, "time      {} to {}", report.started, report.finished)?;
    writeln!(
        text,
        "by        {} {}, format {}",
        report.tool.name, report.tool.version, report.tool.format
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Coverage;
    use crate::report::StoreDescribed;
    use host::tool::Tool;
    use ledger::Moment;

    fn report(findings: Vec<Finding>) -> AuditReport {
        let verdict = Verdict::over(findings.iter().map(|finding| finding.severity));
        AuditReport {
            verdict,
            exit_code: verdict.exit_code(),
            findings,
            coverage: Coverage::default(),
            store: StoreDescribed {
                url: "file:///a".into(),
                judged_as_copy: false,
                locks: "evidenced",
                versions: false,
            },
            tool: Tool::this(),
            started: Moment::from_micros(0),
            finished: Moment::from_micros(0),
        }
    }

    #[test]
    fn the_verdict_comes_first_and_groups_have_a_meaning() {
        let gap = Finding::new(Code::SeqGap, Severity::Critical, "manifest 3 is missing");
        let text = report(vec![gap.clone(), gap]).text(Style::Plain);
        assert!(text.starts_with("TAMPERED"));
        assert_eq!(text.matches(Code::SeqGap.meaning()).count(), 1);
        assert_eq!(text.matches("- manifest 3 is missing").count(), 2);
        assert!(text.contains("holdfast explain SEQ_GAP"));
        let clean = report(vec![]).text(Style::Plain);
        assert!(clean.starts_with("CLEAN") && !clean.contains("explain"));
    }

    #[test]
    fn nothing_from_the_store_reaches_the_terminal_raw() {
        let hostile = "a\u{1b}]0;x\u{7}\u{202e}\n\u{9b}b";
        let finding = Finding::new(Code::ForeignObject, Severity::Interference, hostile)
            .on(hostile, hostile)
            .expected_got(hostile, hostile)
            .by_hand(hostile);
        let mut report = report(vec![finding]);
        report.store.url = hostile.into();
        let text = report.text(Style::Plain);
        let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(text.chars().all(harmless), "{text:?}");
        assert!(text.contains(r"a\u{1b}]0;x\u{7}\u{202e}\u{a}\u{9b}b"));
        assert!(report.text(Style::Colour).contains("\x1b[35;1m"));
    }

    #[test]
    fn json_has_the_contracts_fields() {
        let json = report(vec![]).json().unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        let mut expected = [
            "verdict",
            "exit_code",
            "findings",
            "coverage",
            "store",
            "tool",
            "started",
            "finished",
        ];
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}
