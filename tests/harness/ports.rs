//! Free ports of this machine, for servers that must be told where to listen.

use crate::dice::Dice;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};

/// Below the ports that systems lend to outgoing connections: one of those could take the port of a
/// server that is down between kill and restart.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

/// Ports that are tried before there are none.
const TRIES: usize = 1000;

/// So many different ports of 127.0.0.1 that nobody listens on.
///
/// # Panics
/// When there are none.
pub(crate) fn free(count: usize) -> Vec<u16> {
    let mut dice = Dice::new(RandomState::new().hash_one("ports"));
    // All at once: none is found twice while its listener lives.
    let mut held = Vec::new();
    for _ in 0..TRIES {
        if held.len() == count {
            break;
        }
        let port = FIRST + u16::try_from(dice.below((LAST - FIRST).into())).expect("below u16");
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    assert_eq!(held.len(), count, "no free ports");
    held.into_iter().map(|(port, _)| port).collect()
}
