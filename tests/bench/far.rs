//! A server as it is met from far away: what goes either way arrives half a round trip later, and a connection takes
//! a round trip to be made. Bytes are passed on as they are; bandwidth is not limited.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// There and back.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(30);

/// Bytes of one read, and reads that may be under way in one direction: together far more than the programs have.
const CHUNK: usize = 64 << 10;
const UNDER_WAY: usize = 1024;

/// A listening proxy. It ends with the process.
pub(crate) struct Far {
    address: SocketAddr,
}

impl Far {
    /// The way to the server at `endpoint` (`http://127.0.0.1:<port>`).
    ///
    /// # Panics
    /// When there is no free port or `endpoint` has none.
    pub(crate) fn before(endpoint: &str) -> Self {
        let (_, port) = endpoint.rsplit_once(':').expect("an endpoint has a port");
        let behind = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().expect("a port")));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // A broken connection is the client's to notice.
                connect(near, behind).ok();
            }
        });
        Self { address }
    }

    /// `http://127.0.0.1:<port>`
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn connect(near: TcpStream, behind: SocketAddr) -> std::io::Result<()> {
    // The client believes itself connected at once; what it says before the round trip is over is said then.
    let connected = Instant::now() + ROUND_TRIP;
    let server = TcpStream::connect(behind)?;
    for stream in [&near, &server] {
        stream.set_nodelay(true)?;
    }
    carry(near.try_clone()?, server.try_clone()?, connected);
    carry(server, near, connected);
    Ok(())
}

/// Carries one direction: one thread reads, another writes when it is time.
fn carry(mut from: TcpStream, to: TcpStream, connected: Instant) {
    let (sender, receiver) = sync_channel(UNDER_WAY);
    thread::spawn(move || read(&mut from, &sender, connected));
    thread::spawn(move || write(to, &receiver));
}

/// What was read, and when it arrives.
type Chunk = (Instant, Vec<u8>);

fn read(from: &mut TcpStream, chunks: &SyncSender<Chunk>, connected: Instant) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let arrives = Instant::now().max(connected) + ROUND_TRIP / 2;
        if chunks.send((arrives, buffer[..count].to_vec())).is_err() {
            return;
        }
    }
}

fn write(mut to: TcpStream, chunks: &Receiver<Chunk>) {
    for (arrives, bytes) in chunks {
        thread::sleep(arrives.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // The other side may have hung up first.
    to.shutdown(Shutdown::Write).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_takes_two_round_trips_then_one() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let endpoint = format!("http://{}", echo.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = echo.accept().unwrap();
            std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
        });
        let far = Far::before(&endpoint);
        let mut stream = TcpStream::connect(far.address).unwrap();
        for least in [2, 1] {
            let began = Instant::now();
            stream.write_all(b"ping").unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"ping");
            assert!(began.elapsed() >= ROUND_TRIP * least);
        }
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0; 4]).unwrap(), 0);
    }
}
