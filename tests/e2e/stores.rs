//! One conformance suite on every store: what the `Store` trait promises, by capability.
