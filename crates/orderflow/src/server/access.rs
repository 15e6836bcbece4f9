use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use crate::Error;

/// The variable that a token stands in: on a command line everybody on the machine would see it.
pub(super) const TOKEN: &str = "ORDERFLOW_TOKEN";

/// A shorter one can be guessed.
const SHORTEST: usize = 16;

/// How long who has guessed wrong waits for the answer.
const WRONG_WAIT: Duration = Duration::from_millis(500);

const COOKIE: &str = "orderflow_token";

pub(super) const NO_TOKEN: &str = "elsewhere than on loopback the page wants a token: set ORDERFLOW_TOKEN to 16 characters or more, such as those of `openssl rand -hex 16`";

/// Nothing is loaded, nothing runs; the form goes to us.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";

/// Who may see the page, and redrive what it shows.
#[derive(Debug)]
pub(super) enum Access {
    /// Whoever is on this machine.
    Loopback,
    /// Whoever knows it.
    Token(Token),
    Nobody,
}

/// What somebody must know.
pub(super) struct Token {
    text: String,
    /// What a browser keeps in its place, so that the token itself is not in its files.
    cookie: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Access {
    /// To a page at this address, with the token that stands in the environment.
    ///
    /// # Errors
    /// Where that can be guessed.
    pub(super) fn of(address: SocketAddr, token: Option<String>) -> Result<Self, Error> {
        let is_empty = token.as_ref().is_none_or(String::is_empty);
        match token {
            _ if is_empty && address.ip().is_loopback() => Ok(Self::Loopback),
            Some(token) if !is_empty => Ok(Self::Token(Token::new(token)?)),
            _ => Ok(Self::Nobody),
        }
    }
}

impl Token {
    fn new(text: String) -> Result<Self, Error> {
        let length = text.chars().count();
        if length < SHORTEST {
            return Err(Error::Usage(format!(
                "{TOKEN}: found {length} characters, allowed {SHORTEST} or more; `openssl rand -hex 16` draws them"
            )));
        }
        // A header holds nothing else, and of a form the blanks around it are cut off.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Usage(format!(
                "{TOKEN}: it has a blank, a line's end or a sign that is not of ASCII; `openssl rand -hex 16` draws one without"
            )));
        }
        let hash = digest(&SHA256, text.as_bytes());
        let cookie = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { text, cookie })
    }

    /// Whether a browser or a program brings it along.
    fn is_brought(&self, headers: &HeaderMap) -> bool {
        let texts = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let bearer = |text: &str| text.strip_prefix("Bearer ").is_some_and(|token| is_same(token, &self.text));
        let cookie = |text: &str| {
            let mut pairs = text.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs.any(|(name, value)| name == COOKIE && is_same(value, &self.cookie))
        };
        texts(header::AUTHORIZATION).any(bearer) || texts(header::COOKIE).any(cookie)
    }
}

/// Whether two secrets are one. Of the time that it takes nobody learns how much of a guess was right.
fn is_same(one: &str, other: &str) -> bool {
    digest(&SHA256, one.as_bytes()).as_ref() == digest(&SHA256, other.as_bytes()).as_ref()
}

/// Lets through who may see the page.
pub(super) async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    match &*access {
        Access::Nobody => return (StatusCode::FORBIDDEN, format!("{NO_TOKEN}\n")).into_response(),
        // Another name for this machine may be a page of somebody else, whose name leads here by now (DNS rebinding).
        Access::Loopback if !is_of_this_machine(headers) => {
            let told = "without a token this page is at localhost alone: ask for it by that name\n";
            return (StatusCode::FORBIDDEN, told).into_response();
        }
        Access::Token(token) if !token.is_brought(headers) => {
            if !headers.contains_key(header::AUTHORIZATION) {
                return ask_for_token(StatusCode::UNAUTHORIZED, "");
            }
            // A program has no use for the form.
            tokio::time::sleep(WRONG_WAIT).await;
            return (StatusCode::UNAUTHORIZED, format!("{WRONG}\n")).into_response();
        }
        Access::Loopback | Access::Token(_) => {}
    }
    if request.method() != Method::GET && !is_from_our_page(headers) {
        return (StatusCode::FORBIDDEN, "another page may not do this\n").into_response();
    }
    next.run(request).await
}

/// What stands in the form.
#[derive(Deserialize)]
pub(super) struct Given {
    token: String,
}

/// Lets a browser bring the token along from now on.
pub(super) async fn take_token(State(access): State<Arc<Access>>, Form(given): Form<Given>) -> Response {
    let Access::Token(token) = &*access else { return Redirect::to("/").into_response() };
    if !is_same(given.token.trim(), &token.text) {
        tokio::time::sleep(WRONG_WAIT).await;
        return ask_for_token(StatusCode::UNAUTHORIZED, WRONG);
    }
    let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Strict; Path=/", token.cookie);
    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

const WRONG: &str = "That is not the token.";

fn ask_for_token(status: StatusCode, said: &str) -> Response {
    let form = include_str!("token.html").replace("{said}", said);
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")];
    (status, headers, Html(form)).into_response()
}

fn host(headers: &HeaderMap) -> Option<Authority> {
    headers.get(header::HOST)?.to_str().ok()?.parse().ok()
}

/// Whether we were called by a name that nobody else can have. The port may be another: that of a tunnel.
fn is_of_this_machine(headers: &HeaderMap) -> bool {
    host(headers).is_some_and(|authority| {
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    })
}

/// Whether it was our own page that asks, or no page at all.
fn is_from_our_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")?.1.parse::<Authority>().ok());
    authority.is_some() && authority == host(headers)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn headers<const N: usize>(headers: [(HeaderName, &str); N]) -> HeaderMap {
        headers.into_iter().map(|(name, value)| (name, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn loopback_needs_no_token_and_any_other_address_does() {
        let access =
            |address: &str, token: Option<&str>| Access::of(address.parse().unwrap(), token.map(str::to_owned));
        assert!(matches!(access("127.0.0.1:1", None), Ok(Access::Loopback)));
        assert!(matches!(access("[::1]:1", Some("")), Ok(Access::Loopback)));
        assert!(matches!(access("127.0.0.1:1", Some(SECRET)), Ok(Access::Token(_))));
        assert!(matches!(access("0.0.0.0:1", None), Ok(Access::Nobody)));
        assert!(matches!(access("0.0.0.0:1", Some(SECRET)), Ok(Access::Token(_))));
    }

    #[test]
    fn a_token_that_can_be_guessed_is_refused_without_being_told() {
        let refused = Access::of("0.0.0.0:1".parse().unwrap(), Some("hunter2".into())).unwrap_err().to_string();
        assert!(refused.starts_with("ORDERFLOW_TOKEN: found 7 characters, allowed 16 or more"), "{refused}");
        assert!(!refused.contains("hunter2"));
    }

    #[test]
    fn a_token_that_no_header_or_form_can_bring_is_refused() {
        for token in [format!("{SECRET}\n"), format!(" {SECRET}"), format!("{SECRET}ä"), " ".repeat(SHORTEST)] {
            let refused = Token::new(token.clone()).unwrap_err().to_string();
            assert!(refused.starts_with("ORDERFLOW_TOKEN: it has a blank,"), "{token:?}: {refused}");
        }
    }

    #[test]
    fn a_token_is_brought_as_a_bearer_or_as_the_cookie_that_stands_for_it() {
        let token = Token::new(SECRET.to_owned()).unwrap();
        let check = |name: HeaderName, value: &str, expected: bool| {
            assert_eq!(token.is_brought(&headers([(name, value)])), expected, "{value}");
        };
        check(header::AUTHORIZATION, &format!("Bearer {SECRET}"), true);
        check(header::AUTHORIZATION, &format!("Bearer {SECRET}0"), false);
        check(header::AUTHORIZATION, SECRET, false);
        check(header::COOKIE, &format!("a=b; orderflow_token={}", token.cookie), true);
        check(header::COOKIE, &format!("orderflow_token={SECRET}"), false);
        check(header::COOKIE, "orderflow_token=", false);
    }

    #[test]
    fn only_names_that_nobody_else_can_have_are_this_machine() {
        let check = |host: &str, expected: bool| {
            assert_eq!(is_of_this_machine(&headers([(header::HOST, host)])), expected, "{host}");
        };
        for own in ["localhost:8080", "LOCALHOST", "127.0.0.1:8080", "127.0.0.2", "[::1]:8080"] {
            check(own, true);
        }
        for other in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1:8080", ""] {
            check(other, false);
        }
    }

    #[test]
    fn another_page_may_not_redrive_and_a_program_may() {
        let from = |origin: &str| is_from_our_page(&headers([(header::HOST, "a:80"), (header::ORIGIN, origin)]));
        assert!(from("http://a:80"));
        assert!(!from("http://b:80") && !from("http://a:81") && !from("null") && !from(""));
        assert!(is_from_our_page(&headers([(header::HOST, "a:80")])));
    }
}
