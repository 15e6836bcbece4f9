//! Ships what is paid.

use events::hash_of;
use events::shop::{Notification, NotificationAbout, OrderShipped, PaymentResult, PaymentStatus};
use messaging::{Context, Failure, Handler, Outgoing, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "shipping_handler";

/// Answers each payment result with exactly one end of its order: a shipment, or a notification.
pub struct ShippingHandler;

impl Handler for ShippingHandler {
    fn handle(&self, record: &Record<'_>, _: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        let payment: PaymentResult = record.decode()?;
        Ok(vec![match ship_order(&payment) {
            Shipping::Shipped(shipped) => Outgoing::of(&shipped),
            Shipping::Declined(notification) => Outgoing::of(&notification),
        }])
    }
}

/// How an order leaves the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shipping {
    /// It was paid and left the house.
    Shipped(OrderShipped),
    /// It was not paid: the customer is to be told.
    Declined(Notification),
}

/// Ships an order, only on a successful payment (requirement E06). Packing takes half an hour.
pub fn ship_order(payment: &PaymentResult) -> Shipping {
    let order_id = payment.order_id.clone();
    match payment.status {
        PaymentStatus::Success => Shipping::Shipped(OrderShipped {
            timestamp: payment.timestamp.plus_ms(1_800_000),
            tracking_id: format!("TRK-{:016X}", hash_of(&[order_id.as_str(), NAME, "parcel"]) >> 64),
            order_id,
        }),
        PaymentStatus::Failed => Shipping::Declined(Notification {
            order_id,
            timestamp: payment.timestamp.plus_ms(1),
            about: NotificationAbout::PaymentDeclined,
        }),
    }
}

#[cfg(test)]
mod tests {
    use events::{Cents, Event, OrderId, Timestamp};

    use super::*;

    fn payment(status: PaymentStatus) -> PaymentResult {
        let order_id = OrderId::parse("7f3a").unwrap();
        PaymentResult { order_id, timestamp: Timestamp::BASE, status, amount: Cents::new(4_003) }
    }

    #[test]
    fn a_paid_order_is_shipped_with_a_tracking_id_of_its_own() {
        let Shipping::Shipped(shipped) = ship_order(&payment(PaymentStatus::Success)) else { panic!("declined") };
        assert_eq!(shipped.order_id.as_str(), "7f3a");
        assert_eq!(shipped.timestamp, Timestamp::BASE.plus_ms(1_800_000));
        assert_eq!(OrderShipped::decode(&shipped.encode()), Ok(shipped.clone()));

        let other = PaymentResult { order_id: OrderId::parse("7f3b").unwrap(), ..payment(PaymentStatus::Success) };
        let Shipping::Shipped(other) = ship_order(&other) else { panic!("declined") };
        assert_ne!(shipped.tracking_id, other.tracking_id);
    }

    #[test]
    fn an_order_that_is_not_paid_is_not_shipped_and_the_customer_is_told() {
        let declined = Notification {
            order_id: OrderId::parse("7f3a").unwrap(),
            timestamp: Timestamp::BASE.plus_ms(1),
            about: NotificationAbout::PaymentDeclined,
        };
        assert_eq!(ship_order(&payment(PaymentStatus::Failed)), Shipping::Declined(declined));
    }

    #[test]
    fn each_payment_result_is_answered_with_one_record_on_the_topic_of_its_end() {
        for (status, topic) in
            [(PaymentStatus::Success, OrderShipped::TOPIC), (PaymentStatus::Failed, Notification::TOPIC)]
        {
            let paid = Outgoing::of(&payment(status));
            let answer = ShippingHandler.handle(&paid.as_record(), &Context { service: NAME }).unwrap();
            assert_eq!(answer.iter().map(|outgoing| outgoing.topic).collect::<Vec<_>>(), [topic]);
        }
    }
}
