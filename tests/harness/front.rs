//! A front before a server: it hears every request as it goes over the wire, and does with it as the test says:
//! passes it on, whole or damaged, replies itself, hangs up at any point, or loses the reply of what was served.
//!
//! Plain HTTP/1.1 by hand, so that nothing between the program and the test tidies a header up, and
//! so that tests build with the same features as the programs do.

mod relay;
mod resign;

use crate::wait::HANG_LIMIT;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub use resign::{Change, now_header};

/// How long a connection may be idle: longer than any test.
const IDLE: Duration = HANG_LIMIT;

/// How often a front that refuses connections looks whether it may listen again.
const LOOK: Duration = Duration::from_millis(10);

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Request {
    /// `PUT`
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, values as they came, in order.
    pub headers: Vec<(String, String)>,
    /// The body. It has not come yet when a judge is asked.
    pub body: Vec<u8>,
}

impl Request {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The server behind serves it.
    Pass,
    /// The server behind serves it, after a pause.
    PassAfter(Duration),
    /// The server behind serves it changed, signed again as root.
    PassAs(Change),
    /// The server behind serves it with one bit of its body flipped, of the byte with this number in a circle.
    FlipRequest(u64),
    /// The connection is reset before its body is read; nobody serves it.
    Reset,
    /// The connection is reset in the middle of its body; nobody serves it.
    ResetMidway,
    /// It is heard whole and the connection is closed; nobody serves it.
    HangUp,
    /// It is heard whole and nothing is ever said; nobody serves it.
    Stall,
    /// The server behind serves it, and the reply is lost.
    Lose,
    /// The connection is closed at once; the server behind serves it after a pause.
    LoseThenServe(Duration),
    /// The server behind serves it, and the reply ends in its middle.
    Truncate,
    /// The server behind serves it, and the reply comes byte by byte, with this pause before each.
    Drip(Duration),
    /// The server behind serves it, and one bit of the reply is flipped, of the byte with this number in a circle.
    FlipReply(u64),
    /// Nobody serves it; these bytes come back.
    Raw(Vec<u8>),
    /// The front replies itself: status, further headers, body.
    Reply(u16, Vec<(String, String)>, Vec<u8>),
}

type Judge = dyn Fn(&Request) -> Answer + Send + Sync;

/// A listening front. Dropped, it stops.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Request>>>,
    flags: Arc<Flags>,
}

/// What a front is told.
#[derive(Debug, Default)]
struct Flags {
    stopped: AtomicBool,
    refusing: AtomicBool,
}

impl Front {
    /// A front before the server at `endpoint` (`http://127.0.0.1:<port>`) that answers as `judge` says.
    ///
    /// # Panics
    /// When there is no free port or `endpoint` has none.
    #[must_use]
    pub fn before(
        endpoint: &str,
        judge: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let (_, port) = endpoint.rsplit_once(':').expect("an endpoint has a port");
        let behind = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().expect("a port")));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let front = Self {
            address,
            heard: Arc::default(),
            flags: Arc::default(),
        };
        let (heard, flags) = (Arc::clone(&front.heard), Arc::clone(&front.flags));
        let judge: Arc<Judge> = Arc::new(judge);
        thread::spawn(move || {
            listen(listener, &flags, &|stream| {
                let (heard, judge) = (Arc::clone(&heard), Arc::clone(&judge));
                // A broken connection is the client's to notice.
                thread::spawn(move || serve(&stream, behind, &heard, &*judge).ok());
            })
        });
        front
    }

    /// `http://127.0.0.1:<port>`
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests heard so far.
    #[must_use]
    pub fn heard(&self) -> Vec<Request> {
        lock(&self.heard).clone()
    }

    /// From now on connections are refused, as where nobody listens; or no longer.
    pub fn refuse(&self, refuse: bool) {
        self.flags.refusing.store(refuse, Ordering::SeqCst);
        self.wake();
    }

    /// Lets the listener see its flags; if that fails it does not listen.
    fn wake(&self) {
        TcpStream::connect(self.address).ok();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.flags.stopped.store(true, Ordering::SeqCst);
        self.wake();
    }
}

/// Takes connections until the front is stopped; none while it refuses them.
fn listen(listener: TcpListener, flags: &Flags, take: &dyn Fn(TcpStream)) {
    let address = listener.local_addr().expect("an address");
    let mut listener = Some(listener);
    while !flags.stopped.load(Ordering::SeqCst) {
        if flags.refusing.load(Ordering::SeqCst) {
            // Closed, the port refuses.
            listener = None;
            thread::sleep(LOOK);
            continue;
        }
        match &listener {
            Some(open) => {
                let taken = open.accept();
                let is_told = [&flags.stopped, &flags.refusing]
                    .iter()
                    .any(|flag| flag.load(Ordering::SeqCst));
                if let (Ok((stream, _)), false) = (taken, is_told) {
                    take(stream);
                }
            }
            // Somebody may be on the port for a moment.
            None => {
                listener = TcpListener::bind(address).ok();
                thread::sleep(LOOK);
            }
        }
    }
}

fn lock(heard: &Mutex<Vec<Request>>) -> MutexGuard<'_, Vec<Request>> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request a connection: the reply says that it closes.
fn serve(
    stream: &TcpStream,
    behind: SocketAddr,
    heard: &Mutex<Vec<Request>>,
    judge: &Judge,
) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let mut incoming = relay::hear(stream)?;
    let answer = judge(&incoming.request);
    match answer {
        // What is closed with bytes unread is reset.
        Answer::Reset => {
            lock(heard).push(incoming.request);
            return Ok(());
        }
        Answer::ResetMidway => {
            incoming.read_half()?;
            lock(heard).push(incoming.request);
            return Ok(());
        }
        _ => incoming.read_whole()?,
    }
    let request = incoming.request;
    lock(heard).push(request.clone());
    let fetch = |request: &Request| relay::fetch(behind, request);
    let tell = |reply: &[u8]| relay::tell(stream, reply, Duration::ZERO);
    match answer {
        Answer::Pass | Answer::Reset | Answer::ResetMidway => tell(&fetch(&request)?),
        Answer::PassAfter(pause) => {
            thread::sleep(pause);
            tell(&fetch(&request)?)
        }
        Answer::PassAs(change) => tell(&change.reply(fetch(&change.request(request))?)),
        Answer::FlipRequest(at) => {
            let mut request = request;
            relay::flip(&mut request.body, at);
            tell(&fetch(&request)?)
        }
        Answer::HangUp => stream.shutdown(Shutdown::Both),
        Answer::Stall => relay::wait_for_end(stream),
        Answer::Lose => {
            fetch(&request)?;
            stream.shutdown(Shutdown::Both)
        }
        Answer::LoseThenServe(pause) => {
            stream.shutdown(Shutdown::Both)?;
            thread::sleep(pause);
            fetch(&request).map(drop)
        }
        Answer::Truncate => {
            let reply = fetch(&request)?;
            tell(&reply[..reply.len() / 2])
        }
        Answer::Drip(pause) => relay::tell(stream, &fetch(&request)?, pause),
        Answer::FlipReply(at) => {
            let mut reply = fetch(&request)?;
            relay::flip(&mut reply, at);
            tell(&reply)
        }
        Answer::Raw(bytes) => tell(&bytes),
        Answer::Reply(status, headers, body) => {
            relay::reply(stream, &request, status, &headers, &body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::root;
    use crate::server::{Kind, Server, client};

    #[test]
    fn requests_pass_are_lost_or_answered_by_the_front() {
        let server = Server::shared(Kind::Minio);
        let bucket = server.locked_bucket("front");
        let judge = |request: &Request| match request.target.split('?').next() {
            Some("/front/lost") => Answer::Lose,
            Some("/front/slow") => Answer::Reply(503, Vec::new(), Vec::new()),
            Some("/front/gone") => Answer::HangUp,
            _ => Answer::Pass,
        };
        let front = Front::before(&server.endpoint(), judge);
        let client = client(&front.endpoint(), &root());
        let put = |key: &str| {
            let once = aws_sdk_s3::config::Builder::new()
                .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled());
            let request = client
                .put_object()
                .bucket("front")
                .key(key)
                .body(vec![7; 100_000].into());
            server
                .run(request.customize().config_override(once).send())
                .is_ok()
        };
        assert_eq!(
            [put("kept"), put("lost"), put("slow"), put("gone")],
            [true, false, false, false]
        );
        let mut stored: Vec<_> = bucket.versions("").into_iter().map(|v| v.key).collect();
        stored.sort();
        assert_eq!(stored, ["kept", "lost"]);
        assert_eq!(front.heard().len(), 4);
        assert_eq!(front.heard()[0].body, vec![7; 100_000]);
        assert!(front.heard()[0].header("authorization").is_some());
    }
}
