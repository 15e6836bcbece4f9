use events::Event;
use events::shop::OrderPlaced;
use kafka_cluster::Cluster;
use kafka_transport::{Membership, Pace, Pipeline, Plan};
use messaging::Outgoing;

/// Writes records to where orders enter, in a run of their own.
pub(crate) fn write_orders(cluster: &Cluster, records: &[Outgoing]) {
    let pipeline = Pipeline::start(Plan {
        connection: cluster.connection(),
        membership: Membership::Shared { instance: None },
        pace: Pace::BROKERS,
        topics: vec![(OrderPlaced::TOPIC, 3)],
        groups: Vec::new(),
        tap: None,
        metrics: None,
        traces: None,
    })
    .unwrap();
    pipeline.publish(records, "written");
    pipeline.drain().unwrap();
}
