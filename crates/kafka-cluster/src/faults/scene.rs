use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use messaging::{Outgoing, SteadyRate};
use nursery::Nursery;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use super::load::{Load, Orders};
use super::pauses::Pauses;
use super::verdict::{self, Row};
use super::workers::Worker;
use super::{Case, Error, RATE, System, Target};
use crate::ADMIN;
use crate::folder::Folder;

/// What a changed topology is called in its folder.
pub(crate) const TOPOLOGY: &str = "topology.json";

/// How long orders flow undisturbed before the first fault, and after the last.
pub(crate) const CALM: Duration = Duration::from_secs(1);

/// What a case works with: the cluster, the workers, the orders, and chance from a seed.
pub(crate) struct Scene<'a> {
    pub(crate) target: &'a dyn Target,
    pub(crate) random: SmallRng,
    pub(crate) workers: BTreeMap<String, Worker>,
    system: &'a System<'a>,
    seed: u64,
    run: String,
    nursery: Nursery,
    load: Option<Load>,
    orders: u64,
    faults: u32,
}

impl<'a> Scene<'a> {
    /// Every service at work in a process of its own, and no order yet.
    pub(crate) fn set(target: &'a dyn Target, system: &'a System<'a>, case: &Case, seed: u64) -> Result<Self, Error> {
        let run = format!("faults-{}-{:016x}", case.name.replace(' ', "-"), rand::random::<u64>());
        let mut scene = Self {
            target,
            random: SmallRng::seed_from_u64(seed),
            workers: BTreeMap::new(),
            system,
            seed,
            run,
            nursery: Nursery::start().map_err(Error::process("the thread that starts workers"))?,
            load: None,
            orders: 0,
            faults: 0,
        };
        if case.starts_with_workers {
            scene.start_workers(case.instance, None)?;
            scene.await_workers()?;
        }
        Ok(scene)
    }

    /// Starts each service, with a topology where that is not the built-in one.
    pub(crate) fn start_workers(&mut self, instance: Option<&str>, topology: Option<&Path>) -> Result<(), Error> {
        for service in self.system.workers() {
            let connection = self.target.connection_as(service)?;
            let worker = Worker::start(&self.nursery, self.system, service, instance, topology, &connection)?;
            self.workers.insert(service.to_owned(), worker);
        }
        Ok(())
    }

    /// A file of the topology with so few records a batch, as long as the answer lives.
    pub(crate) fn with_batches_of(&self, records: u32) -> Result<Folder, Error> {
        let folder = Folder::temporary()?;
        folder.write(TOPOLOGY, self.system.with_batches_of(records)?)?;
        Ok(folder)
    }

    /// A service in a process of its own.
    pub(crate) fn worker(&self, service: &str, instance: Option<&str>) -> Result<Worker, Error> {
        let connection = self.target.connection_as(service)?;
        Worker::start(&self.nursery, self.system, service, instance, None, &connection)
    }

    /// Waits until each worker has its place.
    pub(crate) fn await_workers(&mut self) -> Result<(), Error> {
        self.workers.values_mut().try_for_each(Worker::await_ready)
    }

    /// Orders begin to flow at a rate, each changed by `change`.
    pub(crate) fn publish_at(&mut self, rate: u32, change: fn(u64, Outgoing) -> Outgoing) -> Result<(), Error> {
        let (order, seed) = (self.system.order, self.seed);
        self.load = Some(Load::start(Orders {
            connection: self.target.connection_as(self.system.source)?,
            topics: self.system.topics(),
            run: self.run.clone(),
            rate: SteadyRate::new(rate),
            order: Box::new(move |n| change(n, order(seed, n))),
        })?);
        Ok(())
    }

    /// Orders begin to flow at the usual rate, undisturbed for a while.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        self.publish_at(RATE, |_, order| order)?;
        self.wait(CALM)
    }

    /// How many orders were published so far.
    pub(crate) fn published(&self) -> u64 {
        self.load.as_ref().map_or(0, Load::published)
    }

    /// Lets time pass, while everybody works on.
    pub(crate) fn wait(&mut self, time: Duration) -> Result<(), Error> {
        thread::sleep(time);
        self.workers.values_mut().try_for_each(Worker::check)
    }

    /// A time of chance.
    pub(crate) fn moment(&mut self, millis: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(millis))
    }

    /// A broker of chance.
    pub(crate) fn any_broker(&mut self) -> u8 {
        let brokers = self.target.brokers();
        brokers[self.random.random_range(0..brokers.len())]
    }

    /// Counts faults that struck.
    pub(crate) fn count(&mut self, faults: u32) {
        self.faults += faults;
    }

    /// Watches how the ends grow, from now on.
    pub(crate) fn watch(&self) -> Result<Pauses, Error> {
        let end = self.system.end;
        let partitions = self.system.topology.topic(end.as_str()).map_or(1, |topic| topic.partitions);
        Pauses::watch(&self.target.connection_as(ADMIN)?, end, partitions)
    }

    /// No more orders; answers with their number once all are confirmed.
    pub(crate) fn enough(&mut self) -> Result<u64, Error> {
        if let Some(load) = self.load.take() {
            self.orders = load.end()?;
        }
        Ok(self.orders)
    }

    /// No more orders; all that were published come to their end, and the audit judges.
    pub(crate) fn end(mut self, case: &'static str, pauses: Pauses) -> Result<Row, Error> {
        let orders = self.enough()?;
        let audit = verdict::audit(self.system, &self.target.connection_as(ADMIN)?, &self.run, orders)?;
        let recovered = pauses.longest()?;
        self.workers.values_mut().try_for_each(Worker::check)?;
        Worker::stop(self.workers.values_mut())?;
        let count = |pointer: &str| audit.pointer(pointer).and_then(Value::as_u64).unwrap_or(u64::MAX);
        Ok(Row {
            case,
            faults: self.faults,
            orders,
            accepted: count("/orders/accepted"),
            lost: count("/audit/lost").saturating_add(count("/audit/unfinished")),
            doubled: count("/audit/doubled"),
            redelivered: count("/audit/redelivered"),
            dead_lettered: count("/audit/dead_lettered"),
            recovered,
            passed: audit.pointer("/audit/passed").and_then(Value::as_bool) == Some(true),
        })
    }
}
