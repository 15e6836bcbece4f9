//! What a worker, or an emulator of Lambda, tells at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_transport::names as groups;
use lambda_emulator::names as lambda;

use super::openmetrics::{self, Series};
use crate::metrics::saga;
use crate::server;

/// How long one may take to tell, and how much it may say.
const DEADLINE: Duration = Duration::from_secs(2);
const MAX_BYTES: u64 = 1024 * 1024;

/// What is counted, all of it since the worker's start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// By service and topic.
    pub(crate) groups: BTreeMap<(String, String), Counts>,
    /// Whether services outside are called, by name.
    pub(crate) outside: BTreeMap<String, Breaker>,
    /// Sagas that have not ended, in the whole store.
    pub(crate) unfinished: Option<u64>,
    /// Of those, sagas of which something could not be undone yet.
    pub(crate) stuck: Option<u64>,
    /// By name; an emulator has them.
    pub(crate) functions: BTreeMap<String, Calls>,
}

/// What a group counts in this worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) handled: f64,
    pub(crate) retried: f64,
    pub(crate) failed: f64,
    /// To dead letters, or skipped by a group that has none.
    pub(crate) given_up: f64,
    /// Batches that took so many seconds or less, by these.
    pub(crate) batches: Vec<(f64, f64)>,
    pub(crate) breaker: Option<Breaker>,
    /// Records of its partitions that it is not done with.
    pub(crate) lag: Option<u64>,
}

/// What a function counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Calls {
    pub(crate) invocations: f64,
    pub(crate) errors: f64,
    pub(crate) retries: f64,
    pub(crate) p50_s: Option<f64>,
    pub(crate) p99_s: Option<f64>,
    pub(crate) lag: Option<u64>,
}

/// Whether something is done, after failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaker {
    Closed,
    Open,
    HalfOpen,
}

impl Breaker {
    fn of(value: f64) -> Option<Self> {
        [Self::Closed, Self::Open, Self::HalfOpen]
            .into_iter()
            .zip([0.0, 1.0, 2.0])
            .find_map(|(state, of_state)| (value == of_state).then_some(state))
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

impl Told {
    /// Asks whoever listens there.
    ///
    /// # Errors
    /// Why it does not tell, in words.
    pub(crate) fn ask(address: &str) -> Result<Self, String> {
        let mut response = server::ask(address, "/metrics", DEADLINE).map_err(|error| error.to_string())?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("{status} for /metrics: is it a worker?"));
        }
        let text = response.body_mut().with_config().limit(MAX_BYTES).read_to_string();
        Self::read(&text.map_err(|error| error.to_string())?)
    }

    /// # Errors
    /// Where it is no text of metrics.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut told = Self::default();
        for series in openmetrics::parse(text).map_err(|error| format!("/metrics: {error}"))? {
            told.hear(&series);
        }
        Ok(told)
    }

    /// What nobody here looks at is not heard.
    fn hear(&mut self, Series { name, labels, value }: &Series) {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let count = (*value >= 0.0).then_some(*value as u64);
        if let Some(metric) = lambda::ALL.into_iter().find(|metric| metric.series == name) {
            let function = self.functions.entry(label("function")).or_default();
            match (metric, label("quantile").as_str()) {
                (lambda::INVOCATIONS, _) => function.invocations = *value,
                (lambda::ERRORS, _) => function.errors = *value,
                (lambda::RETRIES, _) => function.retries = *value,
                (lambda::DURATION, "0.5") => function.p50_s = Some(*value),
                (lambda::DURATION, "0.99") => function.p99_s = Some(*value),
                (lambda::LAG, _) => function.lag = add(function.lag, count),
                _ => {}
            }
        }
        match saga::ALL.into_iter().find(|metric| metric.series == name) {
            Some(saga::UNFINISHED) => self.unfinished = count,
            Some(saga::STUCK) => self.stuck = count,
            Some(saga::CIRCUIT_BREAKER) => {
                self.outside.extend(Breaker::of(*value).map(|state| (label("outside"), state)));
            }
            _ => {}
        }
        let (service, topic) = (label("service"), label("topic"));
        if service.is_empty() || topic.is_empty() {
            return;
        }
        if let Some(metric) = groups::ALL.into_iter().find(|metric| metric.series == name) {
            let group = self.groups.entry((service, topic)).or_default();
            match (metric, label("status").as_str()) {
                (groups::RECORDS, "handled") => group.handled = *value,
                (groups::RECORDS, "retried") => group.retried = *value,
                (groups::RECORDS, "failed") => group.failed = *value,
                (groups::RECORDS, _) => group.given_up = *value,
                (groups::BATCH, _) => group.batches.extend(label("le").parse().ok().map(|le| (le, *value))),
                (groups::BREAKER, _) => group.breaker = Breaker::of(*value),
                (groups::LAG, _) => group.lag = add(group.lag, count),
                _ => {}
            }
        }
    }
}

fn add(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    more.map(|more| sum.unwrap_or(0).saturating_add(more)).or(sum)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const WORKER: &str = "\
# HELP orderflow_records Records by what became of them.
# TYPE orderflow_records counter
orderflow_records_total{service=\"pay\",topic=\"orders\",status=\"handled\"} 500
orderflow_records_total{service=\"pay\",topic=\"orders\",status=\"retried\"} 3
orderflow_records_total{service=\"pay\",topic=\"orders\",status=\"failed\"} 2
orderflow_records_total{service=\"pay\",topic=\"orders\",status=\"dead_lettered\"} 1
orderflow_batch_seconds_sum{service=\"pay\",topic=\"orders\"} 0.5
orderflow_batch_seconds_bucket{le=\"0.001\",service=\"pay\",topic=\"orders\"} 4
orderflow_batch_seconds_bucket{le=\"+Inf\",service=\"pay\",topic=\"orders\"} 9
orderflow_lag_records{service=\"pay\",topic=\"orders\",partition=\"0\"} 7
orderflow_lag_records{service=\"pay\",topic=\"orders\",partition=\"1\"} 8
orderflow_breaker_state{service=\"pay\",topic=\"orders\"} 2
orderflow_circuit_breaker_state{outside=\"gateway\"} 1
orderflow_sagas_unfinished 12
orderflow_sagas_stuck 2
process_cpu_seconds_total 99
# EOF
";

    #[test]
    fn a_worker_tells_of_its_groups_of_services_outside_and_of_sagas() {
        let counts = Counts {
            handled: 500.0,
            retried: 3.0,
            failed: 2.0,
            given_up: 1.0,
            batches: vec![(0.001, 4.0), (f64::INFINITY, 9.0)],
            breaker: Some(Breaker::HalfOpen),
            lag: Some(15),
        };
        let expected = Told {
            groups: [(("pay".to_owned(), "orders".to_owned()), counts)].into(),
            outside: [("gateway".to_owned(), Breaker::Open)].into(),
            unfinished: Some(12),
            stuck: Some(2),
            functions: BTreeMap::new(),
        };
        assert_eq!(Told::read(WORKER).unwrap(), expected);
    }

    #[test]
    fn an_emulator_tells_of_its_functions() {
        let text = "\
lambda_invocations_total{function=\"pay\"} 7
lambda_errors_total{function=\"pay\"} 2
lambda_retries_total{function=\"pay\"} 1
lambda_duration_seconds{function=\"pay\",quantile=\"0.5\"} 0.02
lambda_duration_seconds{function=\"pay\",quantile=\"0.99\"} 1.5
lambda_lag_records{function=\"pay\",topic=\"orders\",group=\"g\"} 3
lambda_lag_records{function=\"pay\",topic=\"others\",group=\"h\"} 4
";
        let calls =
            Calls { invocations: 7.0, errors: 2.0, retries: 1.0, p50_s: Some(0.02), p99_s: Some(1.5), lag: Some(7) };
        let told = Told::read(text).unwrap();
        assert_eq!((told.functions, told.groups.len()), ([("pay".to_owned(), calls)].into(), 0));
    }

    /// What is told of somebody who answers so to one request.
    fn answered(answer: &'static [u8]) -> Result<Told, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let _ = stream.write_all(answer); // who has heard enough does not listen any more
        });
        let told = Told::ask(&address);
        thread.join().unwrap();
        told
    }

    #[test]
    fn whoever_is_no_worker_is_told_as_that() {
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup 1\n").unwrap(), Told::default());
        let told = answered(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap_err();
        assert_eq!(told, "404 Not Found for /metrics: is it a worker?");
        let told = answered(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>").unwrap_err();
        assert_eq!(told, "/metrics: line 1 is no metric");
        assert!(answered(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(Told::ask("127.0.0.1:1").unwrap_err().contains("refused"));
        assert!(Told::ask("no host at all").is_err());
    }

    #[test]
    fn whoever_says_too_much_is_not_heard_to_the_end() {
        let much = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'#'; 2 * MAX_BYTES as usize]].concat();
        assert!(answered(Box::leak(much.into_boxed_slice())).is_err());
    }
}
