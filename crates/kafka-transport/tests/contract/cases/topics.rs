use events::Topic;
use simulation::broker::Stored;

use crate::broker::{Broker, Refusal};
use crate::suite::PARTITIONS;

pub(super) fn an_unknown_topic_is_refused_and_not_made(broker: &dyn Broker, topic: Topic) {
    let unknown = Topic::named(&format!("{topic}.unknown"));
    assert_eq!(broker.write(unknown, &[Stored::default()]), [Err(Refusal::UnknownTopic)]);
    assert_eq!(broker.partitions(unknown), None);
    assert_eq!(broker.partitions(topic), Some(PARTITIONS as usize));
}
