//! The exact requests that go out, and answers that a good server never gives.
