//! Real files, rotated in every way, followed and checked byte for byte.

mod desk;
mod growth;
mod packed;
mod rotation;
mod rotation_model;
