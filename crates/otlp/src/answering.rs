use std::sync::Arc;
use std::time::SystemTime;

use messaging::{Answer, Follows, Record, Subscription};

use crate::{Span, Traces};

/// A batch of a group while its records are answered, one after another: what follows from each of them, and their spans.
pub struct Answering<'a> {
    traces: Option<&'a Traces>,
    group: &'a Arc<Subscription>,
    begins: SystemTime,
    spans: Vec<Span>,
    /// What follows from the record that was answered last: what it makes comes behind its answer.
    last: Option<(usize, Follows<'a>)>,
}

impl<'a> Answering<'a> {
    /// Of a batch that was received at this time. Without traces there are no spans.
    pub const fn new(traces: Option<&'a Traces>, group: &'a Arc<Subscription>, begins: SystemTime) -> Self {
        Self { traces, group, begins, spans: Vec::new(), last: None }
    }

    /// The record at this place of the batch was answered.
    pub fn answered(&mut self, index: usize, record: &Record<'a>, answer: &Answer) {
        let Some(traces) = self.traces else { return };
        let (follows, span) = traces.answered(self.group, record, Follows::from(record), answer, self.begins);
        self.spans.extend(span);
        self.last = Some((index, follows));
    }

    /// What a record has of the one, at this place of the batch, that it follows from.
    pub fn follows(&self, index: usize, record: &Record<'a>) -> Follows<'a> {
        let last = self.last.filter(|(answered, _)| *answered == index);
        last.map_or_else(|| Follows::from(record), |(_, follows)| follows)
    }

    /// For [`Traces::end`].
    pub fn into_spans(self) -> Vec<Span> {
        self.spans
    }
}
