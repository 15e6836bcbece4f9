use kafka_cluster::{Cluster, Options};
use serde_json::Value;

use crate::call::Ended;
use crate::worker::Worker;
use crate::{on, start, until};

const SHOP: &str = "payment_processor inventory_manager shipping_handler notification_handler";

fn call(cluster: &Cluster, arguments: &str) -> Ended {
    on(cluster, &format!("{arguments} --format json")).end()
}

fn count(cluster: &Cluster, filter: &str) -> Value {
    call(cluster, &format!("dead-letters list {filter}")).with_status(0).document()["count"].clone()
}

#[test]
fn what_is_broken_on_purpose_is_given_up_by_each_group_and_the_rest_comes_to_its_end_once() {
    let cluster = start(&Options::kraft());
    let missing = on(&cluster, "inject order_placed -").end().with_status(1);
    let expected = format!("error: {}: no topic order_placed: `orderflow topics create` makes it\n", cluster.brokers());
    assert_eq!(missing.stderr, expected);
    on(&cluster, "topics create").end().with_status(0);

    let workers = Worker::start(on(&cluster, &format!("work {SHOP}")));
    let orders = crate::call::orders(300, 7);
    let inject = on(&cluster, "inject order_placed - --corrupt 10% --duplicate 20% --seed 3 --format json");
    let injected = inject.stdin(orders).end().with_status(0).document();
    let (corrupted, run) = (injected["corrupted"].as_u64().unwrap(), injected["run"].as_str().unwrap());
    assert_eq!(injected["written"], 300 + injected["duplicated"].as_u64().unwrap());
    assert!(corrupted > 0 && injected["duplicated"].as_u64().unwrap() > 0, "{injected}");

    until("both groups have given all of them up", || count(&cluster, "") == 2 * corrupted);
    for service in ["payment_processor", "inventory_manager"] {
        assert_eq!(count(&cluster, &format!("--service {service} --reason invalid")), corrupted, "{service}");
    }
    let audit = call(&cluster, &format!("audit --run {run}")).with_status(0).document();
    assert_eq!(audit["audit"]["passed"], true, "{audit}");
    assert_eq!(audit["orders"]["accepted"], 300, "{audit}");
    workers.terminate().with_status(0);
}
