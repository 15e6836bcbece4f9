//! The saga under the simulation, through the public API only.
#![cfg(test)]

mod faults; // every order ends once and leaves no trace, whatever goes wrong
mod sabotage; // each planted bug is found

use std::sync::Arc;

use events::saga::OrderCreated;
use events::{Timestamp, Topic};
use messaging::store::{EventStore, RowStore};
use messaging::{Clock, Handler, Outgoing};
use order_saga::books::Books;
use order_saga::{Ground, SagaFlow, SagaServices, catalogue};
use simulation::{Consumer, Faults, Order, Report, Simulation, Store, System};
use topology::Topology;

/// What a run came to: its records, and what came of them outside.
struct Outcome {
    report: Report,
    books: Books,
}

impl Outcome {
    fn passed(&self) -> bool {
        // A customer was told nothing only where that e-mail's record went to a dead letter.
        self.report.passed() && self.books.balance() && self.books.untold <= self.report.verdict.dead_lettered
    }

    fn told(&self) -> String {
        format!("{}\n{:#?}\n{}", self.report, self.books, self.report.log().join("\n"))
    }
}

/// A planted bug: what a service of that name does instead, with the store that all share.
type Bug = dyn Fn(&str, Arc<dyn Handler>, &Arc<Store>) -> Arc<dyn Handler> + Send + Sync;

fn honest(_: &str, handler: Arc<dyn Handler>, _: &Arc<Store>) -> Arc<dyn Handler> {
    handler
}

/// The saga as `topology.json` declares it, with scarce stock, services outside that fail at times, and answers that are overdue soon.
///
/// Each run has a store of its own.
fn run(seed: u64, orders: &[Order], faults: Faults, bug: &Arc<Bug>) -> Outcome {
    let topology = Arc::new(Topology::built_in().unwrap());
    let store = Arc::new(Store::default());
    let ground = {
        let store = Arc::clone(&store);
        move |clock: Arc<dyn Clock>| Ground {
            events: Arc::clone(&store) as Arc<dyn EventStore>,
            rows: Arc::clone(&store) as Arc<dyn RowStore>,
            clock,
            wait: |_| {},
        }
    };
    let saga = {
        let topology = Arc::clone(&topology);
        move |clock| SagaServices::hurried(&topology, &ground(clock)).unwrap()
    };
    let first = saga(Arc::new(Still));
    let consumers = first.services.iter().map(|(subscription, _)| {
        let (saga, of, bug, store) = (saga.clone(), subscription.clone(), Arc::clone(bug), Arc::clone(&store));
        Consumer::new(subscription.clone(), move |clock| {
            // A machine that starts anew knows nothing but what stands in the store.
            let own = saga(clock).services.map(|of, handler| bug(&of.service, handler, &store));
            let (_, new_step) = own.iter().find(|(subscription, _)| **subscription == of).unwrap();
            new_step()
        })
    });
    let system = System {
        topics: topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as usize)).collect(),
        consumers: consumers.collect(),
        flow: Arc::new(SagaFlow),
        trouble: Some(store.trouble()),
    };
    let report = Simulation::new(&system, orders).schedule(seed).faults(faults).run().unwrap();
    let books = Books::read(&*store, &*store).unwrap();
    Outcome { report, books }
}

/// The clock of nobody: only what the services are called is asked of those.
struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        0
    }
}

/// The first orders of a seed.
fn orders(seed: u64, count: u64) -> Vec<Order> {
    let order = |n| {
        let order = catalogue::order(seed, Timestamp::BASE, n);
        let order_id = order.order_id.clone();
        Order { record: Outgoing::of(&OrderCreated(order)), order_id }
    };
    (0..count).map(order).collect()
}
