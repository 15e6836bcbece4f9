//! Tells the customer: the one service that writes nothing. A host logs what it says.

use events::Event;
use events::shop::{InventoryResult, Notification, NotificationAbout, OrderShipped, StockStatus};
use messaging::{Context, Failure, Handler, Outgoing, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "notification_handler";

/// Reads everything that a customer wants to know.
pub struct NotificationHandler;

impl Handler for NotificationHandler {
    fn handle(&self, record: &Record<'_>, _: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        News::decode(record).map(|_| Vec::new())
    }

    fn remark(&self, record: &Record<'_>) -> Option<String> {
        News::decode(record).ok().map(|news| notify(&news))
    }
}

/// What a customer wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The stock was checked.
    Stock(InventoryResult),
    /// The order left the house.
    Shipped(OrderShipped),
    /// What no other topic says.
    Other(Notification),
}

impl News {
    fn decode(record: &Record<'_>) -> Result<Self, Failure> {
        if record.topic == InventoryResult::TOPIC {
            record.decode().map(Self::Stock)
        } else if record.topic == OrderShipped::TOPIC {
            record.decode().map(Self::Shipped)
        } else if record.topic == Notification::TOPIC {
            record.decode().map(Self::Other)
        } else {
            Err(Failure::Reject(format!("topic: found {}, which holds no news", record.topic)))
        }
    }
}

/// What the customer is told.
pub fn notify(news: &News) -> String {
    match news {
        News::Stock(InventoryResult { order_id, status: StockStatus::Available, .. }) => {
            format!("all items of order {order_id} are in stock")
        }
        News::Stock(InventoryResult { order_id, status: StockStatus::Short, .. }) => {
            format!("an item of order {order_id} is short and comes later")
        }
        News::Shipped(shipped) => format!("order {} is on its way as {}", shipped.order_id, shipped.tracking_id),
        News::Other(Notification { order_id, about: NotificationAbout::PaymentDeclined, .. }) => {
            format!("the payment of order {order_id} was declined")
        }
    }
}

#[cfg(test)]
mod tests {
    use events::{OrderId, Timestamp};

    use super::*;

    fn order_id() -> OrderId {
        OrderId::parse("7f3a").unwrap()
    }

    fn stock(status: StockStatus) -> InventoryResult {
        InventoryResult { order_id: order_id(), timestamp: Timestamp::BASE, status }
    }

    fn shipped() -> OrderShipped {
        OrderShipped { order_id: order_id(), timestamp: Timestamp::BASE, tracking_id: "TRK-1".into() }
    }

    fn declined() -> Notification {
        Notification { order_id: order_id(), timestamp: Timestamp::BASE, about: NotificationAbout::PaymentDeclined }
    }

    /// Hands an event to the handler, and gives what it writes and what it says.
    fn handle(sent: &Outgoing) -> (Result<Vec<Outgoing>, Failure>, Option<String>) {
        let record = sent.as_record();
        (NotificationHandler.handle(&record, &Context { service: NAME }), NotificationHandler.remark(&record))
    }

    #[test]
    fn each_kind_of_news_is_told_in_words_and_writes_nothing() {
        for (sent, told) in [
            (Outgoing::of(&stock(StockStatus::Available)), "all items of order 7f3a are in stock"),
            (Outgoing::of(&stock(StockStatus::Short)), "an item of order 7f3a is short and comes later"),
            (Outgoing::of(&shipped()), "order 7f3a is on its way as TRK-1"),
            (Outgoing::of(&declined()), "the payment of order 7f3a was declined"),
        ] {
            assert_eq!(handle(&sent), (Ok(vec![]), Some(told.to_owned())));
        }
    }

    #[test]
    fn news_on_the_wrong_topic_are_rejected_and_say_nothing() {
        let misplaced = Outgoing { topic: OrderShipped::TOPIC, ..Outgoing::of(&declined()) };
        let reason = r#"event_type: found "notification", allowed "order_shipped""#;
        assert_eq!(handle(&misplaced), (Err(Failure::Reject(reason.into())), None));
    }
}
