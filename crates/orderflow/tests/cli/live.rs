use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Child;

use serde_json::Value;
use tempfile::TempDir;

use crate::call::{Call, orderflow};
use crate::until;

const TOKEN: &str = "a-token-of-20-signs!";

/// A run that goes on for as long as the test looks at it.
struct Running {
    child: Child,
    _folder: TempDir,
    address: String,
}

impl Running {
    fn start(call: Call) -> Self {
        let (mut child, folder) = call.start();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            Some(line.strip_prefix("live at http://")?.split(',').next()?.to_owned())
        });
        std::thread::spawn(move || lines.count()); // a full pipe holds nobody back
        Self { child, _folder: folder, address: address.unwrap() }
    }

    /// The status, the head and the body that come for a request.
    fn ask(&self, request: &str, headers: &str, body: &str) -> (u16, String, String) {
        let port = self.address.rsplit_once(':').unwrap().1;
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        let length = body.len();
        write!(stream, "{request} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
    }

    fn status(&self, request: &str, headers: &str) -> u16 {
        self.ask(request, headers, "").0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // one that has ended is not there to be killed
        let _ = self.child.wait();
    }
}

const LOCAL: &str = "Host: localhost\r\n";

#[test]
fn a_run_shows_itself_to_this_machine_alone() {
    let run = Running::start(orderflow("run --rate 20 --duration 2m --listen 127.0.0.1:0"));
    let (status, head, page) = run.ask("GET /", LOCAL, "");
    assert_eq!(status, 200);
    assert!(page.starts_with("<!doctype html>") && page.len() < 150_000, "{}", page.len());
    assert!(head.contains("content-security-policy: default-src 'none';"), "{head}");
    assert_eq!(run.status("GET /", "Host: evil.example\r\n"), 403);
    assert_eq!(run.status("GET /api/orders", "Host: evil.example\r\n"), 403);
    assert_eq!(run.status("GET /nowhere", LOCAL), 404);
    until("the services are at work", || {
        let (status, _, metrics) = run.ask("GET /metrics", "Host: evil.example\r\n", "");
        assert_eq!(status, 200);
        let handled =
            |line: &str| line.contains("service=\"payment_processor\"") && line.contains("status=\"handled\"");
        metrics.lines().any(|line| handled(line) && !line.ends_with(" 0"))
    });
    for health in ["live", "ready"] {
        assert_eq!(run.status(&format!("GET /health/{health}"), ""), 200);
    }

    let redrive =
        |headers: &str, body: &str| run.ask("POST /api/dead-letters/redrive", &format!("{LOCAL}{headers}"), body);
    let json = "Content-Type: application/json\r\n";
    let of_another = redrive(&format!("{json}Origin: http://evil.example\r\n"), "{\"place\":\"a-0@1\"}");
    assert_eq!((of_another.0, of_another.2.as_str()), (403, "another page may not do this\n"));
    assert_eq!(redrive("", "{\"place\":\"a-0@1\"}").0, 415, "a form of another page has no such content");
    let nowhere = redrive(json, "{\"place\":\"a-0@1\"}");
    assert!(nowhere.0 == 400 && nowhere.2.contains("a: no topic of dead letters; there are "), "{}", nowhere.2);
    let (status, _, told) = redrive(json, "{}");
    assert!(status == 422 && told.contains(r#"{\"place\": \"TOPIC-PARTITION@OFFSET\"}"#), "{told}");
    let (status, _, unknown) = run.ask("GET /api/orders/%3Cb%3E", LOCAL, "");
    let unknown: Value = serde_json::from_str(&unknown).unwrap();
    assert_eq!(status, 404, "{unknown}");
    assert!(unknown["error"].as_str().unwrap().starts_with("order <b>: nothing of it in the "), "{unknown}");
}

#[test]
fn elsewhere_it_wants_its_token_and_health_and_metrics_want_none() {
    let run = Running::start(orderflow("run --rate 20 --duration 2m --listen 0.0.0.0:0").env("ORDERFLOW_TOKEN", TOKEN));
    let (status, _, form) = run.ask("GET /", "Host: shop.example\r\n", "");
    assert!(status == 401 && form.contains("<form method=\"post\" action=\"/token\">"), "{form}");
    let bearer = |token: &str| run.status("GET /", &format!("Host: shop.example\r\nAuthorization: Bearer {token}\r\n"));
    assert_eq!((bearer(TOKEN), bearer("a-token-of-20-signs?")), (200, 401));
    let (_, _, told) = run.ask("GET /api/orders", "Host: shop.example\r\nAuthorization: Bearer wrong\r\n", "");
    assert_eq!(told, "That is not the token.\n");
    for open in ["/metrics", "/health/live", "/health/ready"] {
        assert_eq!(run.status(&format!("GET {open}"), "Host: shop.example\r\n"), 200, "{open}");
    }

    let form = "Host: shop.example\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let (status, head, body) = run.ask("POST /token", form, "token=wrong");
    assert!(status == 401 && body.contains("That is not the token.") && !head.contains("set-cookie"), "{head}");
    let (status, head, _) = run.ask("POST /token", form, &format!("token={}", TOKEN.replace('!', "%21")));
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(
        status == 303 && cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/") && !cookie.contains(TOKEN),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(run.status("GET /", &format!("Host: shop.example\r\nCookie: {cookie}\r\n")), 200);
    assert_eq!(run.status("GET /", "Host: shop.example\r\nCookie: orderflow_token=00\r\n"), 401);
}

#[test]
fn an_address_that_does_not_serve_is_refused_before_anything_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let check = |listen: &str, token: &str, reason: &str| {
        let ended = orderflow(&format!("run --orders 10 --listen {listen}")).env("ORDERFLOW_TOKEN", token).end();
        let ended = ended.with_status(2);
        assert!(ended.stderr.contains(reason) && ended.stdout.is_empty(), "{listen}: {}", ended.stderr);
    };
    let taken = taken.local_addr().unwrap().to_string();
    // The words for it are the C library's: musl has others than glibc.
    let refusal = TcpListener::bind(&taken).unwrap_err();
    check(&taken, "", &format!("error: --listen {taken}: {refusal}; choose another, or port 0"));
    check(
        "0.0.0.0:0",
        "",
        "elsewhere than on loopback the page wants a token: set ORDERFLOW_TOKEN to 16 characters or more",
    );
    check("127.0.0.1:0", "hunter2", "ORDERFLOW_TOKEN: found 7 characters, allowed 16 or more");
    check("nowhere", "", "allowed is HOST:PORT");
    check("127.0.0.1:0 --dry-run", "", "cannot be used with '--dry-run'");
}
