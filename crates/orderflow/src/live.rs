//! The page that shows a cluster with our topics live: what flows, what is late, which orders went where, and what was given up.
//!
//! It is one file that asks nobody but us. As long as somebody looks, [`feed`] samples the cluster; records are read by [`inside`]
//! alone, and only where somebody asks for them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::topology::Topology;
use axum::Json;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;

use crate::monitor::Watched;
use crate::{Error, System};
use feed::Feed;
use html::Html;
pub(crate) use in_view::InView;
use inside::{Asked, Inside};

mod feed; // how the cluster stands, as long as somebody looks
mod html; // the page itself
mod in_view; // which cluster is looked at
mod inside; // what its records tell, where somebody asks
mod picture; // who writes and reads what, as it is drawn
mod recent; // the orders that moved last

/// How often the cluster is asked where nobody says otherwise.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);

/// Who may look at the same time.
const MAX_VIEWERS: usize = 64;

/// Who may ask for records at the same time: each of them is a client of the cluster.
const MAX_QUESTIONS: usize = 2;

/// How long others are waited for.
const QUESTION_WAIT: Duration = Duration::from_secs(20);

/// All that the page needs.
pub(crate) struct Page {
    html: Html,
    feed: Feed,
    inside: Inside,
    questions: Arc<Semaphore>,
}

impl Page {
    /// The page of a cluster, of one system or of all, and of the workers at these addresses.
    ///
    /// # Errors
    /// Where the topology does not fit the code, or the system gives no thread.
    pub(crate) fn new(
        topology: &Topology,
        name: &str,
        system: Option<System>,
        in_view: InView,
        workers: Vec<String>,
        interval: Duration,
    ) -> Result<Self, Error> {
        let watched = Watched::of(topology, system);
        Ok(Self {
            html: Html::new(&picture::of(topology, system)),
            feed: Feed::start(watched, in_view.clone(), workers, interval)?,
            inside: Inside::new(topology, name, system, in_view)?,
            questions: Arc::new(Semaphore::new(MAX_QUESTIONS)),
        })
    }

    /// Where the page and what it asks for are.
    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/", get(page))
            .route("/api/live", get(live))
            .route("/api/orders", get(orders))
            .route("/api/orders/{order_id}", get(order))
            .route("/api/dead-letters", get(dead_letters))
            .route("/api/dead-letters/redrive", post(redrive))
            .with_state(Arc::new(self))
    }
}

/// What a redrive may ask for, to who sends anything else.
const REDRIVEN: &str =
    r#"allowed, as application/json: {"place": "TOPIC-PARTITION@OFFSET"} or {"service": SERVICE, "about": WHAT}"#;

/// What every answer says of itself: it is of this moment, and no other page's.
const ALWAYS: [(HeaderName, &str); 3] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

async fn page(State(page): State<Arc<Page>>) -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, page.html.policy().to_owned())];
    (ALWAYS, policy, axum::response::Html(page.html.text().to_owned())).into_response()
}

/// How the cluster stands, again and again.
async fn live(State(page): State<Arc<Page>>) -> Response {
    let Some(documents) = page.feed.subscribe(MAX_VIEWERS) else {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{MAX_VIEWERS} look already\n")).into_response();
    };
    let told = WatchStream::new(documents).filter(|document| !document.is_empty());
    let events = told.map(|document| Ok::<_, Infallible>(Event::default().data(document)));
    (ALWAYS, Sse::new(events).keep_alive(KeepAlive::default())).into_response()
}

async fn orders(State(page): State<Arc<Page>>) -> Response {
    page.ask(Inside::orders).await
}

async fn order(State(page): State<Arc<Page>>, Path(order_id): Path<String>) -> Response {
    page.ask(move |inside| inside.order(&order_id)).await
}

async fn dead_letters(State(page): State<Arc<Page>>) -> Response {
    page.ask(Inside::dead_letters).await
}

async fn redrive(State(page): State<Arc<Page>>, asked: Result<Json<Asked>, JsonRejection>) -> Response {
    match asked {
        Ok(Json(asked)) => page.ask(move |inside| inside.redrive(&asked)).await,
        Err(other) => refused(other.status(), REDRIVEN),
    }
}

impl Page {
    /// Asks inside, on a thread beside: it may wait for brokers.
    async fn ask<F>(self: Arc<Self>, question: F) -> Response
    where
        F: FnOnce(&Inside) -> Result<Value, Error> + Send + 'static,
    {
        let turn = Arc::clone(&self.questions).acquire_owned();
        let Ok(Ok(turn)) = tokio::time::timeout(QUESTION_WAIT, turn).await else {
            return refused(StatusCode::SERVICE_UNAVAILABLE, "others are reading the cluster: ask again in a moment");
        };
        let answer = move || {
            let _turn = turn; // held to the end, also where whoever asked has gone
            question(&self.inside)
        };
        match tokio::task::spawn_blocking(answer).await {
            Ok(Ok(found)) => (ALWAYS, Json(inside::shortened(found))).into_response(),
            Ok(Err(error @ Error::Usage(_))) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
            Ok(Err(error @ Error::Absent(_))) => refused(StatusCode::NOT_FOUND, &error.to_string()),
            Ok(Err(error @ Error::Failed(_))) => refused(StatusCode::BAD_GATEWAY, &error.to_string()),
            Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "the question broke off: the log says why"),
        }
    }
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, ALWAYS, Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn who_asks_and_goes_makes_no_room_for_more_questions() {
        let topology = Topology::built_in().unwrap();
        let page =
            Arc::new(Page::new(&topology, "topology.json", None, InView::default(), Vec::new(), INTERVAL).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (is_asked, asked) = sync_channel(1);
        let (answer, may_answer) = sync_channel::<()>(1);
        let question = move |_: &Inside| {
            is_asked.send(()).unwrap();
            let _ = may_answer.recv();
            Ok(json!({}))
        };
        runtime.block_on(async {
            let gone = tokio::spawn(Arc::clone(&page).ask(question));
            tokio::task::yield_now().await;
            gone.abort();
            assert!(gone.await.unwrap_err().is_cancelled());
        });
        asked.recv().unwrap();
        assert_eq!(page.questions.available_permits(), MAX_QUESTIONS - 1);
        answer.send(()).unwrap();
        drop(runtime); // waits for its threads
        assert_eq!(page.questions.available_permits(), MAX_QUESTIONS);
    }
}
