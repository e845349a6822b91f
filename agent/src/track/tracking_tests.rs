//! Real files, rotated in every way, followed and checked byte for byte.

mod alike;
mod desk;
mod equal_lines;
mod growth;
mod packed;
mod rotation;
mod rotation_model;
