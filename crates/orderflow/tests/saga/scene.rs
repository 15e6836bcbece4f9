use std::collections::BTreeMap;

use events::Topic;
use kafka_cluster::{ADMIN, Cluster, Distribution, Options};
use kafka_transport::{Admin, Membership, Pace, Pipeline, Plan};
use messaging::Outgoing;
use postgres_server::Server;
use serde_json::Value;
use topology::Topology;

use crate::call::{Call, Ended, orderflow};
use crate::until;
use crate::worker::Worker;

pub(crate) const SERVICES: [&str; 5] =
    ["order_service", "payment_service", "inventory_service", "notification_service", "order_orchestrator"];

/// A setting of a service, changed.
pub(crate) type Setting = (&'static str, &'static str, u64);

/// What all that happens stands on.
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    pub(crate) database: Server,
    admin: Admin,
}

impl Scene {
    /// The secured cluster as wanted, with our topics, and an empty database behind TLS.
    pub(crate) fn start(wanted: impl FnOnce(Options<'_>) -> Options<'_>) -> Self {
        let topology = Topology::built_in().unwrap();
        let options = wanted(Options::secured(&topology));
        let database = postgres_server::Options::default().with_tls().start().unwrap();
        let cluster = Distribution::find().and_then(|distribution| options.start(&distribution)).unwrap();
        let connection = cluster.connection_as(ADMIN).unwrap();
        orderflow("topics create").on(&connection).end().with_status(0);
        let admin = Admin::connect(&connection).unwrap();
        Self { cluster, database, admin }
    }

    /// A call as a user of the cluster, with the database.
    pub(crate) fn call(&self, user: &str, arguments: &str) -> Call {
        orderflow(arguments).on(&self.cluster.connection_as(user).unwrap()).env("DATABASE_URL", &self.database.url())
    }

    /// A service at work, as its own user, with these settings.
    pub(crate) fn work(&self, service: &str, arguments: &str, settings: &[Setting]) -> Worker {
        let arguments = format!("work {service} --listen 127.0.0.1:0 {arguments}");
        Worker::start(self.call(service, &arguments).topology(|topology| {
            for &(service, setting, value) in settings {
                topology["services"][service]["settings"][setting] = value.into();
            }
        }))
    }

    /// All services but some, at work and in their places; the order service places orders.
    pub(crate) fn work_all(&self, orders: &str, settings: &[Setting], but: &[&str]) -> BTreeMap<&'static str, Worker> {
        let wanted = SERVICES.into_iter().filter(|service| !but.contains(service));
        let start = |service| {
            let arguments = if service == SERVICES[0] { orders } else { "" };
            (service, self.work(service, arguments, settings))
        };
        let workers: BTreeMap<&'static str, Worker> = wanted.map(start).collect();
        workers.values().for_each(|worker| drop(worker.await_told("ready")));
        workers
    }

    /// What the topics and the database tell of the newest run, after everything has come to rest. It must hold.
    pub(crate) fn audit(&self) -> Value {
        self.audit_of("saga")
    }

    /// The same of another system.
    pub(crate) fn audit_of(&self, system: &str) -> Value {
        self.call(ADMIN, &format!("audit {system} --wait 170s --format json")).end().with_status(0).document()
    }

    /// Empties the topics and the database; answers with what it is told.
    pub(crate) fn reset(&self) -> String {
        self.call(ADMIN, "reset --yes").end().with_status(0).stdout
    }

    /// Publishes records to a topic of three partitions, as this service and as part of a run of their own.
    pub(crate) fn publish(&self, service: &str, topic: Topic, records: &[Outgoing], run: &str) {
        let pipeline = Pipeline::start(Plan {
            connection: self.cluster.connection_as(service).unwrap(),
            membership: Membership::Shared { instance: None },
            pace: Pace::BROKERS,
            topics: vec![(topic, 3)],
            groups: Vec::new(),
            tap: None,
            metrics: None,
            traces: None,
        })
        .unwrap();
        pipeline.publish(records, run);
        pipeline.drain().unwrap();
    }

    /// Waits until a topic holds so many records.
    pub(crate) fn await_records(&self, topic: Topic, count: u64) {
        until(&format!("{count} records in {topic}"), || self.records(topic) >= count);
    }

    /// How many records a topic holds.
    pub(crate) fn records(&self, topic: Topic) -> u64 {
        let logs = self.admin.offsets(topic.as_str(), 3).unwrap();
        logs.iter().map(|log| (log.end - log.start).unsigned_abs()).sum()
    }
}

/// Ends workers as systemd does; each must come to rest.
pub(crate) fn end(workers: BTreeMap<&'static str, Worker>) -> Vec<Ended> {
    // All at once: none waits for the others' last records.
    let all: Vec<Worker> = workers.into_values().collect();
    all.iter().for_each(|worker| worker.send(nix::sys::signal::Signal::SIGTERM));
    all.into_iter().map(|worker| worker.end().with_status(0)).collect()
}
