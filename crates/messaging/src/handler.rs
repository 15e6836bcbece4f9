use crate::{Draw, Follows, Outgoing, Record};
use events::{Envelope, OrderId};

/// A service's decision about one record. Pure: the same record gives the same answer, always and everywhere.
pub trait Handler: Send + Sync {
    /// Decides what follows from a record.
    ///
    /// # Errors
    /// [`Failure::Retry`] where another attempt may succeed, [`Failure::Reject`] where none ever will. A business "no" is
    /// neither: it is an event.
    fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure>;

    /// What a log line says of a handled record beyond its status; asked for only while somebody reads the log.
    fn remark(&self, _record: &Record<'_>) -> Option<String> {
        None
    }

    /// What is due without a record: a service's timers. A host asks often, between two batches, and writes what it gets once,
    /// without a promise: what is lost on the way comes due again.
    fn due(&self) -> Vec<Due> {
        Vec::new()
    }

    /// Whether anything will become due, however late.
    fn has_timers(&self) -> bool {
        false
    }
}

/// A record that follows from no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What to write.
    pub record: Outgoing,
    /// The run that it belongs to.
    pub run: Option<Vec<u8>>,
    /// The id of the event that led to it, as its header has it: no record, but that something is due.
    pub cause: [u8; 36],
}

impl Due {
    /// What it follows from.
    pub fn follows(&self) -> Follows<'_> {
        Follows { run: self.run.as_deref(), cause: Some(&self.cause), ..Follows::NOTHING }
    }
}

/// Why a record was not handled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Another attempt may succeed: something it needs is away. Never becomes a dead letter.
    #[error("{0}")]
    Retry(String),
    /// No attempt ever will: the record goes to the group's dead-letter topic.
    #[error("{0}")]
    Reject(String),
}

/// Who decides.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The service's name.
    pub service: &'a str,
}

impl Context<'_> {
    /// The draw for this service's decision about an order, at the first business attempt.
    pub fn draw(&self, order_id: &OrderId, decision: &str) -> Draw {
        Draw::of(order_id, self.service, decision, 1)
    }
}

/// What became of one record of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Handled; these records follow from it.
    Done(Vec<Outgoing>),
    /// Not yet: this record and those behind it in its partition come again.
    Retry(String),
    /// Never: it goes to the dead-letter topic.
    Reject(String),
}

/// What the loop drives: a batch in, one outcome a record out.
///
/// A stateless [`Handler`] is [`Lifted`] into it. A step of its own serves what works on a batch as a whole, such as one
/// transaction for all of it.
pub trait BatchStep: Send {
    /// Handles a batch: records of one topic, those of a partition in the order of their offsets.
    ///
    /// Answers with one outcome a record, in the batch's order. Behind a `Retry` the outcomes of the same partition are
    /// not looked at: those records come again.
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome>;

    /// What a log line says of any record: which order, which event. Where the value tells no order it is the key's, unless the step knows
    /// better.
    fn envelope(&self, record: &Record<'_>) -> Envelope {
        Envelope::of(record.key, record.value)
    }

    /// What a log line says of a handled record beyond its status; asked for only while somebody reads the log.
    fn remark(&self, _record: &Record<'_>) -> Option<String> {
        None
    }

    /// As [`Handler::due`].
    fn due(&mut self) -> Vec<Due> {
        Vec::new()
    }

    /// As [`Handler::has_timers`].
    fn has_timers(&self) -> bool {
        false
    }
}

/// A handler as a batch step: record by record, and none behind a `Retry` in its partition.
#[derive(Clone)]
pub struct Lifted<H> {
    handler: H,
    service: String,
}

impl<H: Handler> Lifted<H> {
    /// Lifts a service's handler.
    pub fn new(service: &str, handler: H) -> Self {
        Self { handler, service: service.to_owned() }
    }
}

impl<H: Handler> BatchStep for Lifted<H> {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let context = Context { service: &self.service };
        let mut held_back: Vec<i32> = Vec::new();
        let mut outcomes = Vec::with_capacity(batch.len());
        for record in batch {
            if held_back.contains(&record.partition) {
                outcomes.push(Outcome::Retry("waits behind an earlier record of its partition".into()));
                continue;
            }
            outcomes.push(match self.handler.handle(record, &context) {
                Ok(outgoing) => Outcome::Done(outgoing),
                Err(Failure::Reject(reason)) => Outcome::Reject(reason),
                Err(Failure::Retry(reason)) => {
                    held_back.push(record.partition);
                    Outcome::Retry(reason)
                }
            });
        }
        outcomes
    }

    fn remark(&self, record: &Record<'_>) -> Option<String> {
        self.handler.remark(record)
    }

    fn due(&mut self) -> Vec<Due> {
        self.handler.due()
    }

    fn has_timers(&self) -> bool {
        self.handler.has_timers()
    }
}

impl<H: Handler + ?Sized> Handler for std::sync::Arc<H> {
    fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        (**self).handle(record, context)
    }

    fn remark(&self, record: &Record<'_>) -> Option<String> {
        (**self).remark(record)
    }

    fn due(&self) -> Vec<Due> {
        (**self).due()
    }

    fn has_timers(&self) -> bool {
        (**self).has_timers()
    }
}

impl<S: BatchStep + ?Sized> BatchStep for Box<S> {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        (**self).process(batch)
    }

    fn envelope(&self, record: &Record<'_>) -> Envelope {
        (**self).envelope(record)
    }

    fn remark(&self, record: &Record<'_>) -> Option<String> {
        (**self).remark(record)
    }

    fn due(&mut self) -> Vec<Due> {
        (**self).due()
    }

    fn has_timers(&self) -> bool {
        (**self).has_timers()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use events::Topic;

    use super::*;
    use crate::NoHeaders;

    /// Does what the record's value says, and counts how often it is asked.
    #[derive(Default)]
    struct Scripted {
        asked: AtomicU32,
    }

    impl Handler for Scripted {
        fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match record.value {
                Some(b"retry") => Err(Failure::Retry(format!("{} is away", context.service))),
                Some(b"reject") => Err(Failure::Reject("nonsense".into())),
                _ => Ok(Vec::new()),
            }
        }

        fn remark(&self, record: &Record<'_>) -> Option<String> {
            Some(format!("at {}", record.offset))
        }
    }

    /// A handler that says nothing of its records.
    struct Quiet;

    impl Handler for Quiet {
        fn handle(&self, _: &Record<'_>, _: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
            Ok(Vec::new())
        }
    }

    impl BatchStep for Quiet {
        fn process(&mut self, _: &[Record<'_>]) -> Vec<Outcome> {
            Vec::new()
        }
    }

    fn record(partition: i32, offset: i64, script: &'static str) -> Record<'static> {
        let (topic, value) = (Topic::new("order_placed"), Some(script.as_bytes()));
        Record { topic, partition, offset, key: None, value, headers: &NoHeaders, deliveries: None }
    }

    fn done() -> Outcome {
        Outcome::Done(Vec::new())
    }

    fn away() -> Outcome {
        Outcome::Retry("inventory_manager is away".into())
    }

    fn held_back() -> Outcome {
        Outcome::Retry("waits behind an earlier record of its partition".into())
    }

    #[test]
    fn a_lifted_handler_gives_one_outcome_a_record_in_the_order_of_the_batch() {
        let mut step = Lifted::new("inventory_manager", Quiet);
        assert_eq!(step.process(&[]), []);
        let mut step = Lifted::new("inventory_manager", Scripted::default());
        let batch = [record(0, 1, "done"), record(1, 1, "reject"), record(0, 2, "reject"), record(1, 2, "done")];
        let nonsense = || Outcome::Reject("nonsense".into());
        assert_eq!(step.process(&batch), [done(), nonsense(), nonsense(), done()]);
    }

    #[test]
    fn behind_a_retry_a_lifted_handler_is_not_asked_about_that_partition_and_is_asked_again_in_the_next_batch() {
        let handler = Arc::new(Scripted::default());
        let mut step = Lifted::new("inventory_manager", Arc::clone(&handler));
        let batch = [record(0, 1, "retry"), record(1, 1, "done"), record(0, 2, "done"), record(0, 3, "reject")];
        assert_eq!(step.process(&batch), [away(), done(), held_back(), held_back()]);
        assert_eq!(handler.asked.load(Ordering::Relaxed), 2);
        assert_eq!(step.process(&[record(0, 1, "done")]), [done()]);
    }

    #[test]
    fn a_remark_comes_through_every_wrapping() {
        let mut step: Box<dyn BatchStep> = Box::new(Lifted::new("inventory_manager", Arc::new(Scripted::default())));
        assert_eq!(step.remark(&record(0, 7, "done")), Some("at 7".into()));
        assert_eq!(step.process(&[record(0, 7, "retry")]), [away()]);
    }

    #[test]
    fn who_has_nothing_to_remark_remarks_nothing() {
        assert_eq!(Handler::remark(&Quiet, &record(0, 7, "done")), None);
        assert_eq!(BatchStep::remark(&Quiet, &record(0, 7, "done")), None);
    }

    #[test]
    fn a_failure_reads_as_its_reason() {
        assert_eq!(Failure::Retry("broker away".into()).to_string(), "broker away");
        assert_eq!(Failure::Reject("total: found -5".into()).to_string(), "total: found -5");
    }

    #[test]
    fn a_draw_of_a_context_is_that_of_its_service_at_the_first_attempt() {
        let order_id = OrderId::parse("7f3a").unwrap();
        let draw = Context { service: "payment_processor" }.draw(&order_id, "payment");
        assert_eq!(draw, Draw::of(&order_id, "payment_processor", "payment", 1));
    }
}
