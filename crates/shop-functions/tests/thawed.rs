//! A function that was stopped for longer than its broker kept the connection.
#![cfg(test)]

/// Under `cluster`, by which the tests that need Apache Kafka are selected.
mod cluster {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use kafka_cluster::{Distribution, Node, Options};
    use kafka_transport::{Admin, TopicShape};
    use lambda_emulator::{Emulator, Outcome, Packing, pack};
    use serde_json::{Value, json};
    use topology::Topology;

    /// Developer guide, "Execution environment lifecycle": between two events nothing of a function runs, so that it does not see its
    /// connections die. The broker that ends takes them with it.
    #[test]
    fn order_generator_writes_again_after_its_connections_died_while_it_was_stopped() {
        let topology = Topology::built_in().unwrap();
        let cluster = Options::kraft().start(&Distribution::find().unwrap()).unwrap();
        let shape = |topic: &topology::Topic| TopicShape {
            partitions: topic.partitions,
            replication: 1,
            retention_ms: topic.retention_ms as i64,
            max_message_bytes: topic.max_message_bytes,
        };
        let topics: Vec<(&str, TopicShape)> =
            topology.topics().map(|topic| (topic.name.as_str(), shape(topic))).collect();
        Admin::connect(&cluster.connection()).unwrap().create(&topics).unwrap();
        let logs = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(lambda_emulator::Options::new(logs.path())).unwrap();
        let binary = std::fs::read(env!("CARGO_BIN_EXE_shop-functions")).unwrap();
        let body = json!({"FunctionName": "order_generator", "Runtime": "provided.al2023", "Handler": "order_generator",
            "Timeout": 30, "Code": {"ZipFile": STANDARD.encode(pack(&binary, Packing::Quick).unwrap())},
            "Environment": {"Variables": {"KAFKA_BROKERS": cluster.brokers()}}});
        emulator.create_function(&serde_json::from_value(body).unwrap()).unwrap();
        let place = || match emulator.invoke("order_generator", br#"{"orders":10}"#).unwrap() {
            Outcome::Answered(body) => serde_json::from_slice::<Value>(&body).unwrap()["orders"].clone(),
            Outcome::Failed { payload, .. } => panic!("{}", String::from_utf8_lossy(&payload)),
        };
        assert_eq!(place(), 10);
        cluster.restart(Node::Broker(1)).unwrap();
        cluster.await_ready().unwrap();
        assert_eq!(place(), 10);
        let log = std::fs::read_to_string(logs.path().join("order_generator.log")).unwrap();
        assert_eq!(log.matches("Init Duration: ").count(), 1, "the same process, thawed");
    }
}
