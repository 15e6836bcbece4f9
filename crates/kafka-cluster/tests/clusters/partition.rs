use kafka_cluster::Options;
use kafka_transport::Error;

use crate::{admin, start};

#[test]
fn a_client_gets_no_answer_while_the_network_is_cut_and_gets_it_once_it_is_healed() {
    let cluster = start(&Options::kraft().behind_proxies());
    let admin = admin(&cluster);
    let proxy = cluster.proxy(1).unwrap();
    proxy.cut();
    assert!(matches!(admin.brokers(), Err(Error::Unreachable { .. })));
    proxy.heal();
    assert_eq!(admin.brokers().unwrap().len(), 1);
}

#[test]
fn a_broker_without_a_proxy_is_named() {
    let cluster = start(&Options::kraft());
    assert!(cluster.proxy(1).err().unwrap().to_string().starts_with("no proxy stands before broker-1"));
}
