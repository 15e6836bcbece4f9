use rdkafka::types::RDKafkaApiKey;
use rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as TOO_FEW;

use crate::broker_faults::{cluster, told};
use crate::run::{Shop, orders};
use crate::steps::{Gate, gated};

const SILENT: &str = "notification_handler.inventory_result";

#[test]
fn a_pipeline_is_at_rest_before_the_first_order_and_after_the_last_end_and_not_between() {
    let gate = Gate::closed();
    let shop = Shop::with_partitions(3).stepping(SILENT, gated(&gate));
    let cluster = cluster(&shop.topics);
    let mut run = shop.start_on(&cluster.bootstrap_servers());
    assert!(run.pipeline.is_at_rest());

    // Each refusal delays the orders by a tenth of a second.
    told(&cluster, |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &[TOO_FEW; 3]));
    run.take(&orders(100));
    assert!(!run.pipeline.is_at_rest(), "orders on their way to the broker");

    gate.wait_for_arrival();
    run.until("all other answers", |run| run.pipeline.handled() >= 4 * 100);
    assert!(!run.pipeline.is_at_rest(), "a group stands at its gate");

    gate.open();
    run.until("rest", |run| run.pipeline.is_at_rest());
    let verdict = run.drain().verdict();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.ended, 100);
}
