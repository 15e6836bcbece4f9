use std::sync::Arc;

use events::{Envelope, OrderId};
use messaging::audit::Flow;
use messaging::{BatchStep, Draw, Due, Outcome, Rate, Record};

/// A service with a fault that was planted: it gives up a share of its records that are as they should be, always the same ones, and their reason
/// says so. What it does with all others is its own.
pub(super) struct Faulty {
    step: Box<dyn BatchStep>,
    service: String,
    flow: Arc<dyn Flow>,
    share: Rate,
}

impl Faulty {
    /// What good records are, the flow says.
    pub(super) fn new(step: Box<dyn BatchStep>, service: &str, flow: Arc<dyn Flow>, share: Rate) -> Self {
        Self { step, service: service.to_owned(), flow, share }
    }

    fn strikes(&self, record: &Record<'_>) -> bool {
        let order_id = OrderId::parse(&self.step.envelope(record).order_id);
        let is_drawn = order_id.is_ok_and(|id| self.share.includes(Draw::of(&id, &self.service, "fault", 1)));
        is_drawn && self.flow.written(record).is_some()
    }
}

impl BatchStep for Faulty {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let strikes: Vec<bool> = batch.iter().map(|record| self.strikes(record)).collect();
        let spared: Vec<Record<'_>> =
            batch.iter().zip(&strikes).filter(|(_, strikes)| !**strikes).map(|(record, _)| *record).collect();
        let mut outcomes = self.step.process(&spared).into_iter();
        let outcome = |strikes: bool| {
            if strikes { Some(Outcome::Reject("fault: planted by --reject".to_owned())) } else { outcomes.next() }
        };
        strikes.into_iter().map_while(outcome).collect()
    }

    fn envelope(&self, record: &Record<'_>) -> Envelope {
        self.step.envelope(record)
    }

    fn remark(&self, record: &Record<'_>) -> Option<String> {
        self.step.remark(record)
    }

    fn due(&mut self) -> Vec<Due> {
        self.step.due()
    }

    fn has_timers(&self) -> bool {
        self.step.has_timers()
    }
}

#[cfg(test)]
mod tests {
    use events::Timestamp;
    use messaging::Outgoing;
    use shop::ShopFlow;
    use shop::order_generator::generate_order_event;

    use super::*;

    /// Tells which records it was shown.
    struct Shown;

    impl BatchStep for Shown {
        fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
            batch.iter().map(|record| Outcome::Retry(record.offset.to_string())).collect()
        }
    }

    fn outcomes(percent: u64, orders: &[Outgoing]) -> Vec<Outcome> {
        let share = Rate::from_percent(percent).unwrap();
        let mut faulty = Faulty::new(Box::new(Shown), "payment_processor", Arc::new(ShopFlow), share);
        let record = |(offset, order)| Record { offset, ..Outgoing::as_record(order) };
        let batch: Vec<Record<'_>> = (0..).zip(orders).map(record).collect();
        faulty.process(&batch)
    }

    fn orders() -> Vec<Outgoing> {
        (0..1_000).map(|n| Outgoing::of(&generate_order_event(7, Timestamp::BASE, n))).collect()
    }

    #[test]
    fn a_fault_takes_its_share_always_the_same_records_and_all_others_come_to_the_service() {
        let faulty = outcomes(10, &orders());
        assert_eq!(faulty, outcomes(10, &orders()));
        let planted = Outcome::Reject("fault: planted by --reject".to_owned());
        let struck = faulty.iter().filter(|outcome| **outcome == planted).count();
        assert!((60..140).contains(&struck), "{struck} of 1,000 at 10 %");
        for (offset, outcome) in faulty.iter().enumerate().filter(|(_, outcome)| **outcome != planted) {
            assert_eq!(outcome, &Outcome::Retry(offset.to_string()), "each at its place");
        }
    }

    #[test]
    fn what_is_no_good_record_is_the_services_own_to_judge() {
        let broken = Outgoing { value: b"no order".to_vec(), ..orders().remove(0) };
        assert_eq!(outcomes(100, &[broken]), [Outcome::Retry("0".to_owned())]);
    }
}
