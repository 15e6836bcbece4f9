use events::shop::{OrderPlaced, PaymentResult};
use events::{Event, Topic};
use kafka_transport::Membership;

use super::{cluster, told_as_reader, told_as_writer, told_at_the_deadline};
use crate::broker::Broker;
use crate::kafka::STRANGER;

const SHARED: Membership = Membership::Shared { instance: None };
const UNKNOWN: Topic = Topic::new("nobody_made_it");

pub(super) fn reading_without_the_right_is_refused_before_the_first_record(broker: &dyn Broker, _: Topic) {
    // It may write there, so it knows the topic; the group is its own.
    let user = "payment_processor";
    let connection = cluster(broker).connection_as(user).unwrap();
    let told = told_as_reader(connection, Membership::Sole, "payment_processor.order_placed", PaymentResult::TOPIC);
    assert_eq!(told, forbidden(broker, user, "READ topic payment_result"));
}

pub(super) fn writing_without_the_right_is_refused(broker: &dyn Broker, _: Topic) {
    // It may read there.
    let user = "payment_processor";
    let told = told_as_writer(cluster(broker).connection_as(user).unwrap(), OrderPlaced::TOPIC, 1);
    assert_eq!(told, not_written(&forbidden(broker, user, "WRITE topic order_placed")));
}

pub(super) fn the_group_of_another_is_refused(broker: &dyn Broker, _: Topic) {
    // It may read the topic, in a group of its own.
    let user = "inventory_manager";
    let connection = cluster(broker).connection_as(user).unwrap();
    let told = told_as_reader(connection, SHARED, "payment_processor.order_placed", OrderPlaced::TOPIC);
    assert_eq!(told, forbidden(broker, user, "READ group payment_processor.order_placed"));
}

pub(super) fn a_user_without_any_right_neither_reads_nor_writes(broker: &dyn Broker, _: Topic) {
    let connection = || cluster(broker).connection_as(STRANGER).unwrap();
    let told = told_as_reader(connection(), SHARED, "payment_processor.order_placed", OrderPlaced::TOPIC);
    assert_eq!(told, forbidden(broker, STRANGER, "READ topic order_placed"));
    let told = told_as_writer(connection(), OrderPlaced::TOPIC, 1);
    // Which is refused first is chance: the number that makes its writes one, or this one.
    let refusals = [
        forbidden(broker, STRANGER, "WRITE topic order_placed"),
        not_written(&forbidden(broker, STRANGER, "WRITE topic order_placed")),
    ];
    assert!(refusals.contains(&told), "{told}");
}

pub(super) fn an_unknown_topic_is_told_to_whom_may_know_it_and_hidden_from_others(broker: &dyn Broker, _: Topic) {
    let cluster = cluster(broker);
    let unknown = format!("{}: no topic {UNKNOWN}: `orderflow topics create` makes it", cluster.brokers());
    assert_eq!(told_as_reader(cluster.connection(), SHARED, "a-group", UNKNOWN), unknown);
    assert_eq!(told_at_the_deadline(&cluster.connection(), UNKNOWN), unknown);
    let user = "payment_processor";
    let told = told_as_reader(cluster.connection_as(user).unwrap(), SHARED, "payment_processor.order_placed", UNKNOWN);
    assert_eq!(told, forbidden(broker, user, &format!("READ topic {UNKNOWN}")));
}

fn forbidden(broker: &dyn Broker, user: &str, what: &str) -> String {
    format!(
        "{}: user {user} may not {what}: check its ACLs; `orderflow topology show` lists what each service needs",
        cluster(broker).brokers()
    )
}

fn not_written(why: &str) -> String {
    format!("an order was not written: {why}")
}
