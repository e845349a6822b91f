//! .
pub mod store;
