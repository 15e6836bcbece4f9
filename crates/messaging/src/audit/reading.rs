use std::collections::BTreeMap;
use std::sync::Arc;

use events::{EventId, OrderId, Topic};

use super::observation::Entrance;
use super::{Flow, Observation, Written};
use crate::{EVENT_ID, Fate, Origin, Record, Settlement, Subscription};

/// What the records that stand in topics tell the audit, whoever reads them: given what they mean, and who handles them.
///
/// Which run a record belongs to is its host's question (header [`crate::RUN`]): a run has an audit of its own.
pub struct Reading {
    flow: Arc<dyn Flow>,
    readers: BTreeMap<Topic, Vec<Subscription>>,
    dead_letters: BTreeMap<Topic, Subscription>,
}

/// What a record tells.
#[derive(Debug)]
pub enum Told<'a> {
    /// It stands, so this happened.
    Now(Observation),
    /// This has happened once that group has committed an offset beyond the record: a group that writes nothing leaves no other
    /// trace.
    OnceCommitted(&'a Subscription, Observation),
}

impl Reading {
    /// Reads for `flow`, whose records these groups handle.
    pub fn new(flow: Arc<dyn Flow>, subscriptions: impl IntoIterator<Item = Subscription>) -> Self {
        let (mut readers, mut dead_letters) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
        for subscription in subscriptions {
            if let Some(dead_letter) = subscription.dead_letter {
                dead_letters.insert(dead_letter, subscription.clone());
            }
            readers.entry(subscription.topic).or_default().push(subscription);
        }
        Self { flow, readers, dead_letters }
    }

    /// The groups that leave no trace but their committed offsets.
    pub fn silent_groups(&self) -> impl Iterator<Item = &Subscription> {
        let writes_nothing = |group: &&Subscription| self.flow.handled(&group.service, group.topic).is_some();
        self.readers.values().flatten().filter(writes_nothing)
    }

    /// Whether a record of this topic takes its order in. The audit hears of it before it hears of anything that follows.
    pub fn takes_in(&self, topic: Topic) -> bool {
        self.flow.takes_in(topic)
    }

    /// Whether this is a topic of dead letters.
    pub fn is_dead_letter(&self, topic: Topic) -> bool {
        self.dead_letters.contains_key(&topic)
    }

    /// Whether it says what became of a dead letter: it is none itself, and no record of its order.
    pub fn is_settlement(&self, record: &Record<'_>) -> bool {
        self.dead_letters.get(&record.topic).is_some_and(|group| Settlement::read(record, &[group.topic]).is_some())
    }

    /// Shows to `tell` what a record tells. A dead letter that does not say which record of its group it is of tells nothing.
    pub fn read<'a>(&'a self, record: &Record<'_>, tell: &mut dyn FnMut(Told<'a>)) {
        if let Some(group) = self.dead_letters.get(&record.topic) {
            let is_of_group = |origin: &Origin| origin.group == group.group;
            if let Some(Settlement { origin, fate, .. }) = Settlement::read(record, &[group.topic]) {
                // One that was discarded stays what it is.
                let redriven = origin.filter(|origin| fate == Fate::Redriven && is_of_group(origin));
                redriven.into_iter().for_each(|origin| tell(Told::Now(Observation::Redriven { origin })));
                return;
            }
            let origin = Origin::read(record.headers, &[group.topic]).filter(is_of_group);
            let dead_lettered =
                origin.map(|origin| Observation::dead_lettered(&*self.flow, origin, record.key, record.value));
            dead_lettered.into_iter().for_each(|observation| tell(Told::Now(observation)));
            return;
        }
        // An order whose value nobody can decode was taken in all the same, where anything tells which one it is.
        let written = self.written(record);
        if let Some(order_id) = self.order_id(record).filter(|_| self.takes_in(record.topic)) {
            tell(Told::Now(Observation::Entered { order_id, entrance: Entrance::of(record, written.as_ref()) }));
        }
        let groups = self.readers.get(&record.topic).into_iter().flatten();
        let Some(written) = written else {
            for group in groups {
                tell(Told::Now(Observation::rejected(&*self.flow, group, record)));
            }
            return;
        };
        tell(Told::Now(Observation::Written(written)));
        for group in groups {
            if let Some(handled) = Observation::handled(&*self.flow, &group.service, record) {
                tell(Told::OnceCommitted(group, handled));
            }
        }
    }

    /// The record as the audit sees it; `None` where nobody can decode it.
    fn written(&self, record: &Record<'_>) -> Option<Written> {
        let event_id = EventId::parse(record.headers.last(EVENT_ID)?)?;
        Written::of(&*self.flow, record, event_id)
    }

    fn order_id(&self, record: &Record<'_>) -> Option<OrderId> {
        let id = self.flow.order_id(record.topic, record.key, record.value)?;
        OrderId::parse(std::str::from_utf8(&id).ok()?).ok()
    }
}
