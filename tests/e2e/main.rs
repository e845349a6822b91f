//! End to end: the real programs on real files, against a real MinIO. The list says what belongs where.

mod stores; // one conformance suite on every store: what the Store trait promises, by capability
mod vectors; // format 1's fixed examples, and the by-hand check, with stock tools
mod verify; // what an auditor is told: tampering, silence, copies, exit codes
mod wire; // the exact requests that go out, and answers that a good server never gives
