//! `orderflow work`: services as long-running workers on Apache Kafka.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::topology::Topology;
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use events::Topic;
use kafka_transport::{Connection, Group, Membership, Metrics, Pace, Pipeline, Plan};
use messaging::{Rate, Subscription};
use otlp::Traces;
use prometheus_client::registry::Registry;
use sd_notify::NotifyState;
use tracing_subscriber::filter::LevelFilter;
use uuid::Uuid;

use crate::business::Business;
use crate::connect::Brokers;
use crate::live::{self, InView, Page};
use crate::server::{Bound, Listen, Liveness, Server};
use crate::stores::Keep;
use crate::wiring::Wiring;
use crate::{Error, Status, System, business, logging, signals, traces};
use fault::Faulty;
use food_producer::FoodProducer;
use progress::Progress;
use source::{Generator, Source};

mod delivery; // a batch until it is confirmed
mod fault; // a service that gives up what it should not
mod food_producer; // the one that draws its orders' numbers
mod progress; // what its groups do, in the log
mod source; // the services that read nothing and publish orders

/// How often the groups are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs services as members of their consumer groups until SIGTERM; then confirms and commits what it has begun.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Start it more than once, on as many machines as there are partitions: the members of a group share them.\n\n\
    Examples:\n  orderflow work payment_processor --listen 127.0.0.1:9400\n  \
    orderflow work order_generator --orders 1000 --rate 100 --seed 7"
)]
pub(crate) struct Args {
    /// The services: payment_processor, inventory_manager, shipping_handler, notification_handler, order_generator; order_service,
    /// payment_service, inventory_service, notification_service, order_orchestrator; food_producer, food_consumer.
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    brokers: Brokers,
    #[command(flatten)]
    listen: Listen,
    /// A name that this worker keeps when it starts anew (group.instance.id): back within 6 s it gets its partitions again
    /// without disturbing the others. No two workers may have the same.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    instance: Option<String>,
    /// Plants a fault, so that repairs can be tried: so many records that are as they should be are given up, such as 1%.
    #[arg(long, value_name = "SHARE")]
    reject: Option<Rate>,
    #[command(flatten)]
    source: source::Args,
}

/// Works until it is told to stop, or until the last order of a generator that runs alone is confirmed.
///
/// # Errors
/// Where a service is unknown, the brokers refuse it, or a group cannot go on.
pub(crate) fn execute(args: &Args, topology: &Topology, name: &str) -> Result<Status, Error> {
    logging::start(LevelFilter::INFO);
    let stop = signals::stop_flag()?;
    let mut worker = match Worker::start(args, topology, name) {
        // Who has told it to stop does not wait for a start that fails.
        Err(Error::Failed(_)) if stop.load(Ordering::Acquire) => {
            log(&args.services.join(","), "stopped");
            return Ok(Status::Holds);
        }
        started => started?,
    };
    let worked = worker.work(&stop);
    worker.end(worked)?;
    Ok(Status::Holds)
}

/// Services at work.
struct Worker {
    names: String,
    liveness: Liveness,
    _server: Option<Server>,
    pipeline: Pipeline,
    sources: Vec<Box<dyn Source>>,
    progress: Progress,
    traces: Option<Traces>,
    /// Whether its orders are all that it does.
    is_source_alone: bool,
}

impl Worker {
    fn start(args: &Args, topology: &Topology, name: &str) -> Result<Self, Error> {
        check(&args.services, topology)?;
        let is_asked = |service: &str| args.services.iter().any(|asked| asked == service);
        if args.places_orders().next().is_none() && args.source.is_given() {
            let given = "--orders, --rate and --seed";
            return Err(Error::Usage(format!(
                "{given} are for order_generator, order_service and food_producer, none of which is among the services"
            )));
        }
        let places_food = is_asked(food_orders::food_producer::NAME);
        let food_rate = places_food.then(|| food_producer::rate(&args.source, topology)).transpose()?;
        let names = args.services.join(",");
        let businesses = args.businesses(topology, name, Keep::Shared(&|| warn_in_memory(&names)))?;
        let connection = args.brokers.connection()?;
        let traces = traces::start(topology)?;
        let mut registry = Registry::default();
        traces.iter().for_each(|traces| traces.register(&mut registry));
        let bound = args.listen.bind()?;
        let metrics = bound.is_some().then(|| Metrics::register(&mut registry));
        let collectors = businesses.iter().filter_map(|business| business.metrics(&is_asked));
        collectors.for_each(|collector| registry.register_collector(collector));
        let liveness = Liveness::begin();
        let serve = |bound: Bound| {
            log_listening(&names, bound.address());
            let page = Page::new(
                topology,
                name,
                None,
                InView::of(&connection),
                vec![bound.address().to_string()],
                live::INTERVAL,
            )?;
            bound.serve(registry, Some(liveness.clone()), page)
        };
        let server = bound.map(serve).transpose()?;
        let wiring = Wiring::of(topology, &businesses);
        let mut groups = wiring.groups_where(is_asked);
        if let Some(share) = args.reject {
            groups = with_faults(groups, &businesses, share)?;
            warn_of_fault(&names);
        }
        let topics = wiring.topics;
        let is_source_alone = groups.is_empty();
        let pipeline = Pipeline::start(Plan {
            connection: connection.clone(),
            membership: Membership::Shared { instance: args.instance.clone() },
            pace: Pace::BROKERS,
            topics: topics.clone(),
            groups,
            tap: None,
            metrics,
            traces: traces.clone(),
        })?;
        let sources = args.sources(topology, &businesses, food_rate, &connection, &topics, traces.as_ref())?;
        log(&names, "started");
        let progress = Progress::start(pipeline.tallies());
        Ok(Self { names, liveness, _server: server, pipeline, sources, progress, traces, is_source_alone })
    }

    fn work(&mut self, stop: &AtomicBool) -> Result<(), Error> {
        let mut is_announced = false;
        while !stop.load(Ordering::Acquire) {
            self.pipeline.check()?;
            self.progress.look();
            let has_joined = self.pipeline.has_joined();
            self.liveness.tell(has_joined, &self.pipeline.turns());
            if has_joined && !is_announced {
                is_announced = true;
                log(&self.names, "ready");
                notify(NotifyState::Ready);
            }
            let mut publishes = false;
            for source in &mut self.sources {
                publishes |= source.publish(&self.pipeline)?;
            }
            if !publishes && self.is_source_alone {
                break;
            }
            if !publishes {
                std::thread::sleep(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// Confirms and commits what it has begun, unless it has failed; the log has all that was done, either way.
    fn end(mut self, worked: Result<(), Error>) -> Result<(), Error> {
        notify(NotifyState::Stopping);
        log(&self.names, "stopping");
        self.liveness.stop();
        let ended = match worked {
            Ok(()) => {
                let finished = self.sources.iter_mut().try_for_each(|source| source.finish());
                self.pipeline.drain().map_err(Error::from).and(finished)
            }
            Err(error) => {
                drop(self.pipeline);
                Err(error)
            }
        };
        traces::finish(self.traces.as_ref());
        self.progress.tell();
        if ended.is_ok() {
            log(&self.names, "stopped");
        }
        ended
    }
}

impl Args {
    /// The systems whose services are asked for.
    fn businesses(&self, topology: &Topology, name: &str, keep: Keep<'_>) -> Result<Vec<Arc<dyn Business>>, Error> {
        let asked = |system: topology::System| {
            topology.services_of(system).filter(|service| self.services.contains(&service.name))
        };
        let is_asked = |system: &&System| asked(system.declared()).next().is_some();
        let systems = System::value_variants().iter().filter(is_asked);
        let business = |&system: &System| {
            // Who reads nothing keeps nothing.
            let reads = asked(system.declared()).any(|service| !service.consumes.is_empty());
            business(system, topology, name, if reads { keep } else { Keep::InMemory })
        };
        systems.map(business).collect()
    }

    /// The services among those asked for that place orders: the saga's does only where it is told how many or how fast.
    fn places_orders(&self) -> impl Iterator<Item = &str> {
        let places = |service: &&str| match *service {
            shop::order_generator::NAME | food_orders::food_producer::NAME => true,
            order_saga::order_service::NAME => self.source.is_given(),
            _ => false,
        };
        self.services.iter().map(String::as_str).filter(places)
    }

    fn sources(
        &self,
        topology: &Topology,
        businesses: &[Arc<dyn Business>],
        food_rate: Option<u32>,
        connection: &Connection,
        topics: &[(Topic, i32)],
        traces: Option<&Traces>,
    ) -> Result<Vec<Box<dyn Source>>, Error> {
        let mut sources: Vec<Box<dyn Source>> = Vec::new();
        for service in self.places_orders() {
            let run = Uuid::now_v7().to_string();
            if let Some(rate) = food_rate.filter(|_| service == food_orders::food_producer::NAME) {
                sources.push(Box::new(FoodProducer::start(
                    &self.source,
                    rate,
                    connection,
                    topics,
                    &run,
                    traces.cloned(),
                )?));
                continue;
            }
            let system = topology.service(service).map(|of| of.system);
            let of_system = businesses.iter().find(|business| system == Some(business.system()));
            let generator = |business| Generator::start(&self.source, service, Arc::clone(business), run);
            sources.extend(of_system.map(generator).map(|generator| Box::new(generator) as Box<dyn Source>));
        }
        Ok(sources)
    }
}

/// Refuses services that are not there.
fn check(asked: &[String], topology: &Topology) -> Result<(), Error> {
    let Some(name) = asked.iter().find(|name| topology.service(name).is_none()) else { return Ok(()) };
    let known: Vec<&str> = topology.services().map(|service| service.name.as_str()).collect();
    Err(Error::Usage(format!("no service `{name}`; there are {}", known.join(", "))))
}

/// Groups whose services give up a share of their records.
///
/// # Errors
/// Where such a record would have no dead letter, or there is no group at all.
fn with_faults(groups: Vec<Group>, businesses: &[Arc<dyn Business>], share: Rate) -> Result<Vec<Group>, Error> {
    if groups.is_empty() {
        return Err(Error::Usage("--reject: none of the services reads anything that it could give up".to_owned()));
    }
    let with_fault = |Group { subscription, step }: Group| {
        let Subscription { service, group, .. } = &subscription;
        if subscription.dead_letter.is_none() {
            return Err(Error::Usage(format!(
                "--reject: {service} skips what it gives up, because the group {group} keeps no dead letters"
            )));
        }
        let has_group = |business: &&Arc<dyn Business>| business.services().iter().any(|(of, _)| of.group == *group);
        let Some(business) = businesses.iter().find(has_group) else { return Ok(Group { subscription, step }) };
        let step = Box::new(Faulty::new(step, service, business.flow(), share));
        Ok(Group { subscription, step })
    };
    groups.into_iter().map(with_fault).collect()
}

/// Nobody is to look for the fault elsewhere.
fn warn_of_fault(services: &str) {
    tracing::warn!(order_id = "", event_type = "", service = services, status = "fault_planted", "worker");
}

/// What happened to the worker itself: an event without an order.
fn log(services: &str, status: &'static str) {
    tracing::info!(order_id = "", event_type = "", service = services, status, "worker");
}

/// What the saga keeps is gone with this process, and no other process knows it.
fn warn_in_memory(services: &str) {
    let status = "in_memory";
    tracing::warn!(order_id = "", event_type = "", service = services, status, "DATABASE_URL is not set");
}

/// Where it is to be asked: who let the system choose a port finds it here.
fn log_listening(services: &str, address: SocketAddr) {
    let status = "listening";
    tracing::info!(order_id = "", event_type = "", service = services, status, %address, "worker");
}

/// Tells systemd, where it listens.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(order_id = "", event_type = "", service = "", status = "not_notified", %error, "systemd not told");
    }
}
