//! Reserves all of an order or nothing, never below zero, and gives back once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use events::OrderId;
use events::saga::{
    InventoryRejected, InventoryReleased, InventoryReserved, Item, Order, ReleaseRequested, ReservationRequested, Stock,
};
use messaging::{Context, Failure, Handler, Outgoing, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "inventory_service";

/// Answers each request with what its order holds.
#[derive(Debug)]
pub struct InventoryService {
    /// The stock, in memory: gone with the process.
    pub warehouse: Mutex<Warehouse>,
}

impl Handler for InventoryService {
    fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        // The status tells them apart, and few are releases; what is neither is refused as a request to reserve.
        let (order, request) = match record.decode() {
            Ok(ReservationRequested(order)) => (order, Request::Reserve),
            Err(refused) => {
                let ReleaseRequested(order) = record.decode().map_err(|_| refused)?;
                (order, Request::Release)
            }
        };
        let Order { order_id, items, timestamp, .. } = order;
        // Whoever panicked has moved all pieces of an order or none: `answer` looks before it moves any.
        let mut warehouse = self.warehouse.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = warehouse.answer(&order_id, &items, request);
        let at = timestamp.plus_ms(20 + context.draw(&order_id, "stock").scale(100));
        let stock = |Pieces { product_id, quantity }: Pieces| {
            let order_id = order_id.clone();
            Stock { product_id, quantity_reserved: quantity, order_id, timestamp: at }
        };
        Ok(match answer {
            Answer::Reserved(all) => {
                all.into_iter().map(|pieces| Outgoing::of(&InventoryReserved(stock(pieces)))).collect()
            }
            Answer::Rejected(pieces) => vec![Outgoing::of(&InventoryRejected(stock(pieces)))],
            Answer::Released(all) => {
                all.into_iter().map(|pieces| Outgoing::of(&InventoryReleased(stock(pieces)))).collect()
            }
        })
    }
}

/// How many pieces of each product there are, and what each order holds of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warehouse {
    levels: BTreeMap<String, u32>,
    orders: BTreeMap<OrderId, Holding>,
}

/// What an order holds. It is all that the service remembers of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holding {
    /// All its items.
    Reserved,
    /// Nothing: so many pieces of this product were wanted and not there.
    Short(Pieces),
    /// Nothing any more: it was released, or called off before it was reserved. Whether it held its items.
    Released(bool),
}

/// Pieces of a product.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pieces {
    /// The product.
    pub product_id: String,
    /// How many.
    pub quantity: u32,
}

/// What the service is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// To reserve all items, or none.
    Reserve,
    /// To release whatever is reserved, and to reserve nothing any more.
    Release,
}

/// What the service answers; the same to the same question, once it has answered it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// `inventory.reserved`, once for each of these.
    Reserved(Vec<Pieces>),
    /// `inventory.rejected`.
    Rejected(Pieces),
    /// `inventory.released`, once for each of these, of no pieces where none were held.
    Released(Vec<Pieces>),
}

impl Warehouse {
    /// So many pieces of each product, and no order yet.
    pub fn new(levels: impl IntoIterator<Item = (String, u32)>) -> Self {
        Self { levels: levels.into_iter().collect(), orders: BTreeMap::new() }
    }

    /// Pieces of a product that no order holds.
    pub fn level(&self, product_id: &str) -> u32 {
        self.levels.get(product_id).copied().unwrap_or_default()
    }

    /// Answers a request about an order of these items, each of another product.
    ///
    /// A request to reserve that comes behind the release, late or once more, is rejected with no pieces: an order that was
    /// called off never holds anything.
    pub fn answer(&mut self, order_id: &OrderId, items: &[Item], request: Request) -> Answer {
        match (request, self.orders.get(order_id)) {
            (Request::Reserve, None) => self.reserve(order_id, items),
            (Request::Reserve, Some(Holding::Reserved)) => Answer::Reserved(pieces(items)),
            (Request::Reserve, Some(Holding::Short(short))) => Answer::Rejected(short.clone()),
            (Request::Reserve, Some(Holding::Released(_))) => Answer::Rejected(nothing_of(items)),
            (Request::Release, Some(Holding::Reserved)) => {
                for item in items {
                    *self.levels.entry(item.product_id.clone()).or_default() += item.quantity;
                }
                self.called_off(order_id, items, true)
            }
            (Request::Release, Some(Holding::Released(held))) => {
                let held = *held;
                self.called_off(order_id, items, held)
            }
            (Request::Release, None | Some(Holding::Short(_))) => self.called_off(order_id, items, false),
        }
    }

    fn reserve(&mut self, order_id: &OrderId, items: &[Item]) -> Answer {
        if let Some(item) = items.iter().find(|item| self.level(&item.product_id) < item.quantity) {
            let short = Pieces { product_id: item.product_id.clone(), quantity: item.quantity };
            self.orders.insert(order_id.clone(), Holding::Short(short.clone()));
            return Answer::Rejected(short);
        }
        for item in items {
            if let Some(level) = self.levels.get_mut(&item.product_id) {
                *level -= item.quantity; // there are as many: it was just asked
            }
        }
        self.orders.insert(order_id.clone(), Holding::Reserved);
        Answer::Reserved(pieces(items))
    }

    fn called_off(&mut self, order_id: &OrderId, items: &[Item], held: bool) -> Answer {
        self.orders.insert(order_id.clone(), Holding::Released(held));
        let mut released = pieces(items);
        if !held {
            released.iter_mut().for_each(|pieces| pieces.quantity = 0);
        }
        Answer::Released(released)
    }
}

fn pieces(items: &[Item]) -> Vec<Pieces> {
    items.iter().map(|item| Pieces { product_id: item.product_id.clone(), quantity: item.quantity }).collect()
}

/// Of the first product: an answer is about one.
fn nothing_of(items: &[Item]) -> Pieces {
    Pieces { product_id: items.first().map(|item| item.product_id.clone()).unwrap_or_default(), quantity: 0 }
}

#[cfg(test)]
mod tests {
    use events::Cents;

    use super::*;

    fn order(id: &str) -> OrderId {
        OrderId::parse(id).unwrap()
    }

    fn items(list: &[(&str, u32)]) -> Vec<Item> {
        list.iter()
            .map(|&(product, quantity)| Item { product_id: product.into(), quantity, price: Cents::new(1) })
            .collect()
    }

    fn warehouse() -> Warehouse {
        Warehouse::new([("hat".into(), 3), ("shoe".into(), 1)])
    }

    fn levels(warehouse: &Warehouse) -> (u32, u32) {
        (warehouse.level("hat"), warehouse.level("shoe"))
    }

    #[test]
    fn an_order_gets_all_of_its_items_or_none() {
        let mut warehouse = warehouse();
        let (both, too_many) = (items(&[("hat", 2), ("shoe", 1)]), items(&[("hat", 1), ("shoe", 1)]));
        assert_eq!(warehouse.answer(&order("a"), &both, Request::Reserve), Answer::Reserved(pieces(&both)));
        assert_eq!(levels(&warehouse), (1, 0));
        let short = Pieces { product_id: "shoe".into(), quantity: 1 };
        assert_eq!(warehouse.answer(&order("b"), &too_many, Request::Reserve), Answer::Rejected(short.clone()));
        assert_eq!(levels(&warehouse), (1, 0), "the hat that was there stays");
        assert_eq!(warehouse.answer(&order("b"), &too_many, Request::Reserve), Answer::Rejected(short));
        let unknown = Pieces { product_id: "coat".into(), quantity: 1 };
        assert_eq!(warehouse.answer(&order("c"), &items(&[("coat", 1)]), Request::Reserve), Answer::Rejected(unknown));
    }

    #[test]
    fn a_request_that_comes_again_is_answered_the_same_and_moves_no_piece() {
        let mut warehouse = warehouse();
        let wanted = items(&[("hat", 2)]);
        for _ in 0..3 {
            assert_eq!(warehouse.answer(&order("a"), &wanted, Request::Reserve), Answer::Reserved(pieces(&wanted)));
            assert_eq!(levels(&warehouse), (1, 1));
        }
        for _ in 0..3 {
            assert_eq!(warehouse.answer(&order("a"), &wanted, Request::Release), Answer::Released(pieces(&wanted)));
            assert_eq!(levels(&warehouse), (3, 1));
        }
    }

    #[test]
    fn what_was_called_off_never_holds_anything_even_if_the_request_to_reserve_comes_later() {
        let mut warehouse = warehouse();
        let wanted = items(&[("hat", 2)]);
        let nothing = Pieces { product_id: "hat".into(), quantity: 0 };
        assert_eq!(warehouse.answer(&order("a"), &wanted, Request::Release), Answer::Released(vec![nothing.clone()]));
        assert_eq!(warehouse.answer(&order("a"), &wanted, Request::Reserve), Answer::Rejected(nothing));
        assert_eq!(levels(&warehouse), (3, 1));
    }
}
