use std::fmt;

use events::saga::{
    Email, EmailRequested, InventoryRejected, InventoryReleased, InventoryReserved, OrderCompleted, OrderCreated,
    OrderFailed, OrderRefused, OrderValidated, PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentRequested,
    RefundRequested, ReleaseRequested, ReservationRequested, StatedOrder, Stock,
};
use events::{Event, Timestamp, Topic};
use messaging::Record;

/// The topics in the order of the flow, for what happened at the same moment.
const FLOW: [Topic; 13] = [
    OrderCreated::TOPIC,
    OrderValidated::TOPIC,
    PaymentCompleted::TOPIC,
    PaymentFailed::TOPIC,
    InventoryReserved::TOPIC,
    InventoryRejected::TOPIC,
    PaymentRefunded::TOPIC,
    InventoryReleased::TOPIC,
    PaymentRequested::TOPIC,
    ReservationRequested::TOPIC,
    EmailRequested::TOPIC,
    OrderCompleted::TOPIC,
    OrderFailed::TOPIC,
];

/// A record, as a person is told of it. They are in order when they happened.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    at: Timestamp,
    rank: usize,
    topic: Topic,
    words: String,
}

impl Step {
    /// Tells a record of the saga; nothing of one that is none.
    pub(super) fn of(record: &Record<'_>) -> Option<Self> {
        let (topic, value) = (record.topic, record.value?);
        let rank = FLOW.iter().position(|known| *known == topic)?;
        let (at, words) = read(topic, value)?;
        Some(Self { at, rank, topic, words })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, topic, words, .. } = self;
        let after_ms = at.as_ms() - Timestamp::BASE.as_ms();
        write!(f, "+{after_ms:>3} ms  {topic:<20}  {words}")
    }
}

/// When it happened, and what.
fn read(topic: Topic, value: &[u8]) -> Option<(Timestamp, String)> {
    Some(match topic {
        OrderCreated::TOPIC => {
            let OrderCreated(order) = decode(value)?;
            (order.timestamp, placed(&order))
        }
        OrderValidated::TOPIC => {
            let OrderValidated(order) = decode(value)?;
            (order.timestamp, "order_service finds the order valid".to_owned())
        }
        PaymentRequested::TOPIC => match decode(value) {
            Some(PaymentRequested(payment)) => {
                (payment.timestamp, format!("payment_service is asked to charge {}", payment.amount))
            }
            None => {
                let RefundRequested(payment) = decode(value)?;
                (payment.timestamp, format!("payment_service is asked to pay {} back", payment.amount))
            }
        },
        PaymentCompleted::TOPIC => {
            let PaymentCompleted(payment) = decode(value)?;
            (payment.timestamp, format!("payment_service has charged {}", payment.amount))
        }
        PaymentFailed::TOPIC => {
            let PaymentFailed(payment) = decode(value)?;
            (payment.timestamp, format!("payment_service: {} was declined", payment.amount))
        }
        PaymentRefunded::TOPIC => {
            let PaymentRefunded(payment) = decode(value)?;
            (payment.timestamp, format!("payment_service has paid {} back", payment.amount))
        }
        ReservationRequested::TOPIC => match decode(value) {
            Some(ReservationRequested(order)) => {
                (order.timestamp, "inventory_service is asked to reserve all of it".to_owned())
            }
            None => {
                let ReleaseRequested(order) = decode(value)?;
                (order.timestamp, "inventory_service is asked to release what it reserved".to_owned())
            }
        },
        InventoryReserved::TOPIC => {
            let InventoryReserved(stock) = decode(value)?;
            (stock.timestamp, format!("inventory_service has reserved {}", pieces(&stock)))
        }
        InventoryRejected::TOPIC => {
            let InventoryRejected(stock) = decode(value)?;
            (stock.timestamp, format!("inventory_service: {} are not there, so nothing is reserved", pieces(&stock)))
        }
        InventoryReleased::TOPIC => {
            let InventoryReleased(stock) = decode(value)?;
            (stock.timestamp, format!("inventory_service has released {}", pieces(&stock)))
        }
        EmailRequested::TOPIC => {
            let EmailRequested(Email { about, customer_id, timestamp, .. }) = decode(value)?;
            (timestamp, format!("notification_service is asked to tell {customer_id}: {about}"))
        }
        OrderCompleted::TOPIC => {
            let OrderCompleted(order) = decode(value)?;
            (order.timestamp, "the order is completed".to_owned())
        }
        OrderFailed::TOPIC => match decode(value) {
            Some(OrderFailed(order)) => (order.timestamp, "the order has failed, and nothing of it is left".to_owned()),
            None => {
                let OrderRefused(order) = decode(value)?;
                (order.timestamp, "order_service refuses the order".to_owned())
            }
        },
        _ => return None,
    })
}

fn decode<E: Event>(value: &[u8]) -> Option<E> {
    E::decode(value).ok()
}

fn placed(order: &StatedOrder) -> String {
    let items: Vec<String> =
        order.items.iter().map(|item| format!("{} x {} at {}", item.quantity, item.product_id, item.price)).collect();
    format!("{} orders {}: {} in all", order.customer_id, items.join(" and "), order.total_amount)
}

fn pieces(stock: &Stock) -> String {
    format!("{} x {}", stock.quantity_reserved, stock.product_id)
}
