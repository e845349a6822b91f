//! Which agents and streams are looked at, and the lists that hold them.

use ledger::name::Name;

/// What was asked for: everything, one agent, one stream of each agent, or one stream of one.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditScope {
    pub(crate) agent: Option<Name>,
    pub(crate) stream: Option<Name>,
}

impl AuditScope {
    pub(crate) fn holds(&self, agent: &Name, stream: &Name) -> bool {
        self.agent.as_ref().is_none_or(|only| only == agent)
            && self.stream.as_ref().is_none_or(|only| only == stream)
    }

    /// The shortest list with all manifests in scope.
    pub(crate) fn manifests(&self) -> String {
        match (&self.agent, &self.stream) {
            (Some(agent), Some(stream)) => format!("manifests/{agent}/{stream}/"),
            (Some(agent), None) => format!("manifests/{agent}/"),
            (None, _) => "manifests/".into(),
        }
    }

    /// The shortest list with all bodies in scope, and all that is foreign if nothing was left out.
    pub(crate) fn everything(&self) -> String {
        match (&self.agent, &self.stream) {
            (Some(agent), Some(stream)) => format!("entries/agent={agent}/stream={stream}/"),
            (Some(agent), None) => format!("entries/agent={agent}/"),
            (None, Some(_)) => "entries/".into(),
            (None, None) => String::new(),
        }
    }
}
