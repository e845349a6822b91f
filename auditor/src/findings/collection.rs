//! Findings, kept in bounded memory: so many of each code and severity, the rest as a count. A
//! severity is never lost, so the verdict is the same however many findings there are.

use ledger::finding::{Code, Finding, Severity, Verdict};
use std::collections::BTreeMap;

/// Findings of one code and severity that are kept with their details.
pub(crate) const KEPT_MAX: usize = 250;

/// Longest key or text of a finding, in characters; the store's keys are at most 1024 bytes.
const TEXT_MAX: usize = 1100;

#[derive(Debug, Default)]
struct KeptFindings {
    list: Vec<Finding>,
    rest: u64,
}

/// All findings so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    kept: BTreeMap<(Severity, Code), KeptFindings>,
}

impl Findings {
    pub(crate) fn push(&mut self, mut finding: Finding) {
        let kept = self
            .kept
            .entry((finding.severity, finding.code))
            .or_default();
        if kept.list.len() >= KEPT_MAX {
            kept.rest += 1;
            return;
        }
        shorten(&mut finding.message);
        for text in [&mut finding.key, &mut finding.expected, &mut finding.got] {
            text.as_mut().into_iter().for_each(shorten);
        }
        kept.list.push(finding);
    }

    /// Everything of `other` too.
    pub(crate) fn append(&mut self, other: Self) {
        for ((severity, code), kept) in other.kept {
            kept.list.into_iter().for_each(|finding| self.push(finding));
            if kept.rest > 0 {
                self.kept.entry((severity, code)).or_default().rest += kept.rest;
            }
        }
    }

    /// Gives every finding of `code` another severity.
    pub(crate) fn regrade(&mut self, code: Code, severity: Severity) {
        let of_code = |(_, other): &(Severity, Code)| *other == code;
        let keys: Vec<_> = self.kept.keys().copied().filter(of_code).collect();
        for key in keys.into_iter().filter(|key| key.0 != severity) {
            let Some(kept) = self.kept.remove(&key) else {
                continue;
            };
            for finding in kept.list {
                self.push(Finding {
                    severity,
                    ..finding
                });
            }
            if kept.rest > 0 {
                self.kept.entry((severity, code)).or_default().rest += kept.rest;
            }
        }
    }

    pub(crate) fn has(&self, code: Code) -> bool {
        self.kept.keys().any(|(_, other)| *other == code)
    }

    pub(crate) fn verdict(&self) -> Verdict {
        Verdict::over(self.kept.keys().map(|(severity, _)| *severity))
    }

    /// Gravest first, then in the order of the checks; what was not kept is a finding that counts it.
    pub(crate) fn into_list(self) -> Vec<Finding> {
        let mut list = Vec::new();
        for ((severity, code), kept) in self.kept {
            list.extend(kept.list);
            if kept.rest > 0 {
                let message = format!("and {} more of these, not listed one by one", kept.rest);
                list.push(Finding::new(code, severity, message));
            }
        }
        list
    }
}

impl Extend<Finding> for Findings {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: Code, severity: Severity) -> Finding {
        Finding::new(code, severity, "x".repeat(5000))
    }

    #[test]
    fn what_is_not_kept_is_counted_and_still_decides() {
        let mut findings = Findings::default();
        for _ in 0..KEPT_MAX + 7 {
            findings.push(finding(Code::Orphan, Severity::Note));
        }
        assert_eq!(findings.verdict(), Verdict::Clean);
        let mut more = Findings::default();
        more.push(finding(Code::Orphan, Severity::Note));
        more.push(finding(Code::SigInvalid, Severity::Interference));
        findings.append(more);
        assert_eq!(findings.verdict(), Verdict::Interference);
        findings.regrade(Code::SigInvalid, Severity::Critical);
        assert_eq!(findings.verdict(), Verdict::Tampered);
        assert!(findings.has(Code::Orphan) && !findings.has(Code::Void));

        let list = findings.into_list();
        assert_eq!(list.len(), KEPT_MAX + 2);
        assert_eq!(list[0].code, Code::SigInvalid);
        assert_eq!(list[0].message.chars().count(), TEXT_MAX + 1);
        assert!(list[KEPT_MAX + 1].message.contains("8 more"));
    }
}
