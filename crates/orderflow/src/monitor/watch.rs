use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::sample::{Sample, Sampler, Watched};

/// What came of a question.
pub(crate) enum News {
    Answered(Box<Sample>),
    /// Asked at this time, the cluster gave no answer.
    Away(SystemTime, String),
}

/// Asks every `interval`, until nobody listens. A question may take its ten seconds: whoever listens goes on meanwhile.
pub(crate) fn start(sampler: Sampler, watched: Watched, interval: Duration) -> Receiver<News> {
    let (sender, news) = sync_channel(1); // who has not heard the last is not told more
    thread::spawn(move || {
        let mut next = Instant::now() + interval;
        loop {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            // Who took longer than the interval is not asked twice in a row for that.
            next = Instant::now() + interval;
            let asked_at = SystemTime::now();
            let heard = match sampler.take(&watched) {
                Ok(sample) => News::Answered(Box::new(sample)),
                Err(error) => News::Away(asked_at, error.to_string()),
            };
            if sender.send(heard).is_err() {
                return;
            }
        }
    });
    news
}
