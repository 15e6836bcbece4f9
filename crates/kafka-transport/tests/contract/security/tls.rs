use events::Topic;
use kafka_cluster::ADMIN;
use kafka_transport::{Ca, Connection, EmbeddedCluster};

use super::{cluster, first, login, told};
use crate::broker::Broker;

pub(super) fn a_ca_that_did_not_sign_is_not_trusted(broker: &dyn Broker, _: Topic) {
    let cluster = cluster(broker);
    let address = first(cluster);
    let other = rcgen::generate_simple_self_signed(["another CA".to_owned()]).unwrap().cert.pem();
    let connection = Connection::sasl_ssl(address, ADMIN, cluster.password(ADMIN).unwrap(), Ca::Pem(other));
    assert_eq!(told(&connection), not_trusted(address));
}

pub(super) fn a_certificate_for_another_name_is_not_trusted(broker: &dyn Broker, _: Topic) {
    let cluster = cluster(broker);
    // The same host, by a name that no certificate has.
    let address = first(cluster).replace("127.0.0.1:", "127.1:");
    assert_eq!(told(&login(cluster, &address, ADMIN, cluster.password(ADMIN).unwrap())), not_trusted(&address));
}

fn not_trusted(address: &str) -> String {
    format!(
        "{address}: its certificate was refused (SSL handshake failed: error:0A000086:SSL routines::certificate verify failed): \
         check that KAFKA_CA_FILE or KAFKA_CA_PEM is the CA that signed it, and that it names this host"
    )
}

pub(super) fn plaintext_on_a_tls_port_is_told_within_10_seconds(broker: &dyn Broker, _: Topic) {
    let address = first(cluster(broker));
    let reason = "it hung up on plaintext: is this a TLS listener?";
    assert_eq!(told(&Connection::plaintext(address)), unreachable(address, reason));
}

pub(super) fn tls_on_a_plaintext_port_is_told_within_10_seconds(broker: &dyn Broker, _: Topic) {
    let plaintext = EmbeddedCluster::start([]).unwrap();
    let reason = "it hung up on TLS: is this a plaintext listener?";
    let connection = login(cluster(broker), &plaintext.brokers(), "payment_processor", "a password");
    assert_eq!(told(&connection), unreachable(&plaintext.brokers(), reason));
}

fn unreachable(address: &str, reason: &str) -> String {
    format!(
        "{address}: no answer within 9 s ({reason}): check KAFKA_BROKERS, that the brokers run, and whether this listener asks \
         for TLS and a user"
    )
}
