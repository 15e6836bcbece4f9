//! Finds orders valid, or refuses them with the field; an id stands for the first order that has it.

use std::collections::BTreeSet;
use std::sync::Arc;

use events::saga::{Item, Order, OrderCreated, OrderRefused, OrderValidated, StatedOrder};
use events::wire::MAX_VALUE_BYTES;
use events::{Cents, DecodeError, OrderId, hash_of};
use messaging::store::{RowKey, RowStore};
use messaging::{Context, Failure, Handler, Outgoing, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "order_service";

/// The table of what each order's id stands for: by order, the 128-bit xxh3 of the first value that had it.
pub const ORDERS: &str = "orders";

/// How many bytes longer than the answer another record with the same items may be: its words for what happened.
const LONGER: usize = 64;

/// Answers each order with its saga's beginning, or with its end. Several instances may share the rows.
pub struct OrderService {
    /// What each order's id stands for.
    pub rows: Arc<dyn RowStore>,
    /// Whether there is a product of that id.
    pub is_known: fn(&str) -> bool,
}

impl OrderService {
    /// Takes an order's id for the record that is the first to have it. An end is told by its order's id: that of a second order would be
    /// taken for the first one's.
    fn take(&self, order_id: &OrderId, record: &Record<'_>) -> Result<(), Failure> {
        let value = record.value.map(String::from_utf8_lossy).unwrap_or_default(); // it was read, so it is UTF-8
        let (key, content): (RowKey, _) = ((ORDERS, order_id.to_string()), format!("{:032x}", hash_of(&[&value])));
        let mut first = None;
        self.rows
            .update(std::slice::from_ref(&key), &mut |rows| {
                first = Some(rows.entry(key.clone()).or_default().get_or_insert_with(|| content.clone()).clone());
            })
            .map_err(|error| Failure::Retry(error.to_string()))?;
        if first == Some(content) {
            return Ok(());
        }
        let found = format!("{order_id} once more with other content");
        Err(Failure::Reject(DecodeError::new("order_id", found, "an id of its own for each order").to_string()))
    }
}

impl Handler for OrderService {
    fn handle(&self, record: &Record<'_>, _: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        let OrderCreated(stated) = record.decode()?;
        self.take(&stated.order_id, record)?;
        let answer = match validate(&stated, self.is_known) {
            Ok(order) => Outgoing::of(&OrderValidated(order)),
            Err(_) => Outgoing::of(&OrderRefused(stated)),
        };
        if answer.value.len() + LONGER > MAX_VALUE_BYTES {
            let (found, most) = (answer.value.len(), MAX_VALUE_BYTES - LONGER);
            return Err(Failure::Reject(format!("items: found {found} bytes written out, allowed {most} at most")));
        }
        Ok(vec![answer])
    }

    /// Why an order is refused: the record that says that it is has no field for it.
    fn remark(&self, record: &Record<'_>) -> Option<String> {
        let OrderCreated(stated) = record.decode().ok()?;
        validate(&stated, self.is_known).err().map(|error| error.to_string())
    }
}

/// The order, if it is one.
///
/// - `is_known`: whether there is a product of that id.
///
/// # Errors
/// The first field that makes it none: what was found, and what is allowed. Such an order fails; asking again would not change it.
pub fn validate(stated: &StatedOrder, is_known: impl Fn(&str) -> bool) -> Result<Order, DecodeError> {
    if !(1..=Order::MAX_ITEMS).contains(&stated.items.len()) {
        let allowed = format!("1 to {} items", Order::MAX_ITEMS);
        return Err(DecodeError::new("items", format!("{} items", stated.items.len()), allowed));
    }
    let mut seen = BTreeSet::new();
    let mut items = Vec::with_capacity(stated.items.len());
    for (index, item) in stated.items.iter().enumerate() {
        let field = |name: &str| format!("items[{index}].{name}");
        if !is_known(&item.product_id) {
            return Err(DecodeError::new(&field("product_id"), &item.product_id, "a product that there is"));
        }
        if !seen.insert(&item.product_id) {
            return Err(DecodeError::new(&field("product_id"), &item.product_id, "each product once"));
        }
        let quantity =
            u32::try_from(item.quantity).ok().filter(|quantity| (1..=Order::MAX_QUANTITY).contains(quantity));
        let quantity = quantity.ok_or_else(|| {
            DecodeError::new(&field("quantity"), item.quantity, format!("1 to {} pieces", Order::MAX_QUANTITY))
        })?;
        let price = item.price.to_cents().filter(|price| *price >= Cents::new(1));
        let price = price.ok_or_else(|| DecodeError::new(&field("price"), item.price, "0.01 or more"))?;
        items.push(Item { product_id: item.product_id.clone(), quantity, price });
    }
    let StatedOrder { order_id, customer_id, timestamp, .. } = stated.clone();
    let order = Order { order_id, customer_id, items, timestamp };
    // The highest amount is where sums stop: one that reaches it may have been higher.
    if order.total() == Cents::MAX {
        return Err(DecodeError::new("total_amount", stated.total_amount, format!("less than {}", Cents::MAX)));
    }
    if stated.total_amount.to_cents() != Some(order.total()) {
        let allowed = format!("{}, the sum of the items", order.total());
        return Err(DecodeError::new("total_amount", stated.total_amount, allowed));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use events::saga::StatedItem;
    use events::{Event, SignedCents, Timestamp};
    use messaging::store::MemoryRows;

    use super::*;

    fn service() -> OrderService {
        OrderService { rows: Arc::new(MemoryRows::default()), is_known: |product| product.starts_with("SKU-") }
    }

    fn answer(service: &OrderService, record: &Outgoing) -> Result<Vec<Outgoing>, Failure> {
        service.handle(&record.as_record(), &Context { service: NAME })
    }

    fn item(product: &str, quantity: i64, price: i64) -> StatedItem {
        StatedItem { product_id: product.into(), quantity, price: SignedCents::new(price) }
    }

    fn stated(items: Vec<StatedItem>, total: i64) -> StatedOrder {
        StatedOrder {
            order_id: OrderId::parse("7f3a").unwrap(),
            customer_id: "CUST-00042".into(),
            items,
            total_amount: SignedCents::new(total),
            timestamp: Timestamp::BASE,
        }
    }

    fn checked(order: &StatedOrder) -> Result<Order, String> {
        validate(order, |product| product.starts_with("SKU-")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_order_whose_total_is_the_sum_of_known_products_is_valid_as_it_was_stated() {
        let order = stated(vec![item("SKU-1", 2, 1_999), item("SKU-2", 1, 5)], 4_003);
        let valid = checked(&order).unwrap();
        assert_eq!(StatedOrder::from(&valid), order);
        let largest: Vec<StatedItem> = (0..1_000).map(|n| item(&format!("SKU-{n}"), 1_000, 1)).collect();
        assert_eq!(checked(&stated(largest, 1_000_000)).unwrap().items.len(), 1_000);
    }

    #[test]
    fn what_makes_it_no_order_is_told_by_its_field() {
        let many: Vec<StatedItem> = (0..1_001).map(|n| item(&format!("SKU-{n}"), 1, 1)).collect();
        let dear: Vec<StatedItem> = (0..2).map(|n| item(&format!("SKU-{n}"), 1_000, 500_000_000_000)).collect();
        for (order, reason) in [
            (stated(vec![], 0), "items: found 0 items, allowed 1 to 1000 items"),
            (stated(many, 1_001), "items: found 1001 items, allowed 1 to 1000 items"),
            (stated(vec![item("SKU-1", 0, 5)], 0), "items[0].quantity: found 0, allowed 1 to 1000 pieces"),
            (
                stated(vec![item("SKU-1", 1, 5), item("SKU-2", -2, 5)], -5),
                "items[1].quantity: found -2, allowed 1 to 1000 pieces",
            ),
            (stated(vec![item("SKU-1", 1_001, 5)], 5_005), "items[0].quantity: found 1001, allowed 1 to 1000 pieces"),
            (stated(vec![item("SKU-1", 1, 0)], 0), "items[0].price: found 0.00, allowed 0.01 or more"),
            (stated(vec![item("SKU-1", 1, -5)], -5), "items[0].price: found -0.05, allowed 0.01 or more"),
            (stated(vec![item("HAT", 1, 5)], 5), "items[0].product_id: found HAT, allowed a product that there is"),
            (stated(vec![item("SKU-1", 1, 5); 2], 10), "items[1].product_id: found SKU-1, allowed each product once"),
            (stated(vec![item("SKU-1", 2, 5)], 11), "total_amount: found 0.11, allowed 0.10, the sum of the items"),
            (stated(vec![item("SKU-1", 2, 5)], -10), "total_amount: found -0.10, allowed 0.10, the sum of the items"),
            (stated(dear, 1_000_000_000_000), "total_amount: found 10000000000.00, allowed less than 10000000000.00"),
        ] {
            assert_eq!(checked(&order).unwrap_err(), reason);
        }
    }

    #[test]
    fn an_id_stands_for_the_order_that_has_it_first() {
        let good = Outgoing::of(&OrderCreated(stated(vec![item("SKU-1", 1, 5)], 5)));
        let others =
            [stated(vec![item("SKU-2", 1, 5)], 5), stated(vec![], 0)].map(|other| Outgoing::of(&OrderCreated(other)));
        let service = service();
        let validated = answer(&service, &good).unwrap();
        assert_eq!(validated[0].topic, OrderValidated::TOPIC);
        for other in &others {
            let reason = "order_id: found 7f3a once more with other content, allowed an id of its own for each order";
            assert_eq!(answer(&service, other), Err(Failure::Reject(reason.into())));
        }
        assert_eq!(answer(&service, &good), Ok(validated), "it comes again as it was");
    }

    #[test]
    fn an_order_that_was_refused_is_refused_whatever_comes_with_its_id() {
        let (none, good) = (stated(vec![], 0), stated(vec![item("SKU-1", 1, 5)], 5));
        let service = service();
        let refused = answer(&service, &Outgoing::of(&OrderCreated(none.clone()))).unwrap();
        assert_eq!(refused, [Outgoing::of(&OrderRefused(none))]);
        assert!(answer(&service, &Outgoing::of(&OrderCreated(good))).is_err());
    }

    #[test]
    fn an_order_of_which_a_later_record_might_be_too_long_to_be_read_is_rejected_at_once() {
        let refused = |items: usize| {
            let items: Vec<StatedItem> = (0..items).map(|n| item(&format!("SKU-{n:09}"), 0, 100)).collect();
            let record = Outgoing::of(&OrderCreated(stated(items, 0)));
            // As a client may write it: shorter than we do.
            let value = String::from_utf8(record.value.clone()).unwrap().replace("1.00", "1");
            answer(&service(), &Outgoing { value: value.into_bytes(), ..record })
        };
        let answer = refused(1_050).unwrap();
        assert!(answer[0].value.len() + LONGER <= MAX_VALUE_BYTES, "{}", answer[0].value.len());
        let Err(Failure::Reject(reason)) = refused(1_190) else { panic!("it can be read, and its refusal cannot") };
        assert!(reason.ends_with(" bytes written out, allowed 65472 at most"), "{reason}");
    }
}
