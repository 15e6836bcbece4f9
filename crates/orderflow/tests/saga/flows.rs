use std::process::Command;

use events::saga::{InventoryRejected, OrderCreated, PaymentCompleted, StatedItem, StatedOrder};
use events::{Event, OrderId, SignedCents, Timestamp};
use kafka_cluster::ADMIN;
use messaging::Outgoing;
use serde_json::Value;
use topology::Topology;

use crate::scene::{SERVICES, Scene, Setting, end};

/// Orders of a scenario.
const ORDERS: u64 = 40;

/// Everybody pays, and everything is in stock.
const FINE: [Setting; 2] = [("payment_service", "success_percent", 100), ("inventory_service", "stocked_percent", 100)];

/// A scenario: the services with these settings, and one of them only once `until` is so.
fn play(scene: &Scene, settings: &[Setting], late: Option<(&'static str, &dyn Fn())>) -> Value {
    scene.reset();
    let orders = format!("--orders {ORDERS} --rate 1000 --seed 7");
    let but: Vec<&str> = late.iter().map(|(service, _)| *service).collect();
    let mut workers = scene.work_all(&orders, settings, &but);
    if let Some((service, until)) = late {
        until();
        workers.insert(service, scene.work(service, "", settings));
    }
    scene.await_records(OrderCreated::TOPIC, ORDERS);
    let document = scene.audit();
    end(workers);
    document
}

fn outcomes(document: &Value, names: &[&str]) -> Vec<u64> {
    assert_eq!(document["orders"]["accepted"], ORDERS, "{document}");
    names.iter().map(|name| document["outcomes"][*name].as_u64().unwrap()).collect()
}

/// One cluster and one database for all of these: each scenario is a run of its own.
#[test]
fn j01_j02_j03_j05_orders_are_completed_or_undone_on_the_secured_cluster_with_postgresql() {
    let scene = Scene::start(|options| options);
    j05_the_topics_are_created_and_configured_as_the_topology_says(&scene);
    j01_an_order_is_paid_reserved_confirmed_and_completed(&scene);
    j02_a_payment_that_fails_releases_the_reservation(&scene);
    j03_a_shortage_that_is_known_before_the_payment_answers_refunds_it(&scene);
    j03_a_shortage_that_is_known_after_the_payment_refunds_it(&scene);
    orders_that_are_placed_again_come_to_the_same_ends_in_a_run_of_their_own(&scene);
    what_is_no_order_is_refused_or_dead_lettered_and_the_others_run_on(&scene);
    an_order_is_told_by_its_history_and_what_is_kept_beside_is_made_anew(&scene);
    a_reset_empties_topics_and_database(&scene);
}

fn j05_the_topics_are_created_and_configured_as_the_topology_says(scene: &Scene) {
    scene.call(ADMIN, "topics diff").end().with_status(0);
}

fn j01_an_order_is_paid_reserved_confirmed_and_completed(scene: &Scene) {
    let document = play(scene, &FINE, None);
    assert_eq!(outcomes(&document, &["completed", "failed", "refused"]), [ORDERS, 0, 0]);
    for topic in ["orders.validated", "payments.completed", "notifications.email", "orders.completed"] {
        assert_eq!(document["records"][topic], ORDERS, "{topic}");
    }
    assert!(document["records"]["inventory.reserved"].as_u64() > Some(ORDERS), "an order of two products has two");
    let pieces = Topology::built_in().unwrap().service("inventory_service").unwrap().setting("stock_pieces").unwrap();
    assert_eq!(what_the_database_says_is_wrong(scene, pieces), "");
    assert!(what_the_database_says_is_wrong(scene, pieces + 1).contains("pieces left of"), "it can tell");
}

/// By the statements that the VM test asks it by, which none of our code has a part in.
fn what_the_database_says_is_wrong(scene: &Scene, pieces: u64) -> String {
    let statements = concat!(env!("CARGO_MANIFEST_DIR"), "/../../nix/tests/saga.sql");
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set", "ON_ERROR_STOP=1"]);
    psql.args(["--set", &format!("pieces={pieces}"), "--file", statements, &scene.database.url()]);
    let ended = psql.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

fn j02_a_payment_that_fails_releases_the_reservation(scene: &Scene) {
    let settings = [("payment_service", "success_percent", 0), FINE[1]];
    let document = play(scene, &settings, None);
    let names = ["completed", "failed", "payment_declined", "released", "refunded"];
    assert_eq!(outcomes(&document, &names), [0, ORDERS, ORDERS, ORDERS, 0]);
    assert_eq!(document["records"]["inventory.released"], document["records"]["inventory.reserved"]);
}

fn j03_a_shortage_that_is_known_before_the_payment_answers_refunds_it(scene: &Scene) {
    let settings = [FINE[0], ("inventory_service", "stocked_percent", 0)];
    let known = || scene.await_records(InventoryRejected::TOPIC, ORDERS);
    let document = play(scene, &settings, Some(("payment_service", &known)));
    let names = ["completed", "failed", "out_of_stock", "refunded"];
    assert_eq!(outcomes(&document, &names), [0, ORDERS, ORDERS, ORDERS]);
}

fn j03_a_shortage_that_is_known_after_the_payment_refunds_it(scene: &Scene) {
    let settings = [FINE[0], ("inventory_service", "stocked_percent", 0)];
    let paid = || scene.await_records(PaymentCompleted::TOPIC, ORDERS);
    let document = play(scene, &settings, Some(("inventory_service", &paid)));
    let names = ["completed", "failed", "out_of_stock", "refunded"];
    assert_eq!(outcomes(&document, &names), [0, ORDERS, ORDERS, ORDERS]);
}

fn orders_that_are_placed_again_come_to_the_same_ends_in_a_run_of_their_own(scene: &Scene) {
    let settings = [("payment_service", "success_percent", 50), ("inventory_service", "stocked_percent", 80)];
    let first = play(scene, &settings, None);
    let names = ["completed", "failed"];
    let workers = scene.work_all(&format!("--orders {ORDERS} --rate 1000 --seed 7"), &settings, &[]);
    scene.await_records(OrderCreated::TOPIC, 2 * ORDERS);
    let second = scene.audit();
    end(workers);
    assert_ne!(first["run"], second["run"]);
    assert_eq!(outcomes(&second, &names), outcomes(&first, &names));
    assert!(outcomes(&second, &names).iter().all(|&count| count > 0), "{second}");
}

fn what_is_no_order_is_refused_or_dead_lettered_and_the_others_run_on(scene: &Scene) {
    const RUN: &str = "bad-input";
    let item = |product: &str, quantity, cents| StatedItem {
        product_id: product.to_owned(),
        quantity,
        price: SignedCents::new(cents),
    };
    let order = |id: &str, items: Vec<StatedItem>, total| {
        Outgoing::of(&OrderCreated(StatedOrder {
            order_id: OrderId::parse(id).unwrap(),
            customer_id: "CUST-00001".into(),
            items,
            total_amount: SignedCents::new(total),
            timestamp: Timestamp::BASE,
        }))
    };
    let good = || vec![item("SKU-00001", 1, 500)];
    let many = (1..=1_001).map(|number| item(&format!("SKU-{number:05}"), 1, 1)).collect();
    let refused = [
        order("no-items", Vec::new(), 0),
        order("negative", vec![item("SKU-00001", -1, 500)], -500),
        order("zero", vec![item("SKU-00001", 0, 500)], 0),
        order("total", good(), 501),
        order("unknown", vec![item("SKU-99999", 1, 500)], 500),
        order("many", many, 1_001),
    ];
    let garbage = [
        Outgoing { value: b"[42]".to_vec(), ..order("garbage", good(), 500) },
        Outgoing { value: vec![b'{'; 990_000], ..order("megabyte", good(), 500) },
    ];
    let again = [order("good", vec![item("SKU-00002", 1, 500)], 500), order("good", Vec::new(), 0)];
    let first = order("good", good(), 500);
    let records: Vec<Outgoing> = refused.iter().chain(&garbage).chain([&first]).chain(&again).cloned().collect();
    scene.reset();
    scene.publish(SERVICES[0], OrderCreated::TOPIC, &records, RUN);
    let workers = scene.work_all("", &FINE, &[]);
    let audit = scene.call(ADMIN, &format!("audit saga --run {RUN} --format json")).end().with_status(0).document();
    let logs: String = end(workers).into_iter().map(|ended| ended.stderr).collect();
    assert_eq!((&audit["outcomes"]["refused"], &audit["outcomes"]["completed"]), (&6.into(), &1.into()), "{audit}");
    assert_eq!(audit["audit"]["dead_lettered"], 2, "{audit}");
    assert_eq!(audit["records"]["order_service.orders.created.dead_letter"], 4, "{audit}");
    assert_eq!(audit["records"]["payments.requested"], 1, "nothing later sees what was refused");
    for reason in [
        "items: found 0 items, allowed 1 to 1000 items",
        "items[0].quantity: found -1, allowed 1 to 1000 pieces",
        "items[0].quantity: found 0, allowed 1 to 1000 pieces",
        "total_amount: found 5.01, allowed 5.00, the sum of the items",
        "items[0].product_id: found SKU-99999, allowed a product that there is",
        "items: found 1001 items, allowed 1 to 1000 items",
        "value: found 990000 bytes, allowed 65536 bytes at most",
        "order_id: found good once more with other content, allowed an id of its own for each order",
    ] {
        assert!(logs.contains(reason), "{reason} in\n{logs}");
    }
}

fn an_order_is_told_by_its_history_and_what_is_kept_beside_is_made_anew(scene: &Scene) {
    let told = scene.call(ADMIN, "history good").end().with_status(0).stdout;
    for line in ["began: 1 items for 5.00", "payment granted", "inventory granted SKU-00001", "completed", "\nended\n"]
    {
        assert!(told.contains(line), "{line} in\n{told}");
    }
    let unknown = scene.call(ADMIN, "history nobody").end().with_status(1).stderr;
    assert_eq!(unknown, "error: order nobody: the event store knows no saga of it\n");
    let rebuilt = scene.call(ADMIN, "rebuild --format json").end().with_status(0).document();
    assert_eq!((&rebuilt["sagas"], &rebuilt["unfinished"]), (&1.into(), &0.into()));
}

fn a_reset_empties_topics_and_database(scene: &Scene) {
    let told = scene.reset();
    assert!(told.ends_with("the database is empty\n"), "{told}");
    scene.call(ADMIN, "history good").end().with_status(1);
}
