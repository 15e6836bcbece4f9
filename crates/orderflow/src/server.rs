//! What a process says of itself over HTTP, on a thread of its own: health, metrics, and the page that shows it live.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;

use crate::live::Page;
use crate::{Error, tell};
use access::Access;
pub(crate) use liveness::Liveness;

mod access; // who may see the page
mod liveness; // whether a worker's groups turn

/// What is served, to who asks for anything else.
const PATHS: &str =
    "there are /, /api/live, /api/orders, /api/dead-letters, /health/live, /health/ready and /metrics\n";

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What reads metrics, a database or a cluster does so on threads beside: so many at once.
const MAX_BLOCKING_THREADS: usize = 4;

/// Where a process listens.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Listen {
    /// Where a page that shows it live (/), health (/health/live, /health/ready) and Prometheus' metrics (/metrics) are served.
    /// With port 0 on any that is free: it is told which. Elsewhere than on loopback the page wants the token that stands in
    /// ORDERFLOW_TOKEN.
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
}

impl Listen {
    pub(crate) const fn is_given(&self) -> bool {
        self.listen.is_some()
    }

    /// Takes the address, before anything else is begun.
    ///
    /// # Errors
    /// Where it is taken or not ours, or the token does not serve.
    pub(crate) fn bind(&self) -> Result<Option<Bound>, Error> {
        let Some(address) = self.listen else { return Ok(None) };
        let access = Access::of(address, std::env::var(access::TOKEN).ok())?;
        let refused = |error| {
            Error::Usage(format!("--listen {address}: {error}; choose another, or port 0 for any that is free"))
        };
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Some(Bound { listener, address, access }))
    }
}

/// Asks whoever listens there, for so long at most. Any status is an answer.
pub(crate) fn ask(
    address: &str,
    path: &str,
    within: Duration,
) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    let request = ureq::get(format!("http://{address}{path}")).config();
    // A proxy that the environment names is for the world outside.
    request.proxy(None).timeout_global(Some(within)).http_status_as_error(false).build().call()
}

/// The first address of a host.
fn address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| format!("{error}; allowed is HOST:PORT"))?;
    addresses.next().ok_or_else(|| "this host has no address".into())
}

/// An address that is ours; nobody is answered yet.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    access: Access,
}

impl Bound {
    /// Where it will answer: with the port that the system chose, where that was left to it.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses an address where nobody may see the page, for who serves little else.
    ///
    /// # Errors
    /// Where it is not on loopback, and there is no token.
    pub(crate) fn with_page(self) -> Result<Self, Error> {
        match self.access {
            Access::Nobody => Err(Error::Usage(format!("--listen {}: {}", self.address, access::NO_TOKEN))),
            Access::Loopback | Access::Token(_) => Ok(self),
        }
    }

    /// Says to a person where the page is.
    pub(crate) fn announce(&self) {
        let token = if matches!(self.access, Access::Token(_)) { ", with the token of ORDERFLOW_TOKEN" } else { "" };
        tell(&format!("live at http://{}{token}", self.address));
    }

    /// Begins to answer. Without a [`Liveness`] it lives and is ready as long as it answers.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn serve(self, registry: Registry, liveness: Option<Liveness>, page: Page) -> Result<Server, Error> {
        let Self { listener, access, .. } = self;
        let told = Arc::new(Told { registry, liveness });
        let access = Arc::new(access);
        let page = page.routes().layer(from_fn_with_state(Arc::clone(&access), access::guard));
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route("/health/live", get(live))
            .route("/health/ready", get(ready))
            .with_state(told)
            .route("/token", axum::routing::post(access::take_token).with_state(access))
            .merge(page)
            .fallback(|| async { (StatusCode::NOT_FOUND, PATHS) });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .build()
            .map_err(Error::failed)?;
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let answer = move || {
            runtime.block_on(async {
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    tokio::spawn(axum::serve(listener, routes).into_future());
                    stopped.notified().await;
                }
            });
            // Whoever is still being answered, or waits for a cluster that is away, is not waited for.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("http".into()).spawn(answer).map_err(Error::failed)?;
        Ok(Server { stop, thread: Some(thread) })
    }
}

/// Answers until it is dropped.
pub(crate) struct Server {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What needs no token.
struct Told {
    registry: Registry,
    liveness: Option<Liveness>,
}

async fn metrics(State(told): State<Arc<Told>>) -> Response {
    // A collector may ask a database: health is told meanwhile.
    let encoded = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        let _ = encode(&mut text, &told.registry); // writing to memory does not fail
        text
    });
    match encoded.await {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "a collector has panicked\n").into_response(),
    }
}

async fn live(State(told): State<Arc<Told>>) -> (StatusCode, String) {
    match told.liveness.as_ref().and_then(Liveness::hangs) {
        None => (StatusCode::OK, "live\n".to_owned()),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("{what}\n")),
    }
}

async fn ready(State(told): State<Arc<Told>>) -> (StatusCode, &'static str) {
    match told.liveness.as_ref().is_none_or(Liveness::is_ready) {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not every group has its place yet, or the worker stops\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use ::topology::Topology;
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::DescriptorEncoder;

    use super::*;
    use crate::live::{self, InView};

    /// Metrics that say when they are asked for, and wait.
    struct Waiting {
        is_asked: SyncSender<()>,
        may_answer: Mutex<Receiver<()>>,
    }

    impl fmt::Debug for Waiting {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Waiting")
        }
    }

    impl Collector for Waiting {
        fn encode(&self, _: DescriptorEncoder<'_>) -> fmt::Result {
            self.is_asked.send(()).unwrap();
            let _ = self.may_answer.lock().unwrap().recv();
            Ok(())
        }
    }

    fn connected(address: SocketAddr, path: &str) -> TcpStream {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
        connection
    }

    fn answer_of(mut connection: TcpStream) -> String {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn while_metrics_wait_for_a_database_health_is_told() {
        let (is_asked, asked) = sync_channel(1);
        let (answer, may_answer) = sync_channel::<()>(1);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Waiting { is_asked, may_answer: Mutex::new(may_answer) }));
        let topology = Topology::built_in().unwrap();
        let page = Page::new(&topology, "topology.json", None, InView::default(), Vec::new(), live::INTERVAL).unwrap();
        let bound = Listen { listen: Some("127.0.0.1:0".parse().unwrap()) }.bind().unwrap().unwrap();
        let address = bound.address();
        let _server = bound.serve(registry, None, page).unwrap();
        let answer = answer; // gone before the threads are waited for, also where this fails
        let metrics = connected(address, "/metrics");
        asked.recv().unwrap();
        for _ in 0..3 {
            let live = answer_of(connected(address, "/health/live"));
            assert!(live.starts_with("HTTP/1.1 200 OK") && live.ends_with("live\n"), "{live}");
        }
        answer.send(()).unwrap();
        let metrics = answer_of(metrics);
        assert!(metrics.starts_with("HTTP/1.1 200 OK") && metrics.ends_with("# EOF\n"), "{metrics}");
    }
}
