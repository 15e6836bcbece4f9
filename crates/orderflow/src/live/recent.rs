use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::topology::Topology;
use events::Topic;
use kafka_transport::{Admin, Connection, Span, TopicReader};
use messaging::audit::Flow;
use serde_json::{Value, json};

use crate::business::{Business, topics_of};
use crate::trace::{Kind, Step};
use crate::{Error, written_at};

/// Records that are read at most, the last of each partition: enough for the orders of the last moments, and little to read.
const RECORDS: usize = 6_000;

/// What is read at most, where records are long: what is left out was not read.
const BYTES: usize = 64 << 20;

/// Records that are read in one go at most, and how long the first of them is waited for.
const BATCH: usize = 500;
const WAIT: Duration = Duration::from_millis(50);

/// Orders that are shown.
const ORDERS: usize = 50;

/// What was seen of an order.
#[derive(Debug)]
struct Seen {
    system: &'static str,
    records: u64,
    first_ms: i64,
    last_ms: i64,
    /// The last that happened to it.
    last: String,
    has_dead_letter: bool,
}

/// A topic whose records are of orders.
struct Known {
    system: &'static str,
    flow: Arc<dyn Flow>,
    is_dead_letter: bool,
}

/// The orders whose records stand last in the topics, the newest first.
///
/// # Errors
/// Where the brokers do not answer or refuse.
pub(super) fn orders(
    connection: &Connection,
    topology: &Topology,
    businesses: &[Arc<dyn Business>],
) -> Result<Value, Error> {
    let mut topics = BTreeMap::new();
    for business in businesses {
        for (topic, _) in topics_of(topology, business.system()) {
            let is_dead_letter = topology.dead_letter_of(topic.as_str()).is_some();
            topics.insert(topic, Known { system: business.name(), flow: business.flow(), is_dead_letter });
        }
    }
    let admin = Admin::connect(connection)?;
    let names: Vec<&str> = topics.keys().map(|topic| topic.as_str()).collect();
    let logs = admin.logs(&admin.layout(&names)?)?;
    let partitions = logs.values().map(Vec::len).sum::<usize>().max(1);
    let each = (RECORDS / partitions).max(1) as i64;
    let tails: Vec<Span> = topics
        .keys()
        .flat_map(|&topic| {
            let logs = logs.get(topic.as_str()).into_iter().flatten().zip(0..);
            logs.filter_map(move |(log, partition)| {
                let log = log.as_ref()?;
                Some(Span { topic, partition, from: log.start.max(log.end - each), to: log.end })
            })
        })
        .collect();
    let all: Vec<Topic> = topics.keys().copied().collect();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let (mut reader, mut bytes) = (TopicReader::connect(connection)?, 0);
    reader.begin(&tails)?;
    while !reader.is_done() && bytes < BYTES {
        reader.read(WAIT, BATCH, |record, at_ms| {
            bytes += record.value.map_or(0, <[u8]>::len);
            let Some(Known { system, flow, is_dead_letter }) = topics.get(&record.topic) else { return };
            let Some(order_id) = flow.order_id(record.topic, record.key, record.value) else { return };
            let step = Step::of(record, at_ms, None, is_dead_letter.then_some(&all));
            let order_id = String::from_utf8_lossy(&order_id).into_owned();
            seen.entry(order_id).or_insert_with(|| Seen::of(system)).see(&step);
        })?;
    }
    let mut newest: Vec<(String, Seen)> = seen.into_iter().collect();
    newest.sort_by_key(|(_, seen)| -seen.last_ms);
    newest.truncate(ORDERS);
    Ok(json!({ "orders": newest.iter().map(row).collect::<Vec<_>>() }))
}

impl Seen {
    /// Nothing yet.
    const fn of(system: &'static str) -> Self {
        Self { system, records: 0, first_ms: i64::MAX, last_ms: i64::MIN, last: String::new(), has_dead_letter: false }
    }

    fn see(&mut self, step: &Step) {
        self.records += 1;
        self.first_ms = self.first_ms.min(step.at_ms);
        self.has_dead_letter |= matches!(step.kind, Kind::DeadLetter(_));
        if step.at_ms >= self.last_ms {
            self.last_ms = step.at_ms;
            let is_dead_letter = matches!(step.kind, Kind::DeadLetter(_));
            self.last = if is_dead_letter { "given up" } else { step.name() }.to_owned();
        }
    }
}

fn row((order_id, seen): &(String, Seen)) -> Value {
    json!({
        "order_id": order_id, "system": seen.system, "records": seen.records, "last": seen.last,
        "first_at": written_at(seen.first_ms), "last_at": written_at(seen.last_ms), "has_dead_letter": seen.has_dead_letter,
    })
}
