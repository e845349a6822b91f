//! Text that a terminal can show whatever a store put into it, and its colours.

use ledger::finding::Severity;

/// Whether the text may have colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequence at all.
    Plain,
    /// For a terminal.
    Colour,
}

impl Style {
    /// Colour on a terminal alone.
    #[must_use]
    pub fn for_terminal(is_terminal: bool) -> Self {
        if is_terminal {
            Self::Colour
        } else {
            Self::Plain
        }
    }

    /// `text` in the colour of `severity`.
    #[must_use]
    pub fn paint(self, severity: Severity, text: &str) -> String {
        let colour = match (self, severity) {
            (Self::Plain, _) | (_, Severity::Note) => return text.to_string(),
            (_, Severity::Critical) => "31;1",
            (_, Severity::Inconclusive) => "33;1",
            (_, Severity::Interference) => "35;1",
        };
        format!("\x1b[{colour}m{text}\x1b[0m")
    }
}

/// Longest text of others that a message quotes, in characters.
pub const QUOTED_MAX: usize = 300;

/// Whether a character could move the cursor, begin a line or reorder what is shown.
#[must_use]
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Text of others as a message may quote it: escaped, and at most [`QUOTED_MAX`] characters of it.
#[must_use]
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => escape(&text[..end]) + "…",
        None => escape(text),
    }
}

/// Text of a store, made harmless for a terminal: controls and what reorders text are spelled out.
#[must_use]
pub fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = is_hostile(c).then(|| c.escape_unicode());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_quoted_harmless_and_short() {
        assert_eq!(
            quoted("a\u{1b}[2J\nb\u{202e}c"),
            "a\\u{1b}[2J\\u{a}b\\u{202e}c"
        );
        let long = "é".repeat(QUOTED_MAX);
        assert_eq!(quoted(&long), long);
        assert_eq!(quoted(&(long.clone() + "x")), long + "…");
    }
}
