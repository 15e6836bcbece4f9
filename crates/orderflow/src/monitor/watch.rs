use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::sample::{Sample, Sampler, Watched};
use super::told::Told;

/// What came of a question.
pub(crate) enum News {
    Answered(Box<Sample>),
    /// Asked at this time, the cluster gave no answer.
    Away(SystemTime, String),
    /// So long after the monitor's start, what each worker told, or why it did not.
    Workers(Duration, Vec<Result<Told, String>>),
}

/// Asks cluster and workers every `interval`, until nobody listens. A question may take its ten seconds: whoever listens goes on
/// meanwhile, and workers are asked on while a cluster is away.
pub(crate) fn start(
    mut sampler: Sampler,
    watched: Watched,
    workers: Vec<String>,
    interval: Duration,
) -> Receiver<News> {
    let (sender, news) = sync_channel(1); // who has not heard the last is not told more
    if !workers.is_empty() {
        let started = sampler.started();
        every(interval, sender.clone(), move || ask(&workers, started));
    }
    every(interval, sender, move || {
        let asked_at = SystemTime::now();
        match sampler.take(&watched).and_then(Sample::whole) {
            Ok(sample) => News::Answered(Box::new(sample)),
            Err(error) => News::Away(asked_at, error.to_string()),
        }
    });
    news
}

/// Asks all workers at once, so that one that is silent holds up no other.
pub(crate) fn ask(workers: &[String], started: Instant) -> News {
    let answers = thread::scope(|scope| {
        let asked: Vec<_> = workers.iter().map(|address| scope.spawn(|| Told::ask(address))).collect();
        let panicked = |_| Err("its answer was too much for us".to_owned());
        asked.into_iter().map(|answer| answer.join().unwrap_or_else(panicked)).collect()
    });
    News::Workers(started.elapsed(), answers)
}

fn every(interval: Duration, sender: SyncSender<News>, mut ask: impl FnMut() -> News + Send + 'static) {
    thread::spawn(move || {
        let mut next = Instant::now() + interval;
        loop {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            // Who took longer than the interval is not asked twice in a row for that.
            next = Instant::now() + interval;
            if sender.send(ask()).is_err() {
                return;
            }
        }
    });
}
