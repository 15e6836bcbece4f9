use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use events::Topic;
use kafka_transport::{Admin, Connection};

use super::Error;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Watches how a topic grows, partition by partition: the longest time that one of them stood still is how long the flow took to
/// recover.
pub(crate) struct Pauses {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Pauses {
    pub(crate) fn watch(connection: &Connection, topic: Topic, partitions: u32) -> Result<Self, Error> {
        let admin = Admin::connect(connection)?;
        let is_over = Arc::<AtomicBool>::default();
        let thread = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || watch(&admin, topic, partitions, &is_over)
        });
        Ok(Self { is_over, thread })
    }

    /// The longest pause between two growths of one partition.
    pub(crate) fn longest(self) -> Result<Duration, Error> {
        self.is_over.store(true, Ordering::Release);
        let gone = |_| Error::Process { what: "the watch's thread".into(), reason: "it panicked".into() };
        self.thread.join().map_err(gone)
    }
}

fn watch(admin: &Admin, topic: Topic, partitions: u32, is_over: &AtomicBool) -> Duration {
    /// How far a partition is, and since when.
    struct Seen {
        end: i64,
        since: Instant,
    }
    let mut seen: Vec<Seen> = Vec::new();
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Acquire) {
        // No answer is part of the fault: the next one shows how long nothing grew.
        for (partition, offsets) in admin.offsets(topic.as_str(), partitions).unwrap_or_default().iter().enumerate() {
            let since = Instant::now();
            match seen.get_mut(partition) {
                None => seen.push(Seen { end: offsets.end, since }),
                Some(before) if before.end == offsets.end => {}
                Some(before) => {
                    longest = longest.max(since - before.since);
                    *before = Seen { end: offsets.end, since };
                }
            }
        }
        thread::sleep(LOOK_EVERY);
    }
    longest
}
