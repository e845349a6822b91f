//! What Holdfast stores and what must hold of it: format 1 (docs/format.md is the spec).
//!
//! Agent, archiver and verifier share this one definition of right. It does no I/O, reads no clock
//! and draws no random number: all of these are arguments. `no_std` proves it.
//!
//! Reading order follows the data: a log line becomes an [`entry`], entries a [`tree`] and
//! [`block`]s, those a [`manifest`], whose [`signature`] and [`chain`] make it evidence under a
//! [`name`]; what an auditor says of it is a [`finding`].

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod block;
pub mod chain;
pub mod codec;
pub mod digest;
pub mod entry;
pub mod finding;
pub mod json;
pub mod limits;
pub mod manifest;
pub mod moment;
pub mod name;
pub mod receipt;
pub mod requests;
pub mod signature;
pub mod spool;
pub mod tree;

pub use digest::Digest;
pub use moment::Moment;

#[cfg(test)]
mod damage;
