//! What a program that holds keys gives up before it works: a dump of its memory would hold them.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

/// Ends core dumps of this process, piped ones included, and keeps its memory from others of the same account. Best
/// effort: what the system refuses is logged. For `main` alone, before any thread.
pub fn forbid_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: getrlimit(Resource::Core).maximum,
    };
    // The limit alone is passed over where the system pipes dumps to a program (core(5)).
    let forbidden = setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = forbidden {
        tracing::warn!(%error, "core dumps cannot be forbidden; one would hold the key");
    }
}

/// From now on neither this thread nor what it starts gets rights by a program's set-user-ID bit or capabilities
/// (prctl(2), `PR_SET_NO_NEW_PRIVS`). For `main` alone, before any thread.
pub fn forbid_new_privileges() {
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        tracing::warn!(%error, "new privileges cannot be forbidden");
    }
}
