use events::{Envelope, OrderId};
use messaging::{BatchStep, Draw, Due, Outcome, Rate, Record};

/// A service with a fault that was planted: it gives up a share of its records that are as they should be, always the same ones, and their reason
/// says so. What it does with all others is its own.
pub(super) struct Faulty {
    step: Box<dyn BatchStep>,
    service: String,
    share: Rate,
}

impl Faulty {
    pub(super) fn new(step: Box<dyn BatchStep>, service: &str, share: Rate) -> Self {
        Self { step, service: service.to_owned(), share }
    }

    fn strikes(&self, record: &Record<'_>) -> bool {
        let order_id = OrderId::parse(&self.step.envelope(record).order_id);
        order_id.is_ok_and(|id| self.share.includes(Draw::of(&id, &self.service, "fault", 1)))
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
    use events::Topic;
    use messaging::NoHeaders;

    use super::*;

    /// Tells which records it was shown.
    struct Shown;

    impl BatchStep for Shown {
        fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
            batch.iter().map(|record| Outcome::Retry(record.offset.to_string())).collect()
        }
    }

    fn outcomes(percent: u64, keys: &[String]) -> Vec<Outcome> {
        let share = Rate::from_percent(percent).unwrap();
        let mut faulty = Faulty::new(Box::new(Shown), "payment_processor", share);
        let record = |(offset, key): (usize, &String)| Record {
            topic: Topic::new("order_placed"),
            partition: 0,
            offset: offset as i64,
            key: Some(key.clone().leak().as_bytes()),
            value: None,
            headers: &NoHeaders,
            deliveries: None,
        };
        let batch: Vec<Record<'_>> = keys.iter().enumerate().map(record).collect();
        faulty.process(&batch)
    }

    #[test]
    fn a_fault_takes_its_share_always_the_same_records_and_all_others_come_to_the_service() {
        let keys: Vec<String> = (0..1_000).map(|n| format!("order-{n}")).collect();
        let faulty = outcomes(10, &keys);
        assert_eq!(faulty, outcomes(10, &keys));
        let planted = Outcome::Reject("fault: planted by --reject".to_owned());
        let struck = faulty.iter().filter(|outcome| **outcome == planted).count();
        assert!((60..140).contains(&struck), "{struck} of 1,000 at 10 %");
        for (offset, outcome) in faulty.iter().enumerate().filter(|(_, outcome)| **outcome != planted) {
            assert_eq!(outcome, &Outcome::Retry(offset.to_string()), "each at its place");
        }
    }

    #[test]
    fn what_names_no_order_is_the_services_own_to_judge() {
        assert_eq!(outcomes(100, &[String::new()]), [Outcome::Retry("0".to_owned())]);
    }
}
