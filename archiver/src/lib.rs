//! .
pub mod retry;
pub mod spool;
pub mod store;
