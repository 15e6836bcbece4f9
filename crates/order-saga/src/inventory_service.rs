//! Reserves all of an order or nothing, never below zero, and gives back once.

use std::fmt;
use std::sync::Arc;

use events::OrderId;
use events::saga::{
    InventoryRejected, InventoryReleased, InventoryReserved, Item, Order, ReleaseRequested, ReservationRequested, Stock,
};
use messaging::store::{RowStore, Rows};
use messaging::{Context, Failure, Handler, Outgoing, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "inventory_service";

/// The table of levels: by product, a [`Level`]. A product without a row has its opening level.
pub const STOCK: &str = "stock";

/// The table of what orders hold.
pub const RESERVATIONS: &str = "reservations";

/// How many pieces of a product there are before any order.
pub type Opening = dyn Fn(&str) -> u32 + Send + Sync;

/// Answers each request with what its order holds. Several instances may share the rows.
pub struct InventoryService {
    /// The levels, and what orders hold.
    pub rows: Arc<dyn RowStore>,
    /// How many pieces of each product there are at first.
    pub opening: Arc<Opening>,
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
        let products = items.iter().map(|item| (STOCK, item.product_id.clone()));
        let keys: Vec<_> = products.chain([(RESERVATIONS, order_id.to_string())]).collect();
        let mut answer = None;
        self.rows
            .update(&keys, &mut |rows| answer = self::answer(rows, &*self.opening, &order_id, &items, request))
            .map_err(|error| Failure::Retry(error.to_string()))?;
        let unreadable = || Failure::Retry(format!("order {order_id}: nobody can read what it holds"));
        let at = timestamp.plus_ms(20 + context.draw(&order_id, "stock").scale(100));
        let stock = |Pieces { product_id, quantity }: Pieces| {
            let order_id = order_id.clone();
            Stock { product_id, quantity_reserved: quantity, order_id, timestamp: at }
        };
        Ok(match answer.ok_or_else(unreadable)? {
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

/// How many pieces of a product there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Those that no order holds.
    pub left: u32,
    /// Those that there were before any order.
    pub opening: u32,
}

impl Level {
    const fn full(opening: u32) -> Self {
        Self { left: opening, opening }
    }

    /// Reads a product's row; `None` where nobody has written such a one.
    pub fn read(row: &str) -> Option<Self> {
        let (left, opening) = row.split_once(" of ")?;
        Some(Self { left: left.parse().ok()?, opening: opening.parse().ok()? })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.left, self.opening)
    }
}

/// What an order holds. It is all that the service remembers of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
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

impl Holding {
    /// Reads an order's row; `None` where nobody has written such a one.
    pub fn read(row: &str) -> Option<Self> {
        let mut parts = row.split(' ');
        let mut part = || parts.next();
        Some(match part()? {
            "reserved" => Self::Reserved,
            "short" => Self::Short(Pieces { product_id: part()?.to_owned(), quantity: part()?.parse().ok()? }),
            "released" => Self::Released(true),
            "called_off" => Self::Released(false),
            _ => return None,
        })
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved => f.write_str("reserved"),
            Self::Short(Pieces { product_id, quantity }) => write!(f, "short {product_id} {quantity}"),
            Self::Released(true) => f.write_str("released"),
            Self::Released(false) => f.write_str("called_off"),
        }
    }
}

/// Answers a request about an order's items, and changes the rows accordingly; `None`, and no change, where a row cannot be read.
///
/// A request to reserve that comes behind the release, late or once more, is rejected: what was called off never holds anything.
pub fn answer(
    rows: &mut Rows,
    opening: &Opening,
    order_id: &OrderId,
    items: &[Item],
    request: Request,
) -> Option<Answer> {
    let holding = match rows.get(&(RESERVATIONS, order_id.to_string())).and_then(Option::as_deref) {
        Some(row) => Some(Holding::read(row)?),
        None => None,
    };
    let level = |item: &Item| match rows.get(&(STOCK, item.product_id.clone())).and_then(Option::as_deref) {
        Some(row) => Level::read(row),
        None => Some(Level::full(opening(&item.product_id))),
    };
    let levels: Vec<Level> = items.iter().map(level).collect::<Option<_>>()?;
    let is_short = |(item, level): &(&Item, &Level)| level.left < item.quantity;
    let short = || items.iter().zip(&levels).find(is_short).map(|(item, _)| pieces(item));
    let all = || items.iter().map(pieces).collect();
    let none = || items.iter().map(nothing).collect();
    let (moved, becomes, answer) = match (request, holding) {
        (Request::Reserve, None) => match short() {
            Some(short) => (Move::Nothing, Some(Holding::Short(short.clone())), Answer::Rejected(short)),
            None => (Move::Out, Some(Holding::Reserved), Answer::Reserved(all())),
        },
        (Request::Reserve, Some(Holding::Reserved)) => (Move::Nothing, None, Answer::Reserved(all())),
        (Request::Reserve, Some(Holding::Short(short))) => (Move::Nothing, None, Answer::Rejected(short)),
        (Request::Reserve, Some(Holding::Released(_))) => {
            (Move::Nothing, None, Answer::Rejected(items.first().map(nothing)?)) // an answer is about one
        }
        (Request::Release, Some(Holding::Reserved)) => {
            (Move::Back, Some(Holding::Released(true)), Answer::Released(all()))
        }
        (Request::Release, Some(Holding::Released(held))) => {
            (Move::Nothing, None, Answer::Released(if held { all() } else { none() }))
        }
        (Request::Release, None) => (Move::Nothing, Some(Holding::Released(false)), Answer::Released(none())),
        // It goes on to be rejected as it was: the same event has the same bytes.
        (Request::Release, Some(Holding::Short(_))) => (Move::Nothing, None, Answer::Released(none())),
    };
    for (item, level) in items.iter().zip(levels) {
        let left = match moved {
            Move::Nothing => break,
            Move::Out => level.left.checked_sub(item.quantity)?, // there are as many: it was just asked
            Move::Back => level.left.saturating_add(item.quantity),
        };
        rows.insert((STOCK, item.product_id.clone()), Some(Level { left, ..level }.to_string()));
    }
    if let Some(holding) = becomes {
        rows.insert((RESERVATIONS, order_id.to_string()), Some(holding.to_string()));
    }
    Some(answer)
}

/// Where pieces go.
enum Move {
    Nothing,
    Out,
    Back,
}

fn pieces(item: &Item) -> Pieces {
    Pieces { product_id: item.product_id.clone(), quantity: item.quantity }
}

fn nothing(item: &Item) -> Pieces {
    Pieces { quantity: 0, ..pieces(item) }
}

#[cfg(test)]
mod tests {
    use events::Cents;

    use super::*;

    fn items(list: &[(&str, u32)]) -> Vec<Item> {
        list.iter()
            .map(|&(product, quantity)| Item { product_id: product.into(), quantity, price: Cents::new(1) })
            .collect()
    }

    /// Three hats, and one of each other product.
    fn opening(product: &str) -> u32 {
        if product == "hat" { 3 } else { 1 }
    }

    fn ask(rows: &mut Rows, order: &str, items: &[Item], request: Request) -> Answer {
        answer(rows, &opening, &OrderId::parse(order).unwrap(), items, request).unwrap()
    }

    fn levels(rows: &Rows) -> (u32, u32) {
        let level = |product: &str| {
            let row = rows.get(&(STOCK, product.to_owned())).cloned().flatten();
            row.map_or_else(|| opening(product), |row| Level::read(&row).unwrap().left)
        };
        (level("hat"), level("shoe"))
    }

    fn all(items: &[Item]) -> Vec<Pieces> {
        items.iter().map(pieces).collect()
    }

    #[test]
    fn an_order_gets_all_of_its_items_or_none() {
        let mut rows = Rows::new();
        let (both, too_many) = (items(&[("hat", 2), ("shoe", 1)]), items(&[("hat", 1), ("shoe", 1)]));
        assert_eq!(ask(&mut rows, "a", &both, Request::Reserve), Answer::Reserved(all(&both)));
        assert_eq!(levels(&rows), (1, 0));
        let short = Pieces { product_id: "shoe".into(), quantity: 1 };
        for _ in 0..2 {
            assert_eq!(ask(&mut rows, "b", &too_many, Request::Reserve), Answer::Rejected(short.clone()));
            assert_eq!(levels(&rows), (1, 0), "the hat that was there stays");
        }
    }

    #[test]
    fn a_request_that_comes_again_is_answered_the_same_and_moves_no_piece() {
        let mut rows = Rows::new();
        let wanted = items(&[("hat", 2)]);
        for _ in 0..3 {
            assert_eq!(ask(&mut rows, "a", &wanted, Request::Reserve), Answer::Reserved(all(&wanted)));
            assert_eq!(levels(&rows), (1, 1));
        }
        for _ in 0..3 {
            assert_eq!(ask(&mut rows, "a", &wanted, Request::Release), Answer::Released(all(&wanted)));
            assert_eq!(levels(&rows), (3, 1));
        }
    }

    #[test]
    fn what_was_called_off_never_holds_anything_even_if_the_request_to_reserve_comes_later() {
        let mut rows = Rows::new();
        let wanted = items(&[("hat", 2)]);
        let none = Pieces { product_id: "hat".into(), quantity: 0 };
        for _ in 0..2 {
            assert_eq!(ask(&mut rows, "a", &wanted, Request::Release), Answer::Released(vec![none.clone()]));
            assert_eq!(ask(&mut rows, "a", &wanted, Request::Reserve), Answer::Rejected(none.clone()));
        }
        assert_eq!(levels(&rows), (3, 1));
    }

    #[test]
    fn an_order_that_was_rejected_is_rejected_the_same_after_its_release() {
        let (mut rows, wanted) = (Rows::new(), items(&[("hat", 4)]));
        let short = Answer::Rejected(pieces(&wanted[0]));
        assert_eq!(ask(&mut rows, "a", &wanted, Request::Reserve), short);
        assert_eq!(ask(&mut rows, "a", &wanted, Request::Release), Answer::Released(vec![nothing(&wanted[0])]));
        assert_eq!(ask(&mut rows, "a", &wanted, Request::Reserve), short);
    }

    #[test]
    fn a_row_that_nobody_can_read_changes_nothing() {
        let order_id = OrderId::parse("a").unwrap();
        for key in [(STOCK, "hat".to_owned()), (RESERVATIONS, "a".to_owned())] {
            let mut rows = Rows::from([(key, Some("many".to_owned()))]);
            let before = rows.clone();
            assert_eq!(answer(&mut rows, &opening, &order_id, &items(&[("hat", 2)]), Request::Reserve), None);
            assert_eq!(rows, before);
        }
    }

    #[test]
    fn what_an_order_holds_is_read_back_as_it_was_written() {
        let short = Holding::Short(Pieces { product_id: "hat".into(), quantity: 2 });
        for holding in [Holding::Reserved, short, Holding::Released(true), Holding::Released(false)] {
            assert_eq!(Holding::read(&holding.to_string()), Some(holding));
        }
        assert_eq!(Holding::read("short hat many"), None);
    }
}
