use events::{Envelope, Topic};
use messaging::audit::Mark;
use messaging::{CAUSATION_ID, EVENT_ID, GivenUp, Place, RUN, Record, Settlement, redrives};

/// A record of the order.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// When it was written, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// What its value calls itself; empty where that cannot be read.
    pub(crate) event_type: String,
    pub(crate) event_id: Option<String>,
    /// The id of the event that it follows from; `None` where the order entered.
    pub(crate) cause: Option<String>,
    pub(crate) run: Option<String>,
    /// The mark that it leaves on its order; `None` where it is no record of its flow.
    pub(crate) mark: Option<Mark>,
    pub(crate) kind: Kind,
    /// How often it was redriven until it stood here.
    pub(crate) redrives: u32,
}

/// What a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What a service has written, or somebody who placed the order.
    Event,
    /// One that a group has given up. What it says of itself; `None` where its headers tell nothing.
    DeadLetter(Option<GivenUp>),
    /// What became of a dead letter in the same partition.
    Settlement(Settlement),
}

impl Step {
    /// `origins`: where a dead letter may come from; `None` where the topic is not one of dead letters.
    pub(crate) fn of(record: &Record<'_>, at_ms: i64, mark: Option<Mark>, origins: Option<&[Topic]>) -> Self {
        let text = |name| record.headers.last(name).map(|value| String::from_utf8_lossy(value).into_owned());
        let kind = origins.map_or(Kind::Event, |topics| match Settlement::read(record, topics) {
            Some(settlement) => Kind::Settlement(settlement),
            None => Kind::DeadLetter(GivenUp::read(record.headers, topics)),
        });
        let Record { topic, partition, offset, .. } = *record;
        let event_type = Envelope::of(None, record.value).event_type;
        let (event_id, cause, run) = (text(EVENT_ID), text(CAUSATION_ID), text(RUN));
        let redrives = redrives(record.headers);
        Self { topic, partition, offset, at_ms, event_type, event_id, cause, run, mark, kind, redrives }
    }

    /// What it is, in a word.
    pub(crate) fn name(&self) -> &str {
        match &self.kind {
            Kind::DeadLetter(_) => "dead letter",
            Kind::Settlement(settlement) => settlement.fate.as_str(),
            Kind::Event if self.event_type.is_empty() => self.topic.as_str(),
            Kind::Event => &self.event_type,
        }
    }

    pub(crate) const fn place(&self) -> Place {
        (self.topic, self.partition, self.offset)
    }

    /// Where the record stands that it is of: that it is the dead letter of, or the dead letter that it settles.
    pub(crate) fn origin(&self) -> Option<Place> {
        match &self.kind {
            Kind::Event | Kind::DeadLetter(None) => None,
            Kind::DeadLetter(Some(GivenUp { origin, .. })) => Some((origin.topic, origin.partition, origin.offset)),
            Kind::Settlement(settlement) => Some((self.topic, self.partition, settlement.letter)),
        }
    }
}
