use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use kafka_transport::Connection;
use serde_json::json;
use tokio::sync::watch;

use super::InView;
use super::inside::shortened;
use crate::Error;
use crate::monitor::{News, Sampler, Seen, Watched, ask, document};

/// How long a cluster that was just looked at for the first time has until the second look, which tells rates.
const SOON: Duration = Duration::from_millis(500);

/// Samples a cluster as long as somebody looks, and tells all of them the same.
pub(super) struct Feed {
    documents: Arc<watch::Sender<Arc<str>>>,
    /// Wakes who samples; where this is gone, it ends.
    wake: SyncSender<()>,
}

impl Feed {
    /// Begins; nobody looks yet.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(
        watched: Watched,
        in_view: InView,
        workers: Vec<String>,
        interval: Duration,
    ) -> Result<Self, Error> {
        let documents = Arc::new(watch::Sender::new(Arc::from("")));
        let (wake, woken) = sync_channel(1);
        let told = Arc::clone(&documents);
        let looker = Looker { watched, workers, in_view, interval, documents: told, reached: None };
        let look = move || looker.look(&woken);
        thread::Builder::new().name("live".into()).spawn(look).map_err(Error::failed)?;
        Ok(Self { documents, wake })
    }

    /// The newest document, and those that follow; none where so many look already.
    pub(super) fn subscribe(&self, limit: usize) -> Option<watch::Receiver<Arc<str>>> {
        (self.documents.receiver_count() < limit).then(|| {
            let documents = self.documents.subscribe();
            let _ = self.wake.try_send(()); // who is awake needs no second call
            documents
        })
    }
}

/// Looks at the cluster, and asks the workers.
struct Looker {
    watched: Watched,
    workers: Vec<String>,
    in_view: InView,
    interval: Duration,
    documents: Arc<watch::Sender<Arc<str>>>,
    /// A cluster that has answered, with who asks it.
    reached: Option<(Sampler, Seen)>,
}

impl Looker {
    fn look(mut self, woken: &Receiver<()>) {
        loop {
            if self.documents.receiver_count() == 0 {
                // What was seen is old by the time that somebody looks again.
                self.documents.send_replace(Arc::from(""));
                self.reached = None;
                if woken.recv().is_err() {
                    return;
                }
            }
            let begun = Instant::now();
            let told = self.sample();
            self.documents.send_replace(told);
            let is_new = self.reached.as_ref().is_some_and(|(_, seen)| seen.history.is_first());
            // The first look is mostly spent on connections: the second is so long after its end.
            let pause = if is_new { self.interval.min(SOON) } else { self.interval.saturating_sub(begun.elapsed()) };
            if woken.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    /// How the cluster stands now, or why it does not answer.
    fn sample(&mut self) -> Arc<str> {
        let asked_at = SystemTime::now();
        let mut told = match self.in_view.connection() {
            None => json!({ "away": "no cluster has been started yet" }),
            Some(connection) => match self.seen_of(&connection) {
                Ok(seen) => document(seen),
                Err(error) => json!({ "address": connection.brokers(), "away": shortened(json!(error.to_string())) }),
            },
        };
        told["at"] = json!(humantime::format_rfc3339_millis(asked_at).to_string());
        told.to_string().into()
    }

    fn seen_of(&mut self, connection: &Connection) -> Result<&Seen, Error> {
        let is_same = |(_, seen): &(Sampler, Seen)| seen.address == connection.brokers();
        let (sampler, seen) = match self.reached.take().filter(is_same) {
            Some((mut sampler, seen)) => {
                let sample = sampler.take(&self.watched);
                let reached = self.reached.insert((sampler, seen)); // one that is away will be asked again by the same client
                reached.1.hear(News::Answered(Box::new(sample?)));
                reached
            }
            None => {
                let mut sampler = Sampler::connect(connection, &self.watched)?;
                let first = sampler.take(&self.watched)?;
                let address = connection.brokers();
                let seen = Seen::new(address, self.watched.clone(), self.interval, first, &self.workers);
                self.reached.insert((sampler, seen))
            }
        };
        seen.hear(ask(&self.workers, sampler.started()));
        Ok(seen)
    }
}
