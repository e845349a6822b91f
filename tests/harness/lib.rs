//! What the end-to-end tests stand on: real S3 servers that they start, the real programs, and the
//! one check of the world that every scenario ends with.
//!
//! It knows the programs by their command lines and the archive by docs/format.md; it must not ask
//! the code under test what is right. Every wait has a limit, every failure shows the logs.

#![forbid(unsafe_code)]

pub mod account;
pub mod bucket;
pub mod cache;
pub mod compose;
pub mod dice;
pub mod front;
mod minio;
pub mod oracle;
mod ports;
pub mod process;
pub mod programs;
pub mod rights;
pub mod samples;
pub mod sandbox;
mod seaweedfs;
pub mod server;
pub mod site;
pub mod traced;
pub mod two_users;
pub mod unpack;
pub mod users;
pub mod wait;
pub mod world;
pub mod writer;

pub use bucket::Bucket;
pub use dice::Dice;
pub use front::Front;
pub use process::{Finished, Running};
pub use programs::Program;
pub use server::{Kind, Server};
pub use site::Site;
pub use wait::wait_for;
pub use writer::{Rotation, Writer};
