use kafka_cluster::{ADMIN, Options};
use kafka_transport::{Admin, Ca, Connection};

use crate::{admin, shape, start, topology};

#[test]
fn a_user_sees_what_the_topology_lets_it_see_and_nothing_else() {
    let topology = topology();
    let cluster = start(&Options::secured(&topology).with_user("stranger"));
    let topics = ["order_placed", "payment_result", "inventory_result"];
    admin(&cluster).create(&topics.map(|topic| (topic, shape(3)))).unwrap();
    let as_user = |user: &str| Admin::connect(&cluster.connection_as(user).unwrap()).unwrap();
    for topic in ["order_placed", "payment_result"] {
        assert_eq!(as_user("payment_processor").offsets(topic, 1).unwrap().len(), 1);
    }
    for (user, topic) in [("payment_processor", "inventory_result"), ("stranger", "order_placed")] {
        let refusal = as_user(user).describe(&[topic]).unwrap_err().to_string();
        assert!(refusal.contains(&format!("user {user} may not DESCRIBE topic {topic}")), "{refusal}");
    }
}

#[test]
fn a_wrong_password_an_unknown_user_and_a_foreign_ca_are_refused() {
    let topology = topology();
    let cluster = start(&Options::secured(&topology));
    let ca = cluster.ca_file().unwrap();
    let refusal = |user: &str, password: &str, ca: Ca| {
        Admin::connect(&Connection::sasl_ssl(cluster.brokers(), user, password, ca)).err().unwrap().to_string()
    };
    for (user, password) in [(ADMIN, "wrong"), ("nobody", cluster.password(ADMIN).unwrap())] {
        let refused = refusal(user, password, Ca::File(ca.to_owned()));
        assert!(refused.contains(&format!("user {user} was refused")), "{refused}");
    }
    let foreign = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let refused = refusal(ADMIN, cluster.password(ADMIN).unwrap(), Ca::Pem(foreign));
    assert!(refused.contains("its certificate was refused"), "{refused}");
    assert!(cluster.connection_as("nobody").is_err());
}
