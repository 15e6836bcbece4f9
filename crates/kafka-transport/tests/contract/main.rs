//! What every broker of ours must do, asked of each: in memory, embedded, Apache Kafka without and with security.
//!
//! A case is asked of any [`broker::Broker`], or states the [`broker::Capability`] that it needs. The test of each broker lists
//! what cannot be asked of it, so that no case vanishes unseen. It stands in this crate because no other may name rdkafka.
#![cfg(test)]

mod broker; // what a broker under test can do
mod cases; // what is asked
mod kafka; // whatever speaks Kafka's protocol
mod memory; // the simulation's broker
mod security; // who is refused, and what he is told
mod shop; // the shop on each of them
mod suite; // all cases of one broker, and the report

use kafka_transport::EmbeddedCluster;

use crate::cases::CASES;
use crate::kafka::Kafka;
use crate::memory::Memory;

#[test]
fn the_broker_in_memory_keeps_the_contract() {
    let not_applicable = [
        "a_record_beyond_the_topics_limit_is_refused_and_those_around_it_are_not",
        "a_key_stands_where_javas_clients_would_put_it",
        "a_topic_has_the_settings_that_it_was_made_with",
        "a_stranger_is_not_let_in",
        "another_leads_on_where_a_leader_is_killed",
        "what_was_confirmed_survives_a_crash",
    ];
    suite::check(&Memory::with(suite::topics(CASES)), CASES, &not_applicable);
}

#[test]
fn the_embedded_cluster_keeps_the_contract() {
    let cluster = EmbeddedCluster::start(suite::topics(CASES)).unwrap();
    let not_applicable = [
        "a_record_beyond_the_topics_limit_is_refused_and_those_around_it_are_not",
        "a_topic_is_made_once_with_its_partitions",
        "a_topic_has_the_settings_that_it_was_made_with",
        "a_stranger_is_not_let_in",
        "another_leads_on_where_a_leader_is_killed",
        "what_was_confirmed_survives_a_crash",
    ];
    suite::check(&Kafka::embedded(&cluster), CASES, &not_applicable);
}

#[test]
fn a_kraft_broker_keeps_the_contract() {
    let not_applicable = ["a_stranger_is_not_let_in", "another_leads_on_where_a_leader_is_killed"];
    suite::check(&Kafka::kraft(CASES), CASES, &not_applicable);
}

#[test]
fn the_secured_cluster_keeps_the_contract() {
    suite::check(&Kafka::secured(CASES), CASES, &[]);
}

#[test]
fn the_secured_cluster_refuses_with_a_reason() {
    suite::check(&Kafka::secured(security::CASES), security::CASES, &[]);
}

#[test]
#[ignore = "takes a minute and a cluster of its own: `ci/test --full kafka` plays it"]
fn the_secured_cluster_lets_everybody_do_what_is_his_and_nothing_else() {
    suite::check(&Kafka::secured(security::RIGHTS), security::RIGHTS, &[]);
}
