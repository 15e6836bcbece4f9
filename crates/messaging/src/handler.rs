use crate::{Draw, Outgoing, Record};
use events::OrderId;

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

    /// What a log line says of a handled record beyond its status; asked for only while somebody reads the log.
    fn remark(&self, _record: &Record<'_>) -> Option<String> {
        None
    }
}

/// A handler as a batch step: record by record, and none behind a `Retry` in its partition.
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
}

impl<H: Handler + ?Sized> Handler for std::sync::Arc<H> {
    fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        (**self).handle(record, context)
    }

    fn remark(&self, record: &Record<'_>) -> Option<String> {
        (**self).remark(record)
    }
}

impl<S: BatchStep + ?Sized> BatchStep for Box<S> {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        (**self).process(batch)
    }

    fn remark(&self, record: &Record<'_>) -> Option<String> {
        (**self).remark(record)
    }
}
