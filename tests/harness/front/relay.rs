//! HTTP/1.1 of a front, by hand: requests as they come, replies as the server behind gives them.

use super::{IDLE, Request};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// Longest body that is heard; our objects are far smaller.
const BODY_MAX: u64 = 64 * 1024 * 1024;

/// Most header lines of a request.
const HEADERS_MAX: usize = 200;

/// A request of which the head has come.
pub(super) struct Incoming<'a> {
    pub(super) request: Request,
    reader: BufReader<&'a TcpStream>,
    length: u64,
}

/// Hears a request's head.
pub(super) fn hear(stream: &TcpStream) -> io::Result<Incoming<'_>> {
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
    let request = Request {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = request.header("content-length").unwrap_or("0").parse();
    let length = length.ok().filter(|length| *length <= BODY_MAX);
    let length = length.ok_or_else(|| broken("content-length"))?;
    Ok(Incoming {
        request,
        reader,
        length,
    })
}

impl Incoming<'_> {
    /// Hears the body as well.
    pub(super) fn read_whole(&mut self) -> io::Result<()> {
        self.read(self.length)
    }

    /// Hears half of the body.
    pub(super) fn read_half(&mut self) -> io::Result<()> {
        self.read(self.length / 2)
    }

    fn read(&mut self, bytes: u64) -> io::Result<()> {
        if self.request.header("expect").is_some() {
            self.reader
                .get_mut()
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        self.reader
            .by_ref()
            .take(bytes)
            .read_to_end(&mut self.request.body)?;
        Ok(())
    }
}

/// Sends the request on as it came, but for the hop's own headers; the signed ones are untouched.
/// The whole reply.
pub(super) fn fetch(behind: SocketAddr, request: &Request) -> io::Result<Vec<u8>> {
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
    Ok(reply)
}

/// Sends a reply, byte by byte if there is a pause.
pub(super) fn tell(mut stream: &TcpStream, reply: &[u8], pause: Duration) -> io::Result<()> {
    if pause.is_zero() {
        stream.write_all(reply)?;
    } else {
        stream.set_nodelay(true)?;
        for byte in reply {
            thread::sleep(pause);
            stream.write_all(&[*byte])?;
        }
    }
    stream.shutdown(Shutdown::Both)
}

/// Waits until the client has gone.
pub(super) fn wait_for_end(mut stream: &TcpStream) -> io::Result<()> {
    stream.read(&mut [0]).map(drop)
}

/// Flips the lowest bit of one byte.
pub(super) fn flip(bytes: &mut [u8], at: u64) {
    let length = bytes.len().max(1) as u64;
    let at = usize::try_from(at % length).expect("an index");
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
}

/// Sends a reply of the front's own.
pub(super) fn reply(
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
