//! What the audit knows of the shop: the marks that records leave on an order, and which of them end it.

use std::collections::BTreeMap;

use events::shop::{
    InventoryResult, Notification, OrderPlaced, OrderShipped, PaymentResult, PaymentStatus, StockStatus,
};
use events::{Event, Topic};
use messaging::audit::{Flow, Mark, Marks, Stage};
use messaging::{Outgoing, Record};

const PLACED: Mark = Mark::new(0);
const PAID: Mark = Mark::new(1);
const DECLINED: Mark = Mark::new(2);
const AVAILABLE: Mark = Mark::new(3);
const SHORT: Mark = Mark::new(4);
const SHIPPED: Mark = Mark::new(5);
const NOTIFIED: Mark = Mark::new(6);
const TOLD_STOCK: Mark = Mark::new(7);
const TOLD_SHIPPED: Mark = Mark::new(8);
const TOLD_DECLINED: Mark = Mark::new(9);

/// The shop's flow. An order ends with exactly one record in `order_shipped` (paid) or `notifications` (declined), has a
/// stock result, and its customer was told of both.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShopFlow;

impl Flow for ShopFlow {
    fn takes_in(&self, topic: Topic) -> bool {
        topic == OrderPlaced::TOPIC
    }

    fn written(&self, record: &Record<'_>) -> Option<Mark> {
        let topic = record.topic;
        if topic == OrderPlaced::TOPIC {
            record.decode::<OrderPlaced>().ok().map(|_| PLACED)
        } else if topic == PaymentResult::TOPIC {
            record.decode::<PaymentResult>().ok().map(|result| match result.status {
                PaymentStatus::Success => PAID,
                PaymentStatus::Failed => DECLINED,
            })
        } else if topic == InventoryResult::TOPIC {
            record.decode::<InventoryResult>().ok().map(|result| match result.status {
                StockStatus::Available => AVAILABLE,
                StockStatus::Short => SHORT,
            })
        } else if topic == OrderShipped::TOPIC {
            record.decode::<OrderShipped>().ok().map(|_| SHIPPED)
        } else if topic == Notification::TOPIC {
            record.decode::<Notification>().ok().map(|_| NOTIFIED)
        } else {
            None // no topic of the shop's flow
        }
    }

    /// Three topics say all by their name; of the two results the status counts, which canonical bytes hold once. Any other
    /// record is decoded, which is only slower.
    fn encoded(&self, record: &Outgoing) -> Option<Mark> {
        let topic = record.topic;
        let says = |field: &str| str::from_utf8(&record.value).is_ok_and(|value| value.contains(field));
        if topic == OrderPlaced::TOPIC {
            Some(PLACED)
        } else if topic == PaymentResult::TOPIC {
            Some(if says(r#""status":"success""#) { PAID } else { DECLINED })
        } else if topic == InventoryResult::TOPIC {
            Some(if says(r#""status":"available""#) { AVAILABLE } else { SHORT })
        } else if topic == OrderShipped::TOPIC {
            Some(SHIPPED)
        } else if topic == Notification::TOPIC {
            Some(NOTIFIED)
        } else {
            self.written(&record.as_record())
        }
    }

    fn handled(&self, service: &str, topic: Topic) -> Option<Mark> {
        if service != crate::notification_handler::NAME {
            None
        } else if topic == InventoryResult::TOPIC {
            Some(TOLD_STOCK)
        } else if topic == OrderShipped::TOPIC {
            Some(TOLD_SHIPPED)
        } else if topic == Notification::TOPIC {
            Some(TOLD_DECLINED)
        } else {
            None
        }
    }

    fn stage(&self, marks: Marks) -> Stage {
        let has_stock_result = marks.has(AVAILABLE) || marks.has(SHORT);
        if marks.has(SHIPPED) && (marks.has(NOTIFIED) || marks.has(DECLINED)) {
            Stage::Contradictory // shipped without payment
        } else if marks.has_all(&[PLACED, TOLD_STOCK])
            && has_stock_result
            && (marks.has_all(&[PAID, SHIPPED, TOLD_SHIPPED]) || marks.has_all(&[DECLINED, NOTIFIED, TOLD_DECLINED]))
        {
            Stage::Ended
        } else {
            Stage::Open
        }
    }

    fn describe(&self, mark: Mark) -> &'static str {
        match mark {
            PLACED => "order_placed",
            PAID => "payment_result (success)",
            DECLINED => "payment_result (failed)",
            AVAILABLE => "inventory_result (available)",
            SHORT => "inventory_result (short)",
            SHIPPED => "order_shipped",
            NOTIFIED => "notifications",
            TOLD_STOCK => "the customer told of the stock",
            TOLD_SHIPPED => "the customer told of the shipment",
            _ => "the customer told of the declined payment",
        }
    }
}

/// What became of the orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Orders that were shipped.
    pub shipped: u64,
    /// Orders whose payment was declined.
    pub payment_failed: u64,
    /// Orders whose items were all there.
    pub inventory_available: u64,
    /// Orders with an item short.
    pub inventory_short: u64,
    /// Orders shipped although an item was short (requirement 19.6: shipping looks at the payment only).
    pub oversold: u64,
}

impl Outcomes {
    /// The outcomes in an audit's tally.
    pub fn of(tally: &BTreeMap<Marks, u64>) -> Self {
        let with = |marks: &[Mark]| tally.iter().filter(|(seen, _)| seen.has_all(marks)).map(|(_, count)| count).sum();
        Self {
            shipped: with(&[SHIPPED]),
            payment_failed: with(&[DECLINED]),
            inventory_available: with(&[AVAILABLE]),
            inventory_short: with(&[SHORT]),
            oversold: with(&[SHIPPED, SHORT]),
        }
    }
}

#[cfg(test)]
mod tests {
    use messaging::Outgoing;

    use super::*;
    use crate::shipping_handler::{Shipping, ship_order};

    fn stage(marks: &[Mark]) -> Stage {
        ShopFlow.stage(marks.iter().fold(Marks::NONE, |all, &mark| all.with(mark)))
    }

    const SHIPPED_ORDER: &[Mark] = &[PLACED, PAID, AVAILABLE, SHIPPED, TOLD_STOCK, TOLD_SHIPPED];
    const DECLINED_ORDER: &[Mark] = &[PLACED, DECLINED, SHORT, NOTIFIED, TOLD_STOCK, TOLD_DECLINED];

    #[test]
    fn an_order_ends_only_with_every_record_it_must_have() {
        for marks in [SHIPPED_ORDER, DECLINED_ORDER] {
            assert_eq!(stage(marks), Stage::Ended);
            for missing in 0..marks.len() {
                let rest: Vec<Mark> = marks.iter().copied().filter(|&mark| mark != marks[missing]).collect();
                assert_eq!(stage(&rest), Stage::Open, "without {}", ShopFlow.describe(marks[missing]));
            }
        }
    }

    #[test]
    fn a_shipment_and_a_declined_payment_exclude_each_other() {
        assert_eq!(stage(&[SHIPPED, NOTIFIED]), Stage::Contradictory);
        assert_eq!(stage(&[PLACED, DECLINED, SHIPPED]), Stage::Contradictory);
    }

    #[test]
    fn an_order_shipped_although_stock_was_short_is_oversold() {
        let marks = |list: &[Mark]| list.iter().fold(Marks::NONE, |all, &mark| all.with(mark));
        let tally = BTreeMap::from([
            (marks(SHIPPED_ORDER), 70),
            (marks(DECLINED_ORDER), 10),
            (marks(&[PLACED, PAID, SHORT, SHIPPED, TOLD_STOCK, TOLD_SHIPPED]), 20),
        ]);
        assert_eq!(
            Outcomes::of(&tally),
            Outcomes { shipped: 90, payment_failed: 10, inventory_available: 70, inventory_short: 30, oversold: 20 }
        );
    }

    #[test]
    fn a_record_just_encoded_leaves_the_mark_that_decoding_it_would_give() {
        let placed = crate::order_generator::generate_order_event(1, events::Timestamp::BASE, 0);
        let (order_id, timestamp, amount) = (placed.order_id.clone(), placed.timestamp, placed.total());
        let mut records = vec![Outgoing::of(&placed)];
        for status in [PaymentStatus::Success, PaymentStatus::Failed] {
            let payment = PaymentResult { order_id: order_id.clone(), timestamp, status, amount };
            records.push(Outgoing::of(&payment));
            records.push(match ship_order(&payment) {
                Shipping::Shipped(shipped) => Outgoing::of(&shipped),
                Shipping::Declined(notification) => Outgoing::of(&notification),
            });
        }
        for status in [StockStatus::Available, StockStatus::Short] {
            records.push(Outgoing::of(&InventoryResult { order_id: order_id.clone(), timestamp, status }));
        }
        for record in records {
            let mark = ShopFlow.encoded(&record);
            assert_eq!(mark, ShopFlow.written(&record.as_record()), "{record:?}");
        }
    }

    #[test]
    fn only_the_service_that_writes_nothing_is_proven_by_what_it_handled() {
        assert_eq!(ShopFlow.handled("payment_processor", OrderPlaced::TOPIC), None);
        assert_eq!(ShopFlow.handled("notification_handler", OrderShipped::TOPIC), Some(TOLD_SHIPPED));
    }
}
