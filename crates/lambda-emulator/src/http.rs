//! A small HTTP/1.1 server: a thread a connection, an answer in one write. An answer may take its time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// What a request may hold unless its service says otherwise: Lambda's largest payload, and what surrounds it.
const MAX_BODY_BYTES: usize = 7 * 1024 * 1024;
const MAX_HEAD_BYTES: u64 = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// Connections at once; whoever comes then is turned away.
const MAX_CONNECTIONS: usize = 256;
/// How long the last answer of a connection may take to be taken.
const LAST_WRITE: Duration = Duration::from_secs(1);
/// How long it waits where the system gives it no connection: no descriptor is free.
const AFTER_ERROR: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// What stands behind the question mark; empty where there is none.
    pub(crate) query: String,
    /// Those before the body and, where it came in chunks, those behind it.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body was larger than it may be, and is not there.
    pub(crate) is_too_large: bool,
    connection: Option<Arc<TcpStream>>,
}

impl Request {
    /// The value of a header, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body, for JSON: an empty one is an object without fields.
    pub(crate) fn json(&self) -> &[u8] {
        if self.body.is_empty() { b"{}" } else { &self.body }
    }

    /// Whether it was sent to this machine by its own name or address. A page in a browser whose name was made to lead here has
    /// another.
    pub(crate) fn names_this_machine(&self) -> bool {
        let Some(host) = self.header("Host") else { return true };
        let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
        name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }

    /// Whether whoever asks still waits for the answer. It takes a millisecond where he does.
    pub(crate) fn is_awaited(&self) -> bool {
        let Some(connection) = &self.connection else { return true };
        let _ = connection.set_read_timeout(Some(Duration::from_millis(1)));
        let has_ended = matches!(connection.peek(&mut [0]), Ok(0));
        let _ = connection.set_read_timeout(None);
        !has_ended
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type", "application/json".into())], body: body.into() }
    }

    /// Metrics in the text of OpenMetrics.
    pub(crate) fn metrics(text: String) -> Self {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        Self { status: 200, headers: vec![("Content-Type", kind.into())], body: text.into_bytes() }
    }

    pub(crate) const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }
}

/// Answers requests; `None` ends the connection without an answer.
pub(crate) trait Service: Send + Sync + 'static {
    fn answer(&self, request: Request) -> Option<Response>;

    /// How large the body of such a request may be.
    fn max_body_bytes(&self, _method: &str, _path: &str) -> usize {
        MAX_BODY_BYTES
    }
}

/// Serves until it is dropped; then nothing of it runs any more.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Connections>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Connections(Mutex<Open>);

#[derive(Default)]
struct Open {
    is_stopping: bool,
    streams: Vec<(u64, TcpStream)>,
}

impl Server {
    pub(crate) fn start(address: SocketAddr, service: Arc<dyn Service>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Connections::default());
        let connections = Arc::clone(&shared);
        let accept = move || accept(&listener, &connections, &*service);
        let accepting = Builder::new().name("http".into()).spawn(accept)?;
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let streams = {
            let mut open = self.shared.lock();
            open.is_stopping = true;
            std::mem::take(&mut open.streams)
        };
        for (_, stream) in streams {
            // What is being answered is still told, to whoever takes it at once.
            let _ = stream.set_write_timeout(Some(LAST_WRITE));
            let _ = stream.shutdown(Shutdown::Read);
        }
        let _ = TcpStream::connect(self.address); // wakes who accepts
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends once it is told to and every connection has ended.
fn accept(listener: &TcpListener, connections: &Connections, service: &dyn Service) {
    std::thread::scope(|scope| {
        for (number, stream) in (0..).zip(listener.incoming()) {
            let twins = stream.and_then(|stream| Ok((stream.try_clone()?, stream)));
            let mut open = connections.lock();
            if open.is_stopping {
                return;
            }
            let Ok((twin, stream)) = twins else {
                drop(open);
                std::thread::sleep(AFTER_ERROR);
                continue;
            };
            if open.streams.len() == MAX_CONNECTIONS {
                continue;
            }
            open.streams.push((number, twin));
            drop(open);
            let forget = move || connections.lock().streams.retain(|(open, _)| *open != number);
            let work = move || {
                let _ = serve(stream, service); // a peer that goes away is no error of ours
                forget();
            };
            // Without a thread its connection ends at once; the next may find one.
            if Builder::new().name("http connection".into()).spawn_scoped(scope, work).is_err() {
                forget();
            }
        }
    });
}

fn serve(stream: TcpStream, service: &dyn Service) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let connection = Arc::new(stream.try_clone()?);
    let mut reader = BufReader::new(stream);
    while let Some((mut request, is_last)) = read_request(&mut reader, &mut writer, service)? {
        request.connection = Some(Arc::clone(&connection));
        let Some(response) = service.answer(request) else { break };
        write_response(&mut writer, &response, is_last)?;
        if is_last {
            break;
        }
    }
    writer.shutdown(Shutdown::Both)
}

fn write_response(writer: &mut impl Write, response: &Response, is_last: bool) -> io::Result<()> {
    let Response { status, headers, body } = response;
    let mut bytes = Vec::with_capacity(256 + body.len());
    let reason = if *status < 300 { "OK" } else { "Error" };
    write!(bytes, "HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\n", body.len())?;
    for (name, value) in headers {
        write!(bytes, "{name}: {}\r\n", value.replace(['\r', '\n'], " "))?;
    }
    bytes.extend_from_slice(if is_last { b"Connection: close\r\n\r\n" } else { b"\r\n" });
    bytes.extend_from_slice(body);
    writer.write_all(&bytes)
}

/// The next request of a connection, and whether it is the last. `None` at the end.
fn read_request(
    reader: &mut impl BufRead,
    writer: &mut impl Write,
    service: &dyn Service,
) -> io::Result<Option<(Request, bool)>> {
    let head = read_head(reader)?;
    if head.is_empty() {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(&head).map_err(|error| invalid(&error.to_string()))?;
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: parsed.headers.iter().map(owned).collect(),
        ..Request::default()
    };
    if request.header("Expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let most = service.max_body_bytes(&request.method, &request.path);
    let is_chunked = request.header("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let body = if is_chunked {
        read_chunks(reader, &mut request.headers, most)?
    } else {
        let length = request.header("Content-Length").map_or(Ok(0), str::parse);
        let length: u64 = length.map_err(|_| invalid("Content-Length"))?;
        read_bytes(reader, length, most)?
    };
    let is_last = request.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    request.is_too_large = body.is_none();
    request.body = body.unwrap_or_default();
    Ok(Some((request, is_last)))
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut limited = reader.take(MAX_HEAD_BYTES);
    loop {
        let before = head.len();
        if limited.read_until(b'\n', &mut head)? == 0 {
            return if head.is_empty() { Ok(head) } else { Err(invalid("the head ends early")) };
        }
        if matches!(&head[before..], b"\r\n" | b"\n") {
            return Ok(head);
        }
    }
}

/// Bytes of a body; `None` where they are too many. They are read in any case, so that the sender hears the answer.
fn read_bytes(reader: &mut impl BufRead, length: u64, most: usize) -> io::Result<Option<Vec<u8>>> {
    if length > most as u64 {
        io::copy(&mut reader.take(length), &mut io::sink())?;
        return Ok(None);
    }
    let mut bytes = vec![0; length as usize];
    reader.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

/// A body in chunks. What stands behind it goes to the headers: a streamed response that fails halfway says so there.
fn read_chunks(
    reader: &mut impl BufRead,
    headers: &mut Vec<(String, String)>,
    most: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut body = Some(Vec::new());
    loop {
        let mut line = String::new();
        reader.take(MAX_HEAD_BYTES).read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid("the size of a chunk"))?;
        if size == 0 {
            let trailers = read_head(reader)?;
            let mut parsed = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let (_, parsed) = match httparse::parse_headers(&trailers, &mut parsed) {
                Ok(httparse::Status::Complete(found)) => found,
                _ => return Err(invalid("the trailers")),
            };
            headers.extend(parsed.iter().map(owned));
            return Ok(body);
        }
        let before = body.as_ref().map_or(0, Vec::len);
        let chunk = read_bytes(reader, size, most - before)?;
        body = body.zip(chunk).map(|(mut body, chunk)| {
            body.extend(chunk);
            body
        });
        line.clear();
        reader.take(2).read_line(&mut line)?;
    }
}

fn owned(header: &httparse::Header<'_>) -> (String, String) {
    (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with what it was asked; never to `/silent`.
    struct Echo;

    impl Service for Echo {
        fn answer(&self, request: Request) -> Option<Response> {
            let Request { method, path, query, body, is_too_large, .. } = &request;
            let trailer = request.header("T").unwrap_or_default();
            let body = String::from_utf8_lossy(body);
            let text = format!("{method} {path} {body} {is_too_large}{query}{trailer}");
            (path != "/silent").then(|| Response::json(200, text))
        }
    }

    fn ask(bytes: &[u8]) -> String {
        let server = Server::start(([127, 0, 0, 1], 0).into(), Arc::new(Echo)).unwrap();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn bodies(bytes: &[u8]) -> Vec<String> {
        let answer = ask(bytes);
        answer.split("HTTP/1.1 ").skip(1).map(|one| one.split_once("\r\n\r\n").unwrap().1.to_owned()).collect()
    }

    #[test]
    fn this_machine_goes_by_localhost_and_its_loopback_addresses() {
        let names = |host: &str| {
            let headers = vec![("host".to_owned(), host.to_owned())];
            Request { headers, ..Request::default() }.names_this_machine()
        };
        for host in ["localhost", "LOCALHOST:9001", "127.0.0.1:9001", "127.3.2.1", "[::1]:9001", "[::1]"] {
            assert!(names(host), "{host}");
        }
        for host in ["", "evil.example:9001", "localhost.evil.example", "10.0.0.1:9001", "127.0.0.1.evil.example"] {
            assert!(!names(host), "{host}");
        }
        assert!(Request::default().names_this_machine(), "browsers always send one");
    }

    #[test]
    fn requests_of_one_connection_are_answered_one_after_the_other() {
        let requests =
            b"GET /a?b=c HTTP/1.1\r\n\r\nPOST /d HTTP/1.1\r\ncontent-length: 3\r\nConnection: close\r\n\r\nxyz";
        assert_eq!(bodies(requests), ["GET /a  falseb=c", "POST /d xyz false"]);
    }

    #[test]
    fn a_body_may_come_in_chunks_and_what_stands_behind_it_is_kept() {
        let request = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n";
        assert_eq!(bodies(request), ["POST / abcde falsev"]);
    }

    #[test]
    fn a_body_that_is_too_large_is_read_and_forgotten() {
        let mut request = b"POST / HTTP/1.1\r\nContent-Length: 8000000\r\nConnection: close\r\n\r\n".to_vec();
        request.resize(request.len() + 8_000_000, b'x');
        assert_eq!(bodies(&request), ["POST /  true"]);
    }

    #[test]
    fn what_is_no_request_ends_the_connection() {
        for bytes in
            [&b"nonsense\r\n\r\n"[..], b"GET /silent HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
        {
            assert_eq!(ask(bytes), "");
        }
    }
}
