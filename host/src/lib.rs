//! What both Holdfast programs ask of the machine: words, settings, durable files, locks, clocks, own log.
//!
//! It knows nothing of logs, batches or stores. The only place that reads a clock.

#![forbid(unsafe_code)]

pub mod cli;
pub mod clock;
pub mod disk;
pub mod exit;
pub mod folder;
pub mod hardening;
pub mod health;
pub mod lock;
pub mod logging;
pub mod progress;
pub mod sabotage;
pub mod settings;
pub mod terminal;
pub mod tool;
