use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use kafka_transport::Connection;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::InView;
use super::inside::shortened;
use crate::Error;
use crate::monitor::{History, Sampler, Watched, document};

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
    pub(super) fn start(watched: Watched, in_view: InView, interval: Duration) -> Result<Self, Error> {
        let documents = Arc::new(watch::Sender::new(Arc::from("")));
        let (wake, woken) = sync_channel(1);
        let looker = Looker { watched, in_view, interval, documents: Arc::clone(&documents), looked_at: None };
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

/// Looks at the cluster.
struct Looker {
    watched: Watched,
    in_view: InView,
    interval: Duration,
    documents: Arc<watch::Sender<Arc<str>>>,
    looked_at: Option<LookedAt>,
}

/// A cluster that has been reached.
struct LookedAt {
    address: String,
    sampler: Sampler,
    history: History,
}

impl Looker {
    fn look(mut self, woken: &Receiver<()>) {
        loop {
            if self.documents.receiver_count() == 0 {
                // What was seen is old by the time that somebody looks again.
                self.documents.send_replace(Arc::from(""));
                self.looked_at = None;
                if woken.recv().is_err() {
                    return;
                }
            }
            let begun = Instant::now();
            let told = self.sample();
            self.documents.send_replace(told);
            let is_new = self.looked_at.as_ref().is_some_and(|cluster| cluster.history.is_first());
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
            Some(connection) => match self.sample_of(&connection) {
                Ok(told) => told,
                Err(error) => json!({ "address": connection.brokers(), "away": shortened(json!(error.to_string())) }),
            },
        };
        told["at"] = json!(humantime::format_rfc3339_millis(asked_at).to_string());
        told.to_string().into()
    }

    fn sample_of(&mut self, connection: &Connection) -> Result<Value, Error> {
        let is_same = |cluster: &LookedAt| cluster.address == connection.brokers();
        let cluster = match self.looked_at.take().filter(is_same) {
            Some(cluster) => cluster,
            None => {
                let sampler = Sampler::connect(connection, &self.watched)?;
                LookedAt { address: connection.brokers().to_owned(), sampler, history: History::default() }
            }
        };
        let sample = cluster.sampler.take(&self.watched);
        let cluster = self.looked_at.insert(cluster); // one that is away will be asked again by the same client
        cluster.history.add(sample?);
        Ok(document(&cluster.address, &self.watched, &cluster.history))
    }
}
