use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use events::saga::{OrderCompleted, OrderCreated};
use events::{Event, Timestamp};
use kafka_cluster::faults::{CASES, Case, LONG_CASES, System};
use messaging::Outgoing;
use order_saga::catalogue;
use topology::Topology;

use crate::call::TOPOLOGY;
use crate::play;
use crate::scene::{Scene, end};

/// Decides when and whom the faults strike. Printed with the table: the same seed tries the same again.
const SEED: u64 = 7;

/// What the saga adds to the shop's matrix: sagas that stand open in workers and in the database.
const ITS_OWN: &str = "worker killed";

#[test]
fn j07_no_order_is_lost_or_doubled_where_workers_and_the_database_are_killed() {
    let mut scene = Scene::start(|options| options.behind_proxies());
    a_database_that_is_killed_and_comes_back_loses_nothing(&mut scene);
    play(&scene, CASES.iter().filter(|case| case.name == ITS_OWN));
}

#[test]
#[ignore = "takes minutes: `ci/test --full saga` plays it"]
fn j07_no_order_is_lost_or_doubled_whatever_else_happens_to_brokers_workers_network_and_records() {
    let scene = Scene::start(|options| options.behind_proxies());
    play(&scene, CASES.iter().chain(&LONG_CASES).filter(|case| case.name != ITS_OWN));
}

fn play<'a>(scene: &Scene, cases: impl Iterator<Item = &'a Case>) {
    let topology = Topology::built_in().unwrap();
    let system = System {
        name: "saga",
        system: topology::System::OrderSaga,
        source: "order_service",
        program: PathBuf::from(env!("CARGO_BIN_EXE_orderflow")),
        environment: vec![("DATABASE_URL".to_owned(), scene.database.url())],
        topology: &topology,
        topology_json: TOPOLOGY,
        order: |seed, n| Outgoing::of(&OrderCreated(catalogue::order(seed, Timestamp::BASE, n))),
        end: OrderCompleted::TOPIC,
    };
    play::play("the saga under the fault matrix", cases, &scene.cluster, &system, SEED);
}

fn a_database_that_is_killed_and_comes_back_loses_nothing(scene: &mut Scene) {
    let workers = scene.work_all("--orders 1000 --rate 200 --seed 3", &[], &[]);
    thread::sleep(Duration::from_secs(1));
    scene.database.kill().unwrap();
    thread::sleep(Duration::from_secs(3));
    scene.database.restart().unwrap();
    scene.await_records(OrderCreated::TOPIC, 1_000);
    let document = scene.audit();
    end(workers);
    assert_eq!(document["orders"]["accepted"], 1_000, "{document}");
}
