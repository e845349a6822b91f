//! Format 1's fixed examples, and the by-hand check of them with stock tools.
