use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use events::hash_of;
use simulation::Order;

use crate::business::Business;

/// Orders as somebody else wrote them, each once.
pub(crate) struct Input {
    business: Arc<dyn Business>,
    /// The line of each order id so far, by the id's hash: about 50 bytes an order.
    seen: HashMap<u128, u64>,
}

impl Input {
    pub(crate) fn new(business: Arc<dyn Business>) -> Self {
        Self { business, seen: HashMap::new() }
    }

    /// The order of a line with this number.
    ///
    /// # Errors
    /// Why it is none, or where it came before.
    pub(crate) fn read(&mut self, line: &[u8], number: u64) -> Result<Order, String> {
        let order = self.business.read_order(line)?;
        let id = order.order_id.as_str();
        match self.seen.entry(hash_of(&[id])) {
            Entry::Occupied(first) => {
                Err(format!("order_id: found {id:?} on line {} and on line {number}, allowed once", first.get()))
            }
            Entry::Vacant(place) => {
                place.insert(number);
                Ok(order)
            }
        }
    }
}
