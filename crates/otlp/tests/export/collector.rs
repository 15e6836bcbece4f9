//! A collector of spans: an HTTP server that keeps what it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

/// Answers on any port that is free until it is dropped.
pub(crate) struct Collector {
    address: String,
    posted: Arc<Mutex<Vec<Posted>>>,
    is_dropped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Posted {
    /// The first line and the names and values behind it, in lower case.
    pub(crate) head: Vec<String>,
    pub(crate) body: Value,
    /// Whether it was answered with a status of success.
    is_taken: bool,
}

/// What it answers where it takes all.
pub(crate) const TAKEN: &str = "200 OK\r\n\r\n{}";

impl Collector {
    /// One that takes all.
    pub(crate) fn start() -> Self {
        Self::answering(|_| TAKEN.to_owned())
    }

    /// One that answers the first request (0), the second, ... with a status, headers behind it, and a body.
    pub(crate) fn answering(answer: impl Fn(usize) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (posted, is_dropped) = (Arc::<Mutex<Vec<Posted>>>::default(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (posted, is_dropped) = (Arc::clone(&posted), Arc::clone(&is_dropped));
            move || {
                for stream in listener.incoming() {
                    if is_dropped.load(Ordering::Acquire) {
                        return;
                    }
                    let mut stream = stream.unwrap();
                    let Some((head, body)) = read(&stream) else { continue };
                    let answer = answer(posted.lock().unwrap().len());
                    let is_taken = answer.starts_with('2');
                    posted.lock().unwrap().push(Posted { head, body, is_taken });
                    // Whoever is gone has no use for it.
                    let _ = stream.write_all(format!("HTTP/1.1 {}", with_length(&answer)).as_bytes());
                }
            }
        });
        Self { address, posted, is_dropped, thread: Some(thread) }
    }

    /// As the environment has it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    /// The spans that it has taken, each with its service's name.
    pub(crate) fn spans(&self) -> Vec<(String, Value)> {
        let taken = self.posted().into_iter().filter(|posted| posted.is_taken);
        taken.flat_map(|posted| spans(&posted.body)).collect()
    }
}

/// The spans of a request, each with its service's name.
fn spans(body: &Value) -> Vec<(String, Value)> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    let mut found = Vec::new();
    for of_service in list(&body["resourceSpans"]) {
        let name = attribute(&of_service["resource"], "service.name");
        for of_scope in list(&of_service["scopeSpans"]) {
            found.extend(list(&of_scope["spans"]).into_iter().map(|span| (name.clone(), span)));
        }
    }
    found
}

/// An attribute as text; nothing where there is none.
pub(crate) fn attribute(of: &Value, key: &str) -> String {
    let attributes = of["attributes"].as_array().unwrap();
    let value = attributes.iter().find(|attribute| attribute["key"] == key).map(|attribute| &attribute["value"]);
    let text = value.and_then(|value| value.as_object()?.values().next().cloned());
    text.map_or_else(String::new, |text| text.as_str().map_or_else(|| text.to_string(), str::to_owned))
}

fn read(stream: &TcpStream) -> Option<(Vec<String>, Value)> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_lowercase()),
        }
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: "))?.parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).unwrap()))
}

fn with_length(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    format!("{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::Release);
        let _ = TcpStream::connect(&self.address); // wakes it up
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
