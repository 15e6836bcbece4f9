//! Takes payments.

use events::shop::{OrderPlaced, PaymentResult, PaymentStatus};
use messaging::{Context, Draw, Failure, Handler, Outgoing, Rate, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "payment_processor";

/// The setting with the share of orders that are paid, in percent.
pub const SUCCESS_PERCENT: &str = "success_percent";

/// Answers each order with a payment result.
pub struct PaymentProcessor {
    /// Share of orders that are paid.
    pub success_rate: Rate,
}

impl Handler for PaymentProcessor {
    fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        let order: OrderPlaced = record.decode()?;
        let result = process_payment(&order, self.success_rate, context.draw(&order.order_id, "payment"));
        Ok(vec![Outgoing::of(&result)])
    }
}

/// Decides whether an order is paid.
///
/// - `success_rate`: share of orders paid. Source: requirement E04, 0.90.
/// - `draw`: from (order id, service, decision, attempt) alone, so that a redelivered record gives the same bytes.
///
/// A payment takes 50 to 249 ms. A declined card is a result, not a [`Failure`]: asking again would not change it.
pub fn process_payment(order: &OrderPlaced, success_rate: Rate, draw: Draw) -> PaymentResult {
    let status = if success_rate.includes(draw) { PaymentStatus::Success } else { PaymentStatus::Failed };
    PaymentResult {
        order_id: order.order_id.clone(),
        timestamp: order.timestamp.plus_ms(50 + draw.scale(200)),
        status,
        amount: order.total(),
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

    fn paid(order: &OrderPlaced, success_rate: Rate) -> bool {
        let draw = CONTEXT.draw(&order.order_id, "payment");
        process_payment(order, success_rate, draw).status == PaymentStatus::Success
    }

    #[test]
    fn a_payment_states_order_amount_and_time() {
        let order = generate_order_event(1, Timestamp::BASE, 0);
        let result = process_payment(&order, percent(90), Draw::from_bits(0));
        let timestamp = order.timestamp.plus_ms(50);
        let amount = order.total();
        assert_eq!(
            result,
            PaymentResult { order_id: order.order_id, timestamp, status: PaymentStatus::Success, amount }
        );
    }

    #[test]
    fn at_rate_0_nobody_pays_and_at_rate_1_everybody() {
        for n in 0..1_000 {
            let order = generate_order_event(1, Timestamp::BASE, n);
            assert!(!paid(&order, percent(0)), "order {n}");
            assert!(paid(&order, percent(100)), "order {n}");
        }
    }

    #[test]
    fn the_share_of_paid_orders_lies_in_the_binomial_interval_of_its_rate() {
        let orders = 10_000;
        let payments = (0..orders).filter(|&n| paid(&generate_order_event(1, Timestamp::BASE, n), percent(90))).count();
        // Mean 9,000, standard deviation 30: five of them on either side leave one chance in a million.
        assert!((8_850..=9_150).contains(&payments), "{payments} of {orders} paid");
    }

    #[test]
    fn a_redelivered_order_is_answered_with_the_same_bytes() {
        let placed = Outgoing::of(&generate_order_event(1, Timestamp::BASE, 3));
        let answer = |partition, offset, deliveries| {
            let record = Record { partition, offset, deliveries, ..placed.as_record() };
            PaymentProcessor { success_rate: percent(90) }.handle(&record, &CONTEXT).unwrap()
        };
        let first = answer(0, 17, Some(1));
        assert_eq!(first, answer(5, 3, Some(2)));
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].topic, PaymentResult::TOPIC);
    }

    #[test]
    fn an_order_that_cannot_be_read_is_rejected_with_the_field() {
        let placed = Outgoing::of(&generate_order_event(1, Timestamp::BASE, 3));
        let value = br#"{"event_type":"order_placed","order_id":"7f3a"}"#;
        let record = Record { value: Some(value), ..placed.as_record() };
        let failure = PaymentProcessor { success_rate: percent(90) }.handle(&record, &CONTEXT).unwrap_err();
        let reason = "timestamp: found nothing, allowed RFC 3339, such as 2026-01-01T00:00:00.000Z";
        assert_eq!(failure, Failure::Reject(reason.into()));
    }
}
