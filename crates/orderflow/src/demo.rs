//! `orderflow demo`: one order through the saga, told step by step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::topology::Topology;
use events::saga::{OrderCreated, StatedItem, StatedOrder};
use events::{OrderId, SignedCents, Timestamp, Topic};
use kafka_transport::{Connection, EmbeddedCluster, Membership, Pace, Pipeline, Plan, Tap, TopicReader};
use messaging::Outgoing;
use messaging::audit::Observation;
use messaging::store::RowStore;
use order_saga::inventory_service::STOCK;
use order_saga::outside::gateway::{Account, SimulatedGateway};
use order_saga::outside::mailer::SimulatedMailer;
use tracing_subscriber::filter::LevelFilter;

use crate::business::{Business, Saga};
use crate::report::row;
use crate::run::Auditor;
use crate::stores::Stores;
use crate::wiring::Wiring;
use crate::{Error, Status, logging, print};
use step::Step;

mod step; // a record in words

/// How long one order may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Records that are read in one go, and how long the first of them is waited for.
const BATCH: usize = 256;
const WAIT: Duration = Duration::from_millis(50);

/// Pieces of each product that are in stock, where it is.
const PIECES: u64 = 10;

/// What the customer orders: two products, and how many of each.
const ORDERED: [(&str, i64, i64); 2] = [("SKU-00017", 2, 1_999), ("SKU-00042", 1, 8_250)];

/// Takes one order through the saga on an embedded Kafka, and tells what happened.
///
/// 1: it is paid, reserved and completed. 2: the payment is declined, and the reservation released. 3: a product is out of stock, and
/// the payment refunded.
#[derive(clap::Args)]
#[command(after_help = "Example: orderflow demo 2")]
pub(crate) struct Args {
    /// Which scenario.
    #[arg(value_name = "SCENARIO", value_parser = clap::value_parser!(u8).range(1..=3))]
    scenario: u8,
}

/// What makes a scenario what it is.
struct Scenario {
    number: u8,
    title: &'static str,
    premise: &'static str,
    success_percent: u64,
    stocked_percent: u64,
}

const SCENARIOS: [Scenario; 3] = [
    Scenario {
        number: 1,
        title: "the happy path",
        premise: "The gateway grants the payment, and everything is in stock.",
        success_percent: 100,
        stocked_percent: 100,
    },
    Scenario {
        number: 2,
        title: "the payment fails",
        premise: "The gateway will decline the payment. Everything is in stock, so that it is reserved before that is known.",
        success_percent: 0,
        stocked_percent: 100,
    },
    Scenario {
        number: 3,
        title: "out of stock",
        premise: "The gateway grants the payment, and nothing is in stock.",
        success_percent: 100,
        stocked_percent: 0,
    },
];

/// Plays a scenario and tells it.
///
/// # Errors
/// Where the topology does not serve, or the flow breaks off.
pub(crate) fn execute(args: &Args, topology: &Topology, name: &str) -> Result<Status, Error> {
    logging::start(LevelFilter::ERROR);
    let Some(scenario) = SCENARIOS.iter().find(|scenario| scenario.number == args.scenario) else {
        return Err(Error::Usage(format!("no scenario {}; there are 1, 2 and 3", args.scenario)));
    };
    let stores = Stores::in_memory();
    let setting = |service: &str, setting: &str| match setting {
        "success_percent" => Some(scenario.success_percent),
        "stocked_percent" => Some(scenario.stocked_percent),
        "stock_pieces" => Some(PIECES),
        _ => topology.service(service)?.setting(setting),
    };
    let saga: Arc<dyn Business> = Arc::new(Saga::with(topology, name, &setting, stores.clone())?);
    let (steps, passed, verdict) = play(topology, &saga)?;
    let text = scenario.tell(&steps, &outside(&*stores.rows)?, &verdict);
    print(&text)?;
    Ok(if passed && saga.discrepancies(0)?.is_empty() { Status::Holds } else { Status::Fails })
}

/// The order of every scenario.
fn order() -> Result<StatedOrder, Error> {
    let item = |(product, quantity, cents): (&str, i64, i64)| StatedItem {
        product_id: product.to_owned(),
        quantity,
        price: SignedCents::new(cents),
    };
    Ok(StatedOrder {
        order_id: OrderId::parse("demo-order").map_err(Error::failed)?,
        customer_id: "CUST-00042".to_owned(),
        items: ORDERED.map(item).into(),
        total_amount: SignedCents::new(ORDERED.iter().map(|(_, quantity, cents)| quantity * cents).sum()),
        timestamp: Timestamp::BASE,
    })
}

/// Takes the order through the services; answers with every record that stands in a topic then, and what the audit says of them.
fn play(topology: &Topology, saga: &Arc<dyn Business>) -> Result<(Vec<Step>, bool, String), Error> {
    let wiring = Wiring::of(topology, std::slice::from_ref(saga));
    let topics: Vec<Topic> = wiring.topics.iter().map(|&(topic, _)| topic).collect();
    let cluster = EmbeddedCluster::start(wiring.topics.iter().copied())?;
    let connection = Connection::plaintext(&cluster.brokers());
    let auditor = Auditor::start(saga.flow());
    let mut pipeline = Pipeline::start(Plan {
        connection: connection.clone(),
        membership: Membership::Sole,
        pace: Pace::STEADY,
        topics: wiring.topics.clone(),
        groups: wiring.groups(),
        tap: Some(Tap::new(saga.flow(), auditor.sender())),
        metrics: None,
        traces: None,
    })?;
    let order = order()?;
    auditor.accept(vec![Observation::Accepted { order_id: order.order_id.clone(), at_us: auditor.now_us() }]);
    pipeline.publish(&[Outgoing::of(&OrderCreated(order))], "demo");
    let started = Instant::now();
    while auditor.in_flight() > 0 && started.elapsed() < DEADLINE {
        pipeline.check()?;
        std::thread::sleep(Duration::from_millis(5));
    }
    let steps = read(&connection, &topics)?;
    pipeline.drain()?;
    let verdict = auditor.finish()?.verdict;
    Ok((steps, verdict.passed(), verdict.to_string()))
}

/// What stands in the topics, in the order in which it happened.
fn read(connection: &Connection, topics: &[Topic]) -> Result<Vec<Step>, Error> {
    let mut reader = TopicReader::connect(connection)?;
    let spans = reader.spans(topics.iter().copied())?;
    reader.begin(&spans)?;
    let mut steps = Vec::new();
    while !reader.is_done() {
        reader.read(WAIT, BATCH, |record, _| steps.extend(Step::of(record)))?;
    }
    steps.sort();
    Ok(steps)
}

/// What came of it outside: at the gateway, in the warehouse, at the mailer.
fn outside(rows: &dyn RowStore) -> Result<Vec<String>, Error> {
    let table = |table| rows.table(table).map_err(Error::failed);
    let accounts = table(SimulatedGateway::ACCOUNTS)?.into_values().filter_map(|row| Account::read(Some(&row)));
    let account = |Account { charges, refunds, .. }| {
        let times = |count| if count == 1 { "once".to_owned() } else { format!("{count} times") };
        match (charges, refunds) {
            (0, 0) => "the gateway    charged nothing".to_owned(),
            (charges, 0) => format!("the gateway    charged {}", times(charges)),
            (charges, refunds) => format!("the gateway    charged {}, paid back {}", times(charges), times(refunds)),
        }
    };
    let stock = table(STOCK)?;
    let levels: Vec<String> = stock.iter().map(|(product, level)| format!("{level} {product}")).collect();
    let warehouse =
        if levels.is_empty() { "has moved nothing".to_owned() } else { format!("has {} left", levels.join(" and ")) };
    let emails = table(SimulatedMailer::SENT)?.into_values();
    let told =
        emails.map(|email| format!("the mailer     sent one e-mail: {}", email.split(' ').next_back().unwrap_or("")));
    Ok(accounts.map(account).chain([format!("the warehouse  {warehouse}")]).chain(told).collect())
}

impl Scenario {
    fn tell(&self, steps: &[Step], outside: &[String], verdict: &str) -> String {
        let mut text = String::new();
        row(&mut text, format_args!("Scenario {}: {}\n\n{}\n", self.number, self.title, self.premise));
        for (number, step) in (1..).zip(steps) {
            row(&mut text, format_args!("{number:>4}  {step}"));
        }
        row(&mut text, format_args!("\nWhat is left of it outside:"));
        for line in outside {
            row(&mut text, format_args!("  {line}"));
        }
        row(&mut text, format_args!("\n{verdict}"));
        text
    }
}
