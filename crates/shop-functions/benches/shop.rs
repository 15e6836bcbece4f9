//! The shop behind its mappings, as fast as it goes: orders a second through all five functions on the embedded cluster. And
//! what an invocation of a function that does nothing takes, which is what the emulator adds to each.
//!
//! `cargo bench -p shop-functions --bench shop -- 200000`: so many orders, three times.

use std::io::{Write, stdout};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use events::shop::{InventoryResult, OrderPlaced, PaymentResult};
use events::{Event, Topic};
use kafka_transport::{Connection, EmbeddedCluster, GroupOffsets, Pace, TopicReader};
use lambda_emulator::{Emulator, FunctionStatus, MappingSummary, Options, Outcome, Packing, pack};
use serde_json::{Value, json};
use topology::{Host, Topology};

/// As in `orderflow`, which runs the emulator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const RUNS: usize = 3;
const BATCH_SIZE: u64 = 1_000;
const WARM: usize = 2_000;

/// Orders of one invocation of `order_generator`.
const CHUNK: u64 = 1_000;

/// How long a run may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Records that a mapping may have before it: enough for full batches, and few enough for the embedded cluster.
const MAX_UNREAD: u64 = 12_000;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    // cargo adds `--bench`.
    let orders = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(200_000);
    let mut rates = (0..RUNS).map(|_| run(orders)).collect::<Result<Vec<f64>, _>>()?;
    rates.sort_by(f64::total_cmp);
    let us = warm_invocation_us()?;
    writeln!(
        stdout(),
        "{orders} orders, batches of {BATCH_SIZE}: best {:.0}, median {:.0} orders/s",
        rates[RUNS - 1],
        rates[RUNS / 2]
    )?;
    writeln!(
        stdout(),
        "a warm invocation of hello_world, {WARM} times: p50 {} us, p99 {} us",
        us[WARM / 2],
        us[WARM * 99 / 100]
    )?;
    Ok(())
}

/// How long each of [`WARM`] invocations took, from the shortest on.
fn warm_invocation_us() -> Result<Vec<u128>, Failed> {
    let folder = tempfile::tempdir()?;
    let emulator = Emulator::start(Options::new(folder.path()))?;
    create(&emulator, "hello_world", (3, 128), &json!({}))?;
    let once = |_| {
        let started = Instant::now();
        invoke(&emulator, "hello_world", "{}").map(|()| started.elapsed().as_micros())
    };
    once(0)?; // INIT
    let mut us = (0..WARM).map(once).collect::<Result<Vec<u128>, Failed>>()?;
    us.sort_unstable();
    Ok(us)
}

fn invoke(emulator: &Emulator, name: &str, payload: &str) -> Result<(), Failed> {
    match emulator.invoke(name, payload.as_bytes())? {
        Outcome::Answered(_) => Ok(()),
        Outcome::Failed { payload, .. } => Err(String::from_utf8_lossy(&payload).into()),
    }
}

fn create(emulator: &Emulator, name: &str, (timeout, memory): (u32, u32), variables: &Value) -> Result<(), Failed> {
    let program = std::fs::read(env!("CARGO_BIN_EXE_shop-functions"))?;
    let zip = STANDARD.encode(pack(&program, Packing::Quick)?);
    let body = json!({"FunctionName": name, "Runtime": "provided.al2023", "Handler": name, "Timeout": timeout,
        "MemorySize": memory, "Code": {"ZipFile": zip}, "Environment": {"Variables": variables}});
    Ok(emulator.create_function(&serde_json::from_value(body)?)?)
}

/// Orders a second, from the first invocation of `order_generator` to the last commit of the last group.
fn run(orders: u64) -> Result<f64, Failed> {
    let topology = Topology::built_in()?;
    let topics: Vec<(Topic, i32)> =
        topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32)).collect();
    let cluster = EmbeddedCluster::start(topics)?;
    let connection = Connection::plaintext(&cluster.brokers());
    let folder = tempfile::tempdir()?;
    let emulator = Emulator::start(Options { pace: Pace::STEADY, ..Options::new(folder.path()) })?;
    for service in topology.services().filter(|service| service.host == Host::Lambda) {
        let variables = json!({"KAFKA_BROKERS": cluster.brokers(), "RUST_LOG": "warn"});
        create(&emulator, &service.name, (service.timeout_s, service.memory_mib), &variables)?;
    }
    for (service, group) in topology.groups().filter(|(service, _)| service.host == Host::Lambda) {
        let body = json!({"FunctionName": service.name, "Topics": [group.topic], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [cluster.brokers()]}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group.group}, "BatchSize": BATCH_SIZE,
            "MaximumBatchingWindowInSeconds": 0});
        emulator.create_event_source_mapping(serde_json::from_value(body)?)?;
    }

    let started = Instant::now();
    place(&emulator, orders)?;
    let unread = Unread::of(&topology, &connection)?;
    while unread.count()? > 0 {
        if started.elapsed() > DEADLINE {
            return Err(format!("{} records are still unread; {:#?}", unread.count()?, emulator.mappings()).into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    let rate = orders as f64 / started.elapsed().as_secs_f64();
    let failures: u64 = emulator.mappings().iter().map(|mapping| mapping.status.failures).sum();
    writeln!(stdout(), "{rate:.0} orders/s, {failures} invocations failed; by function:")?;
    for FunctionStatus { function, invocations, p50, p99, memory_mib, .. } in emulator.functions() {
        writeln!(stdout(), "  {function:<20} {invocations:>6} invocations, p50 {p50:?}, p99 {p99:?}, {memory_mib} MB")?;
    }
    Ok(rate)
}

/// Lets orders be placed, as long as no mapping falls too far behind.
fn place(emulator: &Emulator, orders: u64) -> Result<(), Failed> {
    for first in (0..orders).step_by(CHUNK as usize) {
        while first > slowest(emulator) + MAX_UNREAD {
            thread::sleep(Duration::from_millis(1));
        }
        invoke(emulator, "order_generator", &json!({"orders": CHUNK.min(orders - first)}).to_string())?;
    }
    Ok(())
}

/// How many records the slowest mapping is done with, of those that get one an order.
fn slowest(emulator: &Emulator) -> u64 {
    let of_each_order = [OrderPlaced::TOPIC, PaymentResult::TOPIC, InventoryResult::TOPIC];
    let is_one = |mapping: &MappingSummary| of_each_order.iter().any(|topic| topic.as_str() == mapping.topic);
    emulator
        .mappings()
        .iter()
        .filter(|mapping| is_one(mapping))
        .map(|mapping| mapping.status.records)
        .min()
        .unwrap_or(0)
}

/// What groups have not committed yet.
struct Unread {
    reader: TopicReader,
    groups: Vec<(GroupOffsets, Topic, u32)>,
}

impl Unread {
    fn of(topology: &Topology, connection: &Connection) -> Result<Self, Failed> {
        let group = |(_, group): (&topology::Service, &topology::Consumption)| {
            let partitions = topology.topic(&group.topic).map_or(0, |topic| topic.partitions);
            Ok((GroupOffsets::of(connection, &group.group)?, Topic::named(&group.topic), partitions))
        };
        let on_lambda = topology.groups().filter(|(service, _)| service.host == Host::Lambda);
        let groups = on_lambda.map(group).collect::<Result<_, Failed>>()?;
        Ok(Self { reader: TopicReader::connect(connection)?, groups })
    }

    /// All offsets first, the ends afterwards: where they are equal, nothing was under way in between, because a function
    /// answers only once its writes are confirmed.
    fn count(&self) -> Result<i64, Failed> {
        let mut committed = 0;
        for (offsets, topic, partitions) in &self.groups {
            committed += offsets.committed(topic.as_str(), *partitions)?.into_iter().flatten().sum::<i64>();
        }
        let ends = self.reader.spans(self.groups.iter().map(|(_, topic, _)| *topic))?;
        Ok(ends.iter().map(|span| span.to).sum::<i64>() - committed)
    }
}
