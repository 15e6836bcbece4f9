//! Posts batches, one after the other. An endpoint that is away costs nobody anything but its spans.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use messaging::{Draw, RetryPolicy};
use serde::Deserialize;
use ureq::Agent;

use crate::queue::Queue;
use crate::request;
use crate::traces::Outcomes;

/// How long a request may take: what OpenTelemetry has for it.
const DEADLINE: Duration = Duration::from_secs(10);

/// The waits between the attempts of one batch: half a second, growing to two, and the fourth failure is the last.
const RETRY: RetryPolicy = RetryPolicy::try_new(500, 2_000, 4).unwrap();

/// The longest wait that an endpoint may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// As much of an answer as is read.
const MAX_ANSWER_BYTES: u64 = 64 * 1_024;

pub(crate) struct Exporter {
    agent: Agent,
    url: String,
    queue: Arc<Queue>,
    outcomes: Outcomes,
    /// Spreads the waits of processes that fail together.
    seed: u64,
    /// How many spans were dropped since the endpoint has failed; `None` while it takes them.
    failing: Option<u64>,
}

/// How an attempt went.
enum Attempt {
    /// Taken, but for so many spans that the endpoint has no use for.
    Taken { rejected: u64, reason: String },
    /// Another attempt may succeed, after so long where the endpoint says so.
    Later { reason: String, after: Option<Duration> },
    /// None will.
    Never { reason: String },
}

/// What an endpoint answers that has taken a batch.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    partial_success: Option<PartialSuccess>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    rejected_spans: Number,
    error_message: String,
}

/// A 64-bit number, which is text in OTLP's JSON, and which readers are to take as a number, too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Number(u64),
}

impl Default for Number {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Exporter {
    pub(crate) fn new(url: String, queue: Arc<Queue>, outcomes: Outcomes, seed: u64) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(DEADLINE))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None) // a proxy that the environment names is for the world outside
            .user_agent(concat!("orderflow/", env!("CARGO_PKG_VERSION")));
        Self { agent: config.build().into(), url, queue, outcomes, seed, failing: None }
    }

    /// Exports until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        while let Some(spans) = self.queue.take() {
            let body = request::encode(&spans);
            self.export(&body, spans.len() as u64);
            self.queue.done();
        }
    }

    fn export(&mut self, body: &[u8], spans: u64) {
        for failures in 1.. {
            let (reason, after) = match self.attempt(body) {
                Attempt::Taken { rejected, reason } => {
                    let rejected = rejected.min(spans);
                    self.outcomes.exported.inc_by(spans - rejected);
                    self.outcomes.dropped.inc_by(rejected);
                    self.recovered();
                    if rejected > 0 {
                        warn("spans_rejected", &reason, rejected);
                    }
                    return;
                }
                Attempt::Never { reason } => {
                    self.failed(&reason);
                    self.queue.tell(false); // it answers: who flushes goes on waiting for it
                    break;
                }
                Attempt::Later { reason, after } => (reason, after),
            };
            self.failed(&reason);
            let draw = Draw::from_bits(self.seed.rotate_left(failures).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let pause = Duration::from_millis(RETRY.delay_ms(failures, draw)).max(after.unwrap_or_default());
            if RETRY.is_stuck(failures) || !self.queue.pause(pause) {
                break;
            }
        }
        self.outcomes.dropped.inc_by(spans);
        self.failing = self.failing.map(|dropped| dropped + spans);
    }

    fn attempt(&self, body: &[u8]) -> Attempt {
        let response = match self.agent.post(&self.url).content_type("application/json").send(body) {
            Ok(response) => response,
            Err(error) => return Attempt::Later { reason: error.to_string(), after: None },
        };
        let status = response.status().as_u16();
        let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
        let after = after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
        let mut answer = Vec::new();
        let read = response.into_body().into_reader().take(MAX_ANSWER_BYTES).read_to_end(&mut answer);
        let reason = || {
            let text: String = String::from_utf8_lossy(&answer).chars().filter(|c| !c.is_control()).take(200).collect();
            format!("status {status} {text}").trim_end().to_owned()
        };
        match status {
            200..=299 => {
                // Whoever has taken a batch and says no more of it has taken all.
                let answer: Answer = read.ok().and_then(|_| serde_json::from_slice(&answer).ok()).unwrap_or_default();
                let PartialSuccess { rejected_spans, error_message } = answer.partial_success.unwrap_or_default();
                let rejected = match rejected_spans {
                    Number::Text(text) => text.parse().unwrap_or(0),
                    Number::Number(number) => number,
                };
                Attempt::Taken { rejected, reason: error_message }
            }
            429 | 502 | 503 | 504 => Attempt::Later { reason: reason(), after },
            _ => Attempt::Never { reason: reason() },
        }
    }

    /// Told once, not at every attempt.
    fn failed(&mut self, reason: &str) {
        self.queue.tell(true);
        if self.failing.is_none() {
            self.failing = Some(0);
            let reason = format!("{}: {reason}", self.url);
            warn("spans_not_exported", &reason, 0);
        }
    }

    fn recovered(&mut self) {
        self.queue.tell(false);
        if let Some(dropped) = self.failing.take() {
            let status = "spans_exported";
            tracing::info!(
                order_id = "",
                event_type = "",
                service = "",
                status,
                dropped,
                "the endpoint takes spans again"
            );
        }
    }
}

fn warn(status: &'static str, reason: &str, dropped: u64) {
    tracing::warn!(order_id = "", event_type = "", service = "", status, reason, dropped, "spans are not exported");
}
