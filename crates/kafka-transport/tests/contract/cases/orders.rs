use events::Topic;

use crate::broker::Broker;
use crate::shop;

const ORDERS: u64 = 300;

pub(super) fn every_order_comes_to_its_end_with_the_digest_of_the_simulation(broker: &dyn Broker, _: Topic) {
    let orders = shop::orders(ORDERS);
    let verdict = broker.audit(&orders);
    assert!(verdict.passed(), "{verdict}");
    assert_eq!((verdict.ended, verdict.redelivered), (ORDERS, 0));
    assert_eq!(verdict.digest, shop::simulated(&orders).digest);
}
