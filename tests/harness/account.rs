//! Accounts of a store: a name and its secret.

/// A name and its secret.
#[derive(Debug, Clone)]
pub struct Account {
    /// `AWS_ACCESS_KEY_ID`
    pub key: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret: String,
}

/// The servers' own account.
#[must_use]
pub fn root() -> Account {
    Account {
        key: "holdfast-root".into(),
        secret: "holdfast-root-secret".into(),
    }
}
