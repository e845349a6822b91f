//! A front before a server: it hears every request as it goes over the wire, and answers as the
//! test says: passes it on, replies itself, hangs up, or loses the reply of a request that was served.
//!
//! Plain HTTP/1.1 by hand, so that nothing between the program and the test tidies a header up, and
//! so that tests build with the same features as the programs do.

use crate::wait::HANG_LIMIT;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Longest body that is heard; our objects are far smaller.
const BODY_MAX: u64 = 64 * 1024 * 1024;

/// Most header lines of a request.
const HEADERS_MAX: usize = 200;

/// How long a connection may be idle: longer than any test.
const IDLE: Duration = HANG_LIMIT;

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Request {
    /// `PUT`
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, values as they came, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
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
    /// The server behind serves it, and the reply is lost.
    Lose,
    /// The connection is closed; nobody serves it.
    HangUp,
    /// The front replies itself: status, further headers, body.
    Reply(u16, Vec<(String, String)>, Vec<u8>),
}

type Judge = dyn Fn(&Request) -> Answer + Send + Sync;

/// A listening front. Dropped, it stops.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Request>>>,
    stopped: Arc<AtomicBool>,
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
        let (heard, stopped) = (
            Arc::<Mutex<Vec<Request>>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let front = Self {
            address,
            heard: Arc::clone(&heard),
            stopped: Arc::clone(&stopped),
        };
        let judge: Arc<Judge> = Arc::new(judge);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (heard, judge) = (Arc::clone(&heard), Arc::clone(&judge));
                // A broken connection is the client's to notice.
                thread::spawn(move || serve(&stream, behind, &heard, &*judge).ok());
            }
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
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener so that it sees the flag; if that fails it has ended already.
        TcpStream::connect(self.address).ok();
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
    let request = hear(stream)?;
    lock(heard).push(request.clone());
    match judge(&request) {
        Answer::Pass => pass(stream, behind, &request, true),
        Answer::PassAfter(pause) => {
            thread::sleep(pause);
            pass(stream, behind, &request, true)
        }
        Answer::Lose => pass(stream, behind, &request, false),
        Answer::HangUp => stream.shutdown(Shutdown::Both),
        Answer::Reply(status, headers, body) => reply(stream, &request, status, &headers, &body),
    }
}

fn hear(stream: &TcpStream) -> io::Result<Request> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(broken("no request line"));
    };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("no colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        if headers.len() > HEADERS_MAX {
            return Err(broken("too many headers"));
        }
    }
    let mut request = Request {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    if request.header("expect").is_some() {
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = request
        .header("content-length")
        .unwrap_or("0")
        .parse::<u64>();
    let length = length.ok().filter(|length| *length <= BODY_MAX);
    let length = length.ok_or_else(|| broken("content-length"))?;
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    request.body = body;
    Ok(request)
}

/// Sends the request on as it came, but for the hop's own headers; the signed ones are untouched.
fn pass(stream: &TcpStream, behind: SocketAddr, request: &Request, tell: bool) -> io::Result<()> {
    let mut server = TcpStream::connect(behind)?;
    server.set_read_timeout(Some(IDLE))?;
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        if name != "connection" && name != "expect" {
            head += &format!("{name}: {value}\r\n");
        }
    }
    head += "connection: close\r\n\r\n";
    server.write_all(head.as_bytes())?;
    server.write_all(&request.body)?;
    let mut reply = Vec::new();
    server.take(BODY_MAX).read_to_end(&mut reply)?;
    if tell {
        let mut stream = stream;
        stream.write_all(&reply)?;
    }
    stream.shutdown(Shutdown::Both)
}

fn reply(
    mut stream: &TcpStream,
    request: &Request,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} front\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(body)?;
    }
    stream.shutdown(Shutdown::Write)
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
