//! Checks the stock.

use events::shop::{InventoryResult, OrderPlaced, StockStatus};
use messaging::{Context, Draw, Failure, Handler, Outgoing, Rate, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "inventory_manager";

/// The setting with the share of orders whose items are all there, in percent.
pub const AVAILABLE_PERCENT: &str = "available_percent";

/// Answers each order with an inventory result.
pub struct InventoryManager {
    /// Share of orders whose items are all there.
    pub available_rate: Rate,
}

impl Handler for InventoryManager {
    fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        let order: OrderPlaced = record.decode()?;
        let result = check_inventory(&order, self.available_rate, context.draw(&order.order_id, "stock"));
        Ok(vec![Outgoing::of(&result)])
    }
}

/// Decides whether an order's items are all there.
///
/// - `available_rate`: share of such orders. Source: requirement E05, 0.80.
/// - `draw`: from (order id, service, decision, attempt) alone, so that a redelivered record gives the same bytes.
///
/// A check takes 10 to 59 ms. A shortage is a result; it does not stop the shipping, and the audit counts what was
/// oversold (requirement 19.6).
pub fn check_inventory(order: &OrderPlaced, available_rate: Rate, draw: Draw) -> InventoryResult {
    let status = if available_rate.includes(draw) { StockStatus::Available } else { StockStatus::Short };
    InventoryResult {
        order_id: order.order_id.clone(),
        timestamp: order.timestamp.plus_ms(10 + draw.scale(50)),
        status,
    }
}

#[cfg(test)]
mod tests {
    use events::{Event, Timestamp};

    use super::*;
    use crate::order_generator::generate_order_event;

    const CONTEXT: Context<'_> = Context { service: NAME };

    fn percent(percent: u64) -> Rate {
        Rate::from_percent(percent).unwrap()
    }

    fn is_available(order: &OrderPlaced, available_rate: Rate) -> bool {
        let draw = CONTEXT.draw(&order.order_id, "stock");
        check_inventory(order, available_rate, draw).status == StockStatus::Available
    }

    #[test]
    fn a_check_states_order_and_time() {
        let order = generate_order_event(1, Timestamp::BASE, 0);
        let result = check_inventory(&order, percent(80), Draw::from_bits(u64::MAX));
        let timestamp = order.timestamp.plus_ms(59);
        assert_eq!(result, InventoryResult { order_id: order.order_id, timestamp, status: StockStatus::Short });
    }

    #[test]
    fn at_rate_0_all_is_short_and_at_rate_1_all_is_there() {
        for n in 0..1_000 {
            let order = generate_order_event(1, Timestamp::BASE, n);
            assert!(!is_available(&order, percent(0)), "order {n}");
            assert!(is_available(&order, percent(100)), "order {n}");
        }
    }

    #[test]
    fn the_share_of_available_orders_lies_in_the_binomial_interval_of_its_rate() {
        let orders = 10_000;
        let available =
            (0..orders).filter(|&n| is_available(&generate_order_event(1, Timestamp::BASE, n), percent(80))).count();
        // Mean 8,000, standard deviation 40: five of them on either side leave one chance in a million.
        assert!((7_800..=8_200).contains(&available), "{available} of {orders} available");
    }

    #[test]
    fn payment_and_stock_are_decided_independently() {
        let order = |n| generate_order_event(1, Timestamp::BASE, n).order_id;
        let differ = (0..100).filter(|&n| {
            let payment = Draw::of(&order(n), crate::payment_processor::NAME, "payment", 1);
            payment != CONTEXT.draw(&order(n), "stock")
        });
        assert_eq!(differ.count(), 100);
    }

    #[test]
    fn a_redelivered_order_is_answered_with_the_same_bytes() {
        let placed = Outgoing::of(&generate_order_event(1, Timestamp::BASE, 3));
        let answer = |partition, offset, deliveries| {
            let record = Record { partition, offset, deliveries, ..placed.as_record() };
            InventoryManager { available_rate: percent(80) }.handle(&record, &CONTEXT).unwrap()
        };
        let first = answer(0, 17, Some(1));
        assert_eq!(first, answer(5, 3, Some(2)));
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].topic, InventoryResult::TOPIC);
    }
}
