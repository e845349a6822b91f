//! `holdfast`: what operators and auditors run. All of it is in the library.

fn main() {}
