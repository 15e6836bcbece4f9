use std::collections::BTreeSet;
use std::net::TcpListener;

use otlp::{ENDPOINT, SAMPLER, SAMPLER_ARG};

use crate::call::{Ended, orderflow};
use crate::collector::Collector;

/// The spans of an order of the shop: it is sent, and handled five times.
const SPANS_OF_ORDER: usize = 6;

fn traces_of(collector: &Collector) -> BTreeSet<String> {
    collector.spans().iter().map(|(_, span)| span["traceId"].as_str().unwrap().to_owned()).collect()
}

fn run(endpoint: &str) -> Ended {
    orderflow("run --orders 200 --seed 7 --format json").env(ENDPOINT, endpoint).end()
}

#[test]
fn a_run_tells_each_order_as_a_trace_and_its_records_are_those_of_a_run_that_does_not() {
    let collector = Collector::start();
    let traced = run(&collector.endpoint()).with_status(0);
    assert_eq!((collector.spans().len(), traces_of(&collector).len()), (200 * SPANS_OF_ORDER, 200));
    let untraced = orderflow("run --orders 200 --seed 7 --format json").end().with_status(0);
    assert_eq!(traced.digest(), untraced.digest());
    assert_eq!(collector.spans().len(), 200 * SPANS_OF_ORDER, "without an endpoint nothing is told");
}

#[test]
fn of_a_share_of_the_orders_each_is_told_as_a_whole() {
    let collector = Collector::start();
    let call = orderflow("run --orders 1000 --seed 7").env(ENDPOINT, &collector.endpoint());
    call.env(SAMPLER, "parentbased_traceidratio").env(SAMPLER_ARG, "0.1").end().with_status(0);
    let traces = traces_of(&collector).len();
    assert!((50..=150).contains(&traces), "{traces}");
    assert_eq!(collector.spans().len(), traces * SPANS_OF_ORDER);
}

#[test]
fn a_run_whose_endpoint_is_away_or_hangs_is_as_good_as_any_other() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let digest = orderflow("run --orders 200 --seed 7 --format json").end().with_status(0).digest();
    for endpoint in [away, hanging.local_addr().unwrap()] {
        assert_eq!(run(&format!("http://{endpoint}")).with_status(0).digest(), digest);
    }
}

#[test]
fn an_endpoint_that_is_none_is_refused_before_anything_starts() {
    let expected = "error: 1 setting is wrong\n  OTEL_EXPORTER_OTLP_ENDPOINT found \"localhost:4317\", allowed \
                    http://HOST:PORT, such as http://localhost:4318\n";
    for arguments in ["run --orders 1", "work payment_processor --brokers localhost:1"] {
        let refused = orderflow(arguments).env(ENDPOINT, "localhost:4317").end().with_status(2);
        assert_eq!(refused.stderr, expected, "{arguments}");
    }
}
