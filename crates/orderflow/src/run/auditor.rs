use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Instant;

use hdrhistogram::Histogram;
use messaging::audit::{Audit, Case, Drained, Flow, Marks, Observation, Verdict};

use super::timeline::Timeline;
use crate::Error;

/// Batches of observations that may wait; beyond that the flow waits for the audit.
const CHANNEL_BATCHES: usize = 256;

/// Orders that one run may have: the audit remembers each of them, 1.2 GiB in all.
pub(crate) const MAX_ORDERS: u64 = 20_000_000;

/// The audit on a thread of its own, fed through a bounded channel.
pub(crate) struct Auditor {
    sender: SyncSender<Vec<Observation>>,
    thread: JoinHandle<Result<Audited, String>>,
    shared: Arc<Shared>,
}

struct Shared {
    started: Instant,
    accepted: AtomicU64,
    closed: AtomicU64,
    failure: Mutex<Option<String>>,
}

/// What an audit found, and how long orders took.
pub(crate) struct Audited {
    pub(crate) verdict: Verdict,
    pub(crate) tally: BTreeMap<Marks, u64>,
    /// From hand-over (or from when it was due) to the last record, in microseconds.
    pub(crate) latency: Histogram<u32>,
    /// What happened when.
    pub(crate) timeline: Timeline,
}

impl Auditor {
    /// Starts; the calling thread is woken whenever orders have come to their end.
    pub(crate) fn start(flow: impl Flow + 'static) -> Self {
        let (sender, receiver) = sync_channel(CHANNEL_BATCHES);
        let shared = Arc::new(Shared {
            started: Instant::now(),
            accepted: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            failure: Mutex::new(None),
        });
        let intake = std::thread::current();
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || listen(flow, &receiver, &shared, &intake)
        });
        Self { sender, thread, shared }
    }

    /// Where observations go.
    pub(crate) fn sender(&self) -> SyncSender<Vec<Observation>> {
        self.sender.clone()
    }

    /// Takes orders in: they count as in flight from now on.
    pub(crate) fn accept(&self, accepted: Vec<Observation>) {
        self.shared.accepted.fetch_add(accepted.len() as u64, Ordering::AcqRel);
        // A listener that is gone has left its reason, which `check` finds.
        let _ = self.sender.send(accepted);
    }

    /// Microseconds since the start: the time of all latencies.
    pub(crate) fn now_us(&self) -> u64 {
        self.shared.now_us()
    }

    /// Orders that came to their end or were given up.
    pub(crate) fn closed(&self) -> u64 {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Orders on their way.
    pub(crate) fn in_flight(&self) -> u64 {
        self.shared.accepted.load(Ordering::Acquire).saturating_sub(self.closed())
    }

    /// Looks whether the audit can go on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &*self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(reason) => Err(Error::Failed(reason.clone())),
            None => Ok(()),
        }
    }

    /// Ends the audit, after everyone else has let go of the channel.
    pub(crate) fn finish(self) -> Result<Audited, Error> {
        drop(self.sender);
        let audited = self.thread.join().unwrap_or_else(|_| Err("the audit's thread panicked".into()));
        audited.map_err(Error::Failed)
    }
}

impl Shared {
    fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

fn listen(
    flow: impl Flow,
    receiver: &Receiver<Vec<Observation>>,
    shared: &Shared,
    intake: &Thread,
) -> Result<Audited, String> {
    let mut audit = Audit::new(flow, MAX_ORDERS as usize);
    let mut timeline = Timeline::new().map_err(|error| error.to_string())?;
    let mut trouble = audit.trouble();
    while let Ok(observations) = receiver.recv() {
        let now_us = shared.now_us();
        let (mut closed, mut reopened) = (0_u64, 0);
        for observation in observations {
            if let Observation::Accepted { at_us, .. } = observation {
                timeline.at(at_us).accepted += 1;
            }
            match audit.observe(observation) {
                Ok(None) => {}
                Ok(Some(Case::GivenUp)) => closed += 1,
                Ok(Some(Case::Ended { accepted_us, was_closed })) => {
                    closed += u64::from(!was_closed);
                    let took_us = now_us.saturating_sub(accepted_us).max(1);
                    timeline.at(now_us).latency.saturating_record(took_us);
                }
                Ok(Some(Case::Reopened)) => reopened += 1,
                Err(error) => {
                    *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                    return Err(error.to_string());
                }
            }
        }
        if audit.trouble() != trouble {
            timeline.at(now_us).trouble += audit.trouble() - trouble;
            trouble = audit.trouble();
        }
        if closed != reopened {
            shared.closed.fetch_add(closed.wrapping_sub(reopened), Ordering::AcqRel); // in one step: it may be less than before
            intake.unpark();
        }
    }
    Ok(Audited {
        verdict: audit.verdict(Drained::Yes),
        tally: audit.tally(),
        latency: timeline.latency(),
        timeline: timeline.smooth(),
    })
}
