//! Why one stream is held.

/// What holds a stream, for monitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldKind {
    /// A sealed batch is proven damaged, or asks for too long a retention: `.bad`.
    Bad,
    /// The store has another statement of the agent's key for the same place: `.conflict`.
    Conflict,
    /// Epochs name each other in a circle.
    Circle,
    /// A batch is not there although later ones are.
    Missing,
    /// The spool, or a batch in it, cannot be listed or read now.
    Unreadable,
    /// A receipt or a mark cannot be written.
    Unwritable,
    /// The store said that it locked, and did not.
    NotEnforced,
    /// The store or a rule refuses this batch; tried again.
    Refused,
}

impl HoldKind {
    /// The code of its reason.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Conflict => "conflict",
            Self::Circle => "circle",
            Self::Missing => "missing_batch",
            Self::Unreadable => "spool_unreadable",
            Self::Unwritable => "receipt_unwritable",
            Self::NotEnforced => "not_enforced",
            Self::Refused => "held",
        }
    }

    /// Whether evidence is damaged, or not protected: the exit code is 1 then.
    #[must_use]
    pub fn is_damage(self) -> bool {
        match self {
            Self::Bad | Self::Conflict | Self::Circle | Self::NotEnforced => true,
            Self::Missing | Self::Unreadable | Self::Unwritable | Self::Refused => false,
        }
    }
}

/// A stream is held: what by, and in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What by.
    pub kind: HoldKind,
    /// For people.
    pub why: String,
}

impl Hold {
    /// A hold.
    #[must_use]
    pub fn new(kind: HoldKind, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { kind, why }
    }
}
