//! Attacks by the neighbours: whoever took over an account that shares a log folder, a spool or a bucket with Holdfast.
//! docs/SECURITY.md names the test of each row.

mod application; // writes the logs, and owns the folders they are in
mod archiver; // reads the spool, writes receipts and marks
mod dumps; // reads the memory of a program that ended or runs
mod environment; // chooses proxy and endpoint
