//! The shop behind its mappings, as fast as it goes: orders a second through all five functions on the embedded cluster. And
//! what an invocation of a function that does nothing takes, which is what the emulator adds to each.
//!
//! `cargo bench -p shop-functions --bench shop -- 200000`: so many orders, three times.

use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use events::{Timestamp, Topic};
use kafka_transport::{Connection, EmbeddedCluster, GroupOffsets, Pace, TopicReader, Writer};
use lambda_emulator::{Emulator, Options, Outcome, Packing, pack};
use messaging::Outgoing;
use serde_json::{Value, json};
use shop::order_generator::generate_order_event;
use topology::Topology;

const RUNS: usize = 3;
const BATCH_SIZE: u64 = 1_000;
const WARM: usize = 2_000;

/// Orders that are handed over in one go.
const CHUNK: u64 = 500;

/// How long a run may take.
const DEADLINE: Duration = Duration::from_secs(300);

/// Records that may stand unread in all topics together: enough for full batches, and few enough for the embedded cluster.
const MAX_UNREAD: i64 = 30_000;

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
        match emulator.invoke("hello_world", b"{}")? {
            Outcome::Answered(_) => Ok(started.elapsed().as_micros()),
            Outcome::Failed { payload, .. } => Err(String::from_utf8_lossy(&payload).into()),
        }
    };
    once(0)?; // INIT
    let mut us = (0..WARM).map(once).collect::<Result<Vec<u128>, Failed>>()?;
    us.sort_unstable();
    Ok(us)
}

fn create(emulator: &Emulator, name: &str, (timeout, memory): (u32, u32), variables: &Value) -> Result<(), Failed> {
    let program = std::fs::read(env!("CARGO_BIN_EXE_shop-functions"))?;
    let zip = STANDARD.encode(pack(&program, Packing::Quick)?);
    let body = json!({"FunctionName": name, "Runtime": "provided.al2023", "Handler": name, "Timeout": timeout,
        "MemorySize": memory, "Code": {"ZipFile": zip}, "Environment": {"Variables": variables}});
    Ok(emulator.create_function(&serde_json::from_value(body)?)?)
}

/// Orders a second, from the first that is published to the last commit of the last group.
fn run(orders: u64) -> Result<f64, Failed> {
    let topology = Topology::built_in()?;
    let topics: Vec<(Topic, i32)> =
        topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32)).collect();
    let cluster = EmbeddedCluster::start(topics.iter().copied())?;
    let connection = Connection::plaintext(&cluster.brokers());
    let folder = tempfile::tempdir()?;
    let emulator = Emulator::start(Options { pace: Pace::STEADY, ..Options::new(folder.path()) })?;
    for service in topology.services().filter(|service| !service.consumes.is_empty()) {
        let variables = json!({"KAFKA_BROKERS": cluster.brokers(), "RUST_LOG": "warn"});
        create(&emulator, &service.name, (service.timeout_s, service.memory_mib), &variables)?;
    }
    for (service, group) in topology.groups() {
        let body = json!({"FunctionName": service.name, "Topics": [group.topic], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [cluster.brokers()]}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group.group}, "BatchSize": BATCH_SIZE,
            "MaximumBatchingWindowInSeconds": 0});
        emulator.create_event_source_mapping(serde_json::from_value(body)?)?;
    }

    let unread = Unread::of(&topology, &connection)?;
    let writer = Writer::new(&connection, &topics, Duration::from_secs(10))?;
    writer.connect(Duration::from_secs(10))?;
    let started = Instant::now();
    for first in (0..orders).step_by(CHUNK as usize) {
        while unread.count()? > MAX_UNREAD {
            std::thread::sleep(Duration::from_millis(1));
        }
        writer.open(0);
        for n in first..orders.min(first + CHUNK) {
            writer.publish(0, &Outgoing::of(&generate_order_event(7, Timestamp::BASE, n)), Some(b"bench"));
        }
        writer.confirm(0, Instant::now() + Duration::from_secs(10))?;
    }
    while unread.count()? > 0 {
        if started.elapsed() > DEADLINE {
            return Err(format!("{} records are still unread", unread.count()?).into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let rate = orders as f64 / started.elapsed().as_secs_f64();
    let failures: u64 = emulator.mappings().iter().map(|mapping| mapping.status.failures).sum();
    let largest = std::fs::read_dir(folder.path())?.filter_map(|log| peak_mb(&log.ok()?.path())).max();
    writeln!(
        stdout(),
        "{rate:.0} orders/s, {failures} invocations failed, the largest function took {} MB",
        largest.unwrap_or(0)
    )?;
    Ok(rate)
}

/// What groups have not committed yet.
struct Unread {
    reader: TopicReader,
    groups: Vec<(GroupOffsets, String, u32)>,
}

impl Unread {
    fn of(topology: &Topology, connection: &Connection) -> Result<Self, Failed> {
        let group = |(_, group): (_, &topology::Consumption)| {
            let partitions = topology.topic(&group.topic).map_or(0, |topic| topic.partitions);
            Ok((GroupOffsets::of(connection, &group.group)?, group.topic.clone(), partitions))
        };
        let groups = topology.groups().map(group).collect::<Result<_, Failed>>()?;
        Ok(Self { reader: TopicReader::connect(connection)?, groups })
    }

    /// The offsets first, the ends afterwards: where they are equal, nothing was under way in between, because a function
    /// answers only once its writes are confirmed.
    fn count(&self) -> Result<i64, Failed> {
        let mut committed = 0;
        for (offsets, topic, partitions) in &self.groups {
            committed += offsets.committed(topic, *partitions)?.into_iter().flatten().sum::<i64>();
        }
        let mut end = 0;
        for (_, topic, _) in &self.groups {
            end += self.reader.spans([Topic::named(topic)])?.iter().map(|span| span.to).sum::<i64>();
        }
        Ok(end - committed)
    }
}

/// The most memory that a function's log states, in MB.
fn peak_mb(log: &std::path::Path) -> Option<u64> {
    let text = std::fs::read_to_string(log).ok()?;
    let stated = |line: &str| line.split_once("Max Memory Used: ")?.1.split_once(' ')?.0.parse().ok();
    text.lines().filter_map(stated).max()
}
