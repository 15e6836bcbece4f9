//! What the audit knows of food orders: one is placed, and it is stored.

use std::borrow::Cow;

use events::food::FoodOrder;
use events::{Envelope, Event, Topic};
use messaging::audit::{Flow, Mark, Marks, Stage};
use messaging::{Outgoing, Record};

use crate::food_consumer;

const PLACED: Mark = Mark::new(0);
const STORED: Mark = Mark::new(1);

/// The flow of food orders. One ends with its consumer, which writes no record: that it has committed proves that the order is stored.
/// Whether it really stands in the table, a [`Comparison`](crate::Comparison) says.
#[derive(Clone, Copy, Debug, Default)]
pub struct FoodFlow;

impl FoodFlow {
    /// The marks of an order that has ended: it was placed and stored.
    pub const ENDED: Marks = Marks::NONE.with(PLACED).with(STORED);
}

impl Flow for FoodFlow {
    fn takes_in(&self, topic: Topic) -> bool {
        topic == FoodOrder::TOPIC
    }

    /// The key is the customer's: the order's id stands in the value alone.
    fn order_id<'a>(&self, topic: Topic, _: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Option<Cow<'a, [u8]>> {
        let order_id = if topic == FoodOrder::TOPIC { Envelope::of(None, value).order_id } else { String::new() };
        (!order_id.is_empty()).then(|| Cow::Owned(order_id.into_bytes()))
    }

    fn written(&self, record: &Record<'_>) -> Option<Mark> {
        let order = record.value.map(FoodOrder::check);
        order.filter(|order| record.topic == FoodOrder::TOPIC && order.is_ok()).map(|_| PLACED)
    }

    fn encoded(&self, record: &Outgoing) -> Option<Mark> {
        (record.topic == FoodOrder::TOPIC).then_some(PLACED)
    }

    fn handled(&self, service: &str, topic: Topic) -> Option<Mark> {
        (service == food_consumer::NAME && topic == FoodOrder::TOPIC).then_some(STORED)
    }

    fn stage(&self, marks: Marks) -> Stage {
        if marks == Self::ENDED { Stage::Ended } else { Stage::Open }
    }

    fn describe(&self, mark: Mark) -> &'static str {
        match mark {
            PLACED => "placed",
            STORED => "stored",
            _ => "something unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use events::{OrderId, Timestamp};

    use super::*;
    use crate::{food_producer, menu};

    fn order() -> Outgoing {
        Outgoing::of(&menu::order(7, OrderId::numbered(Timestamp::BASE, 42), Timestamp::BASE))
    }

    #[test]
    fn an_order_is_placed_by_its_record_and_ends_with_its_consumer() {
        let (flow, order) = (FoodFlow, order());
        let (written, encoded) = (flow.written(&order.as_record()), flow.encoded(&order));
        assert_eq!((written, encoded), (Some(PLACED), Some(PLACED)));
        assert_eq!(flow.stage(Marks::NONE.with(PLACED)), Stage::Open);
        let handled = flow.handled(food_consumer::NAME, order.topic).unwrap();
        let marks = Marks::NONE.with(PLACED).with(handled);
        assert_eq!((flow.stage(marks), marks), (Stage::Ended, FoodFlow::ENDED));
        assert_eq!(marks.iter().map(|mark| flow.describe(mark)).collect::<Vec<_>>(), ["placed", "stored"]);
        assert_eq!(flow.handled("somebody", order.topic), None);
    }

    #[test]
    fn the_order_is_the_one_that_the_value_names_whoever_the_customer_is() {
        let (flow, order) = (FoodFlow, order());
        let id = |value: &[u8]| {
            let id = flow.order_id(FoodOrder::TOPIC, Some(b"CUST-00001"), Some(value));
            id.map(|id| String::from_utf8(id.into_owned()).unwrap())
        };
        assert_eq!(id(&order.value).as_deref(), Some("ORD-20260101-00042"));
        assert_eq!(id(br#"{"order_id":"ORD-1","total_amount":0}"#).as_deref(), Some("ORD-1"), "an invalid order, too");
        assert_eq!((id(b"garbage"), flow.order_id(FoodOrder::TOPIC, Some(b"CUST-00001"), None)), (None, None));
        assert_eq!(flow.order_id(food_producer::NUMBERS, None, Some(&order.value)), None);
    }

    #[test]
    fn what_is_no_order_leaves_no_mark() {
        let garbage = Outgoing { value: b"garbage".to_vec(), ..order() };
        assert_eq!(FoodFlow.written(&garbage.as_record()), None);
        let elsewhere = Outgoing { topic: food_producer::NUMBERS, ..order() };
        assert_eq!((FoodFlow.written(&elsewhere.as_record()), FoodFlow.encoded(&elsewhere)), (None, None));
        assert!(!FoodFlow.takes_in(food_producer::NUMBERS));
    }
}
