use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::topology::{System, Topology};
use events::food::FoodOrder;
use events::{Event, OrderId, Timestamp, Topic};
use food_orders::{Comparison, FoodFlow, food_producer, menu};
use messaging::audit::{Drained, Flow, Marks};
use messaging::store::{OrderTable, StoredOrder};
use messaging::{Outgoing, Services};
use postgres_store::Limits;
use serde_json::{Value, json};
use simulation::{Fault, Faults, Order, Report, Simulation, Store, broker};

use super::{Business, Outcome, ReadEvent, simulated};
use crate::Error;
use crate::stores::FoodTable;

/// Numbers that belong to a seed: two runs on one database draw from different ones, unless their seeds are neighbours and they are long.
const NUMBERS_PER_SEED: u64 = 1_000_000;

/// Seeds with numbers of their own, so that every number fits.
const SEEDS: u64 = 1_000_000_000_000;

/// Rows that are read at once.
const PAGE: usize = 5_000;

/// Food orders.
pub(crate) struct Food {
    services: Services,
    table: FoodTable,
    /// What was taken in, beside which the table is held at the end.
    taken_in: Mutex<Comparison>,
}

impl Food {
    /// Food orders as `topology` declares them, stored in this table.
    ///
    /// # Errors
    /// Where it declares something else than their code has.
    pub(crate) fn new(topology: &Topology, name: &str, table: FoodTable) -> Result<Self, Error> {
        let services = food_orders::services(topology, &table.orders);
        let services = services.map_err(|error| Error::Usage(format!("{name}: {error}")))?;
        Ok(Self { services, table, taken_in: Mutex::default() })
    }
}

impl Business for Food {
    fn name(&self) -> &'static str {
        "food"
    }

    fn system(&self) -> System {
        System::FoodOrders
    }

    fn services(&self) -> &Services {
        &self.services
    }

    fn flow(&self) -> Arc<dyn Flow> {
        Arc::new(FoodFlow)
    }

    fn order(&self, seed: u64, n: u64) -> Order {
        let number = (seed % SEEDS) * NUMBERS_PER_SEED + n;
        let order = menu::order(seed, OrderId::numbered(Timestamp::BASE, number), Timestamp::BASE.plus_ms(n));
        Order { record: Outgoing::of(&order), order_id: order.order_id }
    }

    /// Somebody else's order with all that is wrong with it.
    fn read_order(&self, line: &[u8]) -> Result<Order, String> {
        let order = FoodOrder::check(line).map_err(|faults| faults.to_string())?;
        Ok(Order { record: Outgoing::of(&order), order_id: order.order_id })
    }

    fn reader(&self, topic: Topic) -> Option<ReadEvent> {
        match topic {
            FoodOrder::TOPIC => Some(|value| {
                FoodOrder::check(value).map(|order| Outgoing::of(&order)).map_err(|faults| faults.to_string())
            }),
            food_producer::NUMBERS => Some(|value| food_producer::read(value).map_err(|error| error.to_string())),
            _ => None,
        }
    }

    fn outcomes(&self, tally: &BTreeMap<Marks, u64>) -> Vec<Outcome> {
        vec![Outcome { name: "stored", orders: stored(tally), configured: None }]
    }

    fn document(&self, tally: &BTreeMap<Marks, u64>) -> Value {
        json!({ "outcomes": { "stored": stored(tally) } })
    }

    /// Its group has no dead letter.
    fn given_up(&self) -> &'static str {
        "skipped"
    }

    fn has_digest(&self) -> bool {
        true
    }

    /// The database may be away: a call that waits for it in vain, and the longest backoff of the consumer behind it.
    fn longest_wait(&self) -> Duration {
        let backoffs_ms = self.services.iter().map(|(subscription, _)| subscription.retry.longest_ms());
        Limits::default().deadline + Duration::from_millis(backoffs_ms.max().unwrap_or(0))
    }

    /// The key is the customer's: of a record whose value nobody can read, nothing tells which order it was.
    fn faults(&self, asked: Faults) -> Faults {
        asked.without(Fault::Corruption)
    }

    fn simulate(
        &self,
        topology: &Topology,
        orders: &[Order],
        schedule: u64,
        faults: Faults,
    ) -> Result<(Report, Vec<String>), broker::Error> {
        // Each schedule has a table of its own.
        let store = Arc::new(Store::default());
        let table: Arc<dyn OrderTable> = Arc::clone(&store) as _;
        let services = food_orders::services(topology, &table).unwrap_or_default();
        let trouble = Some(store.trouble());
        let system = simulation::System { trouble, ..simulated(services.iter(), topology, self) };
        let report = Simulation::new(&system, orders).schedule(schedule).faults(faults).run()?;
        let mut comparison = Comparison::default();
        orders.iter().for_each(|order| comparison.record(0, Some(&order.record.value)));
        Ok((report, told(&mut comparison, &*store).unwrap_or_else(|error| vec![error.to_string()])))
    }

    fn taken_in(&self, order: &Outgoing) {
        self.taken_in.lock().unwrap_or_else(PoisonError::into_inner).record(0, Some(&order.value));
    }

    fn table(&self) -> Option<&dyn OrderTable> {
        Some(&*self.table.orders)
    }

    fn discrepancies(&self, _dead_lettered: u64) -> Result<Vec<String>, Error> {
        told(&mut self.taken_in.lock().unwrap_or_else(PoisonError::into_inner), &*self.table.orders)
    }
}

fn stored(tally: &BTreeMap<Marks, u64>) -> u64 {
    tally.get(&FoodFlow::ENDED).copied().unwrap_or(0)
}

/// Shows every row of the table to `each`, page by page.
///
/// # Errors
/// Where the table cannot be read, or `each` has enough.
pub(crate) fn read_table(
    table: &dyn OrderTable,
    mut each: impl FnMut(&StoredOrder) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let rows = table.orders(after.as_ref(), PAGE).map_err(Error::failed)?;
        rows.iter().try_for_each(&mut each)?;
        match rows.last() {
            Some(last) if rows.len() == PAGE => after = Some(last.order_id.clone()),
            _ => return Ok(()),
        }
    }
}

/// What the table says otherwise than the orders that were taken in. Rows of others are no business of ours.
fn told(comparison: &mut Comparison, table: &dyn OrderTable) -> Result<Vec<String>, Error> {
    read_table(table, |row| {
        comparison.row_of_ours(row);
        Ok(())
    })?;
    let verdict = comparison.verdict(Drained::Yes);
    let wrong = verdict.lost + verdict.doubled;
    Ok(if wrong > 0 { verdict.examples } else { Vec::new() })
}
