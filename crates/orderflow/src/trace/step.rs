use events::{Envelope, Topic};
use messaging::audit::Mark;
use messaging::{CAUSATION_ID, EVENT_ID, GivenUp, RUN, Record};

/// Where a record stands.
pub(crate) type Place = (Topic, i32, i64);

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
}

/// What a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What a service has written, or somebody who placed the order.
    Event,
    /// One that a group has given up. What it says of itself; `None` where its headers tell nothing.
    DeadLetter(Option<GivenUp>),
}

impl Step {
    /// `origins`: where a dead letter may come from; `None` where the topic is not one of dead letters.
    pub(crate) fn of(record: &Record<'_>, at_ms: i64, mark: Option<Mark>, origins: Option<&[Topic]>) -> Self {
        let text = |name| record.headers.last(name).map(|value| String::from_utf8_lossy(value).into_owned());
        let kind = origins.map_or(Kind::Event, |topics| Kind::DeadLetter(GivenUp::read(record.headers, topics)));
        let Record { topic, partition, offset, .. } = *record;
        let event_type = Envelope::of(None, record.value).event_type;
        let (event_id, cause, run) = (text(EVENT_ID), text(CAUSATION_ID), text(RUN));
        Self { topic, partition, offset, at_ms, event_type, event_id, cause, run, mark, kind }
    }

    pub(crate) const fn place(&self) -> Place {
        (self.topic, self.partition, self.offset)
    }

    /// Where the record stands that it is the dead letter of.
    pub(crate) fn origin(&self) -> Option<Place> {
        let Kind::DeadLetter(Some(given_up)) = &self.kind else { return None };
        let origin = &given_up.origin;
        Some((origin.topic, origin.partition, origin.offset))
    }
}
