//! What an auditor is told of tampering, silence and copies, with which exit code.
//!
//! Archives are drawn up here by format 1's own vocabulary and a throwaway key, so that each can be
//! wrong in exactly one way. Every case has a clean twin: the same archive without the fault.

mod bucket; // versions, delete markers and locks, on a real server
mod content; // what is wrong in a body or a manifest
mod copies; // copies on disk, whole and torn
mod disk; // locks, silence, expiry and foreign objects on the embedded store
mod draft; // drawing up archives
mod epochs; // what is wrong between epochs and streams
mod judged; // judging them
mod manifest_chain; // what is wrong between manifests
mod written_rules; // rules that only a forger with the key breaks
