//! What publishes the orders: it sends each one again until the broker has confirmed it.

use messaging::Follows;

use crate::broker::Stored;
use crate::queue::{Event, Request, Sender};
use crate::random::Random;
use crate::run::Run;

#[derive(Default)]
pub(crate) struct Source {
    pub(crate) cut_off_until_ms: u64,
    pub(crate) unacknowledged: usize,
    /// When each order is sent for the first time.
    pub(crate) accepted_ms: Vec<u64>,
}

impl Source {
    /// Orders come all at once, or spread over as many seconds as the seed chooses.
    pub(crate) fn new(orders: usize, random: &mut Random) -> Self {
        let span_ms = random.one_of([0, 1_000, 5_000, 15_000]);
        let mut accepted_ms: Vec<u64> = (0..orders).map(|_| random.within(0..=span_ms)).collect();
        accepted_ms.sort_unstable();
        Self { accepted_ms, unacknowledged: orders, cut_off_until_ms: 0 }
    }

    /// When faults stop: some seconds after the last order was sent, at once where there are none.
    pub(crate) fn calm_at_ms(&self, without_faults: bool, random: &mut Random) -> u64 {
        let last_ms = self.accepted_ms.last().copied().unwrap_or(0);
        if without_faults { last_ms } else { last_ms + random.within(5_000..=20_000) }
    }
}

impl Run<'_> {
    pub(crate) fn publish(&mut self) {
        for (order, &at_ms) in self.source.accepted_ms.iter().enumerate() {
            self.queue.push(at_ms, Event::Send { order });
        }
    }

    pub(crate) fn send_order(&mut self, order: usize) {
        let record = &self.orders[order].record;
        let stored = Stored::of(record, Follows { run: Some(&self.run_id), ..Follows::NOTHING });
        let Ok(partition) = self.broker.partition_of(record.topic, Some(&record.key)) else { return };
        let sender = Sender::Source { order };
        let request = Request { sender, topic: record.topic, partition, records: vec![stored] };
        self.send(request);
    }

    pub(crate) fn source_answered(&mut self, order: usize, is_written: bool) {
        if is_written {
            self.source.unacknowledged -= 1;
        } else {
            let again_at_ms = self.now_ms + self.random.within(20..=500);
            self.queue.push(again_at_ms, Event::Send { order });
        }
    }
}
