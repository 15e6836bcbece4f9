//! Whom the secured cluster refuses, and what he is told: what happened, at which address, for whom, and what to check.

mod access; // a topic or a group is another's
mod logins; // nobody comes in
mod rights; // everybody against the topology
mod tls; // what stands between us and the brokers
mod writes; // what brokers do not take

use std::time::{Duration, Instant};

use events::{EventId, Topic};
use kafka_cluster::Cluster;
use kafka_transport::{Admin, Ca, Connection, Error, Group, Membership, Pace, Pipeline, Plan, Writer};
use messaging::{BatchStep, Follows, Outcome, Outgoing, Record, RetryPolicy, Subscription};

use crate::broker::Broker;
use crate::cases::until;
use crate::kafka::TURN;
use crate::suite::{Case, PARTITIONS, case};

/// All cases but the longest.
pub(crate) const CASES: &[Case] = &[
    case!(logins::a_wrong_password_is_told_with_the_user_it_was_given_for needs Security),
    case!(logins::an_unknown_user_is_told_as_a_wrong_password_is needs Security),
    case!(tls::a_ca_that_did_not_sign_is_not_trusted needs Security),
    case!(tls::a_certificate_for_another_name_is_not_trusted needs Security),
    case!(tls::plaintext_on_a_tls_port_is_told_within_10_seconds needs Security),
    case!(tls::tls_on_a_plaintext_port_is_told_within_10_seconds needs Security),
    case!(access::reading_without_the_right_is_refused_before_the_first_record needs Security),
    case!(access::writing_without_the_right_is_refused needs Security),
    case!(access::the_group_of_another_is_refused needs Security),
    case!(access::a_user_without_any_right_neither_reads_nor_writes needs Security),
    case!(access::an_unknown_topic_is_told_to_whom_may_know_it_and_hidden_from_others needs Security alone),
    case!(writes::a_record_that_is_too_large_is_told_with_its_topic needs Security),
    case!(writes::too_few_replicas_in_sync_are_told_at_the_writes_deadline needs Security alone),
];

/// Every right of every user: some thousand questions.
pub(crate) const RIGHTS: &[Case] =
    &[case!(rights::everybody_may_do_what_the_topology_says_and_nothing_else needs Security)];

/// How much longer than documented it may take on a busy machine.
const GRACE: Duration = Duration::from_secs(5);

/// How long a write waits that is never confirmed: who waits with it need not wait as long as a worker does.
const WRITE_DEADLINE: Duration = Duration::from_secs(6);

fn cluster(broker: &dyn Broker) -> &Cluster {
    broker.as_kafka().unwrap().cluster.as_ref().unwrap()
}

/// The address of one broker.
fn first(cluster: &Cluster) -> &str {
    cluster.brokers().split(',').next().unwrap()
}

/// Who asks at one broker only, so that the message names that one.
fn login(cluster: &Cluster, address: &str, user: &str, password: &str) -> Connection {
    Connection::sasl_ssl(address, user, password, Ca::File(cluster.ca_file().unwrap().into()))
}

/// What somebody is told who cannot connect, within 10 seconds.
#[track_caller]
fn told(connection: &Connection) -> String {
    let started = Instant::now();
    let refused = Admin::connect(connection).err().unwrap();
    assert!(started.elapsed() < Duration::from_secs(10) + GRACE, "{:?}", started.elapsed());
    refused.to_string()
}

/// What a member of a group is told that reads a topic.
#[track_caller]
fn told_as_reader(connection: Connection, membership: Membership, group: &str, topic: Topic) -> String {
    let subscription = Subscription {
        service: "reader".into(),
        group: group.into(),
        topic,
        dead_letter: Some(topic),
        batch_records: 10,
        retry: RetryPolicy::try_new(100, 1_000, 5).unwrap(),
    };
    let group = Group { subscription, step: Box::new(Ignores) };
    failure_of(connection, membership, topic, vec![group], &[]).to_string()
}

/// What somebody is told who writes a record of so many bytes.
#[track_caller]
fn told_as_writer(connection: Connection, topic: Topic, bytes: usize) -> String {
    failure_of(connection, Membership::Shared { instance: None }, topic, Vec::new(), &[record(topic, bytes)])
        .to_string()
}

/// What somebody is told who waits for his write no longer than [`WRITE_DEADLINE`].
#[track_caller]
fn told_at_the_deadline(connection: &Connection, topic: Topic) -> String {
    let writer = Writer::new(connection, &[(topic, PARTITIONS)], WRITE_DEADLINE).unwrap();
    writer.connect(Duration::from_secs(10)).unwrap();
    let started = Instant::now();
    writer.open(0);
    writer.publish(0, &record(topic, 1), Follows::NOTHING);
    let told = writer.confirm(0, started + WRITE_DEADLINE + GRACE).unwrap_err();
    assert!(started.elapsed() < WRITE_DEADLINE + GRACE, "{:?}", started.elapsed());
    told.to_string()
}

fn record(topic: Topic, bytes: usize) -> Outgoing {
    let event_id = EventId::parse(b"00000000-0000-0000-0000-000000000000").unwrap();
    Outgoing { topic, key: b"abc".into(), value: vec![7; bytes], event_id }
}

/// What ends a pipeline that should not come far.
#[track_caller]
fn failure_of(
    connection: Connection,
    membership: Membership,
    topic: Topic,
    groups: Vec<Group>,
    records: &[Outgoing],
) -> Error {
    let topics = vec![(topic, PARTITIONS)];
    let plan =
        Plan { connection, membership, pace: Pace::BROKERS, topics, groups, tap: None, metrics: None, traces: None };
    let mut pipeline = match Pipeline::start(plan) {
        Ok(pipeline) => pipeline,
        Err(error) => return error,
    };
    pipeline.publish(records, "the-run");
    let mut failure = None;
    until("the failure", || {
        std::thread::sleep(TURN);
        failure = pipeline.check().err();
        failure.is_some()
    });
    failure.unwrap()
}

/// A step that is never asked, or in vain.
struct Ignores;

impl BatchStep for Ignores {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        batch.iter().map(|_| Outcome::Done(Vec::new())).collect()
    }
}
