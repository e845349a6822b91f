//! `holdfast explain`: what a finding means, how grave it is, what may have caused it, what to do, and
//! how to see it without this program.

use crate::output;
use auditor::findings::{Explanation, explanation};
use clap::{Args, ValueEnum};
use host::exit;
use host::settings::nearest;
use ledger::finding::Code;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  holdfast explain                  every code, a line each
  holdfast explain SEQ_GAP
  holdfast explain seq_gap --format json | jq -r .act[]";

/// The arguments of `holdfast explain`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// A finding's code, in capitals or not; without one, all codes are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "text", value_name = "FORM")]
    format: ExplainFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExplainFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// All codes as a page of the documentation
    Markdown,
}

/// A code, explained; its JSON.
#[derive(Debug, Serialize)]
struct Explained {
    code: Code,
    meaning: &'static str,
    grave: Vec<Grave>,
    innocent: &'static [&'static str],
    hostile: &'static [&'static str],
    act: &'static [&'static str],
    by_hand: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct Grave {
    severity: &'static str,
    when: &'static str,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum ExplainError {
    #[error("{0:?} is no finding code, did you mean {1}? `holdfast explain` lists all")]
    Near(String, String),
    #[error("{0:?} is no finding code; `holdfast explain` lists all")]
    Unknown(String),
    #[error("cannot write the answer as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Runs the command; its exit code.
#[must_use]
pub(crate) fn run(args: &ExplainArgs) -> u8 {
    match answer(args) {
        Ok(text) => output::print(&text),
        Err(error) => {
            output::complain(&error);
            exit::USAGE
        }
    }
}

fn answer(args: &ExplainArgs) -> Result<String, ExplainError> {
    let code = args.code.as_deref().map(find).transpose()?;
    Ok(match (code, args.format) {
        (Some(code), ExplainFormat::Text) => text(code),
        (Some(code), ExplainFormat::Json) => serde_json::to_string_pretty(&explained(code))? + "\n",
        (Some(code), ExplainFormat::Markdown) => section(code),
        (None, ExplainFormat::Text) => list(),
        (None, ExplainFormat::Json) => {
            let all: Vec<_> = Code::ALL.iter().map(|code| explained(*code)).collect();
            serde_json::to_string_pretty(&all)? + "\n"
        }
        (None, ExplainFormat::Markdown) => markdown(),
    })
}

/// The code that was meant, whatever its capitals, with `-` or spaces for `_`.
fn find(given: &str) -> Result<Code, ExplainError> {
    let name = given.trim().to_ascii_uppercase().replace(['-', ' '], "_");
    name.parse().map_err(|_| {
        let all: BTreeSet<String> = Code::ALL.iter().map(ToString::to_string).collect();
        match nearest(&name, &all) {
            Some(near) => ExplainError::Near(given.into(), near),
            None => ExplainError::Unknown(given.into()),
        }
    })
}

fn explained(code: Code) -> Explained {
    let Explanation {
        grave,
        innocent,
        hostile,
        act,
        by_hand,
    } = explanation(code);
    let grave = grave.iter().map(|(severity, when)| Grave {
        severity: severity.as_str(),
        when,
    });
    Explained {
        code,
        meaning: code.meaning(),
        grave: grave.collect(),
        innocent,
        hostile,
        act,
        by_hand,
    }
}

fn list() -> String {
    let width = Code::ALL.iter().map(|code| code.as_str().len()).max();
    let width = width.unwrap_or_default();
    let row = |code: &Code| format!("{:width$}  {}\n", code.as_str(), code.meaning());
    Code::ALL.iter().map(row).collect()
}

/// Column after which a text continues in the next line.
const WRAP: usize = 96;

fn text(code: Code) -> String {
    let page = explained(code);
    let mut text = wrap(&format!("{code}: {}", page.meaning), "");
    let mut part = |title: &str, items: Vec<String>| {
        if !items.is_empty() {
            text.push_str(&format!("\n{title}\n"));
            text.extend(items.iter().map(|item| wrap(item, "  ")));
        }
    };
    let owned = |items: &[&str]| -> Vec<_> { items.iter().map(|item| (*item).into()).collect() };
    let grave = page.grave.iter();
    let grave = grave.map(|Grave { severity, when }| format!("{severity}: {when}"));
    part("How grave", grave.collect());
    part("What may be behind it, innocently", owned(page.innocent));
    part("What else may be behind it", owned(page.hostile));
    part("What to do", owned(page.act));
    text.push_str("\nBy hand\n");
    // Commands are to be copied, so they are not wrapped.
    text.extend(page.by_hand.iter().map(|command| format!("  {command}\n")));
    text
}

/// A list item, wrapped; what follows its first line is indented.
fn wrap(item: &str, indent: &str) -> String {
    let mut text = String::from(indent);
    let mut column = indent.len();
    if !indent.is_empty() {
        text.push_str("- ");
        column += 2;
    }
    for (number, word) in item.split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 && column + 1 + length > WRAP {
            let hang = if indent.is_empty() { "" } else { "  " };
            text.push_str(&format!("\n{indent}{hang}"));
            column = indent.len() + hang.len();
        } else if number > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
    text
}

/// docs/findings.md
fn markdown() -> String {
    let mut text = String::from(
        "# Findings\n\n\
         What `holdfast verify` may say, in the order of its checks. This page is what\n\
         `holdfast explain --format markdown` prints; a test compares them. Severities decide the exit code: any\n\
         critical 1, else any inconclusive 2, else any interference 4, else 0.\n",
    );
    text.extend(Code::ALL.iter().map(|code| section(*code)));
    text
}

fn section(code: Code) -> String {
    let page = explained(code);
    let mut text = format!("\n## {code}\n\n{}.\n", capital(page.meaning));
    let mut part = |title: &str, items: &[&str]| {
        if !items.is_empty() {
            let items: Vec<_> = items.iter().map(|item| format!("- {item}\n")).collect();
            text.push_str(&format!("\n{title}:\n\n{}", items.concat()));
        }
    };
    let grave = page.grave.iter();
    let grave = grave.map(|Grave { severity, when }| format!("**{severity}** {when}"));
    let grave: Vec<_> = grave.collect();
    part(
        "How grave",
        &grave.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    part("Perhaps innocently", page.innocent);
    part("Perhaps not", page.hostile);
    part("What to do", page.act);
    // A String takes whatever is written into it.
    let written = writeln!(text, "\nBy hand:\n");
    debug_assert!(written.is_ok());
    text.extend(
        page.by_hand
            .iter()
            .map(|command| format!("    {command}\n")),
    );
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_however_they_are_typed() {
        for given in ["SEQ_GAP", "seq_gap", "Seq-Gap", " seq gap "] {
            assert_eq!(find(given).unwrap(), Code::SeqGap);
        }
        let near = find("SEQGAP").unwrap_err().to_string();
        assert!(near.contains("did you mean SEQ_GAP?"), "{near}");
        assert!(matches!(find("x"), Err(ExplainError::Unknown(_))));
    }

    #[test]
    fn every_code_is_listed_and_explained_within_a_terminal() {
        let list = list();
        assert_eq!(list.lines().count(), Code::ALL.len());
        for code in Code::ALL {
            assert!(list.contains(code.meaning()));
            let text = text(*code);
            for part in [
                code.meaning().split(' ').next_back().unwrap_or_default(),
                "By hand",
                "What to do",
            ] {
                assert!(text.contains(part), "{text}");
            }
            let prose = text.split("By hand").next().unwrap_or_default();
            assert!(
                prose.lines().all(|line| line.chars().count() <= WRAP),
                "{text}"
            );
        }
    }

    #[test]
    fn the_documentation_is_what_the_command_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/findings.md");
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == markdown(),
            "write it again: holdfast explain --format markdown > docs/findings.md"
        );
    }
}
