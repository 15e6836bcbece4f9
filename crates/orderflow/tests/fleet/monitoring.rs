use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ansible::Ansible;
use crate::command::{REPOSITORY, succeeded};
use crate::fleet::{Fleet, repository};
use crate::until::until;
use crate::{HOSTS, Worker, as_admin, missing_root, ports, resident_mib};

/// An alert waits a minute, and Prometheus asks four times in it.
const FIRES_WITHIN: Duration = Duration::from_secs(150);

/// A broker has to answer, and Prometheus to ask.
const GONE_WITHIN: Duration = Duration::from_secs(90);

#[test]
#[ignore = "needs a fleet of its own: ci/test --full fleet"]
fn an_alert_fires_for_a_broker_that_is_stopped_and_is_gone_once_it_runs() {
    if let Some(reason) = missing_root() {
        eprintln!("not applicable: {reason}");
        return;
    }
    // Given a cluster that is monitored, but for Grafana, whose repository is Grafana's own,
    let agent = PathBuf::from(succeeded(repository("ci/jmx-exporter").output().unwrap()).trim());
    let fleet = Fleet::serving(&[&agent], &[]);
    let ansible = Ansible::new(&fleet);
    let url = format!("http://packages/files/{}", agent.file_name().unwrap().display());
    ansible.write_inventory(|text| {
        text + &format!("\n[all:vars]\nprometheus_workers=['127.0.0.1:9401']\njmx_exporter_url={url}\n")
    });
    let wanted = ["-e", "monitoring_enabled=true", "-e", "grafana_enabled=false"];
    ansible.refuses("monitoring_enabled is false", "monitoring.yml", &[]);
    ansible.plays("site.yml", &wanted);

    // another time changes nothing,
    let again = ansible.plays("monitoring.yml", &wanted);
    assert_eq!(again.changes(), 0, "{}", again.text);

    // the console host reaches the brokers' metrics, and nobody else does,
    let opened = ["kafka-1", "kafka-2", "kafka-3"].map(|broker| format!("console-1 -> {broker}:9404"));
    let expected: BTreeSet<String> = ports::expected().into_iter().chain(opened).collect();
    assert_eq!(ports::reached(&fleet, &ports::everywhere(), &HOSTS), expected);

    // and a worker that has orders to handle.
    let worker = as_admin("work payment_processor --listen 127.0.0.1:9401").replace("; orderflow", "; exec orderflow");
    let worker = fleet.at("console-1", "sh").args(["-c", &worker]).stdout(Stdio::null()).spawn().unwrap();
    let _worker = Worker(worker);
    fleet.tells("console-1", &as_admin("work order_generator --orders 500 --seed 7"));

    // Then brokers, worker and monitor answer,
    until(GONE_WITHIN, "everybody is asked, and answers", || {
        labels(&asked(&fleet, "up{job=~\"kafka|orderflow\"} == 1"), "instance").len() == 5
    });

    // all that our rules name of a broker is told, and what the worker and the monitor tell,
    let of_role = fs::read_to_string(format!("{REPOSITORY}/ansible/roles/jmx_exporter/files/kafka.yml")).unwrap();
    let of_brokers = of_role.lines().filter_map(|line| line.strip_prefix("    name: "));
    let others = [
        "jvm_memory_used_bytes{area=\"heap\"}",
        "jvm_memory_max_bytes{area=\"heap\"}",
        "orderflow_records_total{service=\"payment_processor\", status=\"handled\"} > 0",
        "orderflow_group_lag_records{service=\"shipping_handler\"} > 0",
        "orderflow_topic_records_total{topic=\"order_placed\"} == 500",
        "service_topic:orderflow_lag_records:sum{service=\"payment_processor\"} == 0",
    ];
    for query in of_brokers.chain(others) {
        until(GONE_WITHIN, query, || !asked(&fleet, query).is_empty());
    }

    // and nothing fires.
    let firing = || asked(&fleet, "ALERTS{alertstate=\"firing\"}");
    until(GONE_WITHIN, "nothing fires", || firing().is_empty());

    // When a broker is stopped, an alert fires for it,
    fleet.tells("kafka-2", "systemctl stop kafka");
    let stopped = Instant::now();
    let is_down = || firing().iter().any(|alert| is_of(alert, "BrokerDown", "kafka-2"));
    until(FIRES_WITHIN, "BrokerDown fires for kafka-2", is_down);
    println!("fired {:.0?} after the stop: {:?}", stopped.elapsed(), labels(&firing(), "alertname"));
    let others = firing().into_iter().filter(|alert| alert["metric"]["alertname"] == "BrokerDown").count();
    assert_eq!(others, 1);

    // and once it runs again none does.
    fleet.tells("kafka-2", "systemctl start kafka");
    let started = Instant::now();
    until(GONE_WITHIN, "no alert fires", || firing().is_empty());
    println!("gone {:.0?} after the start", started.elapsed());
    for unit in ["prometheus", "orderflow-monitor"] {
        println!("{unit}: {} MiB resident", resident_mib(&fleet, "console-1", unit));
    }
    for broker in ["kafka-1", "kafka-2", "kafka-3"] {
        let resident_mib = resident_mib(&fleet, broker, "kafka");
        println!("kafka with the agent on {broker}: {resident_mib} MiB resident");
        assert!(resident_mib <= 420, "{broker}: {resident_mib} MiB");
    }
}

fn is_of(alert: &Value, name: &str, instance: &str) -> bool {
    alert["metric"]["alertname"] == name && alert["metric"]["instance"] == instance
}

/// What Prometheus answers to a query.
fn asked(fleet: &Fleet, query: &str) -> Vec<Value> {
    let ask = format!("curl --silent --get --data-urlencode 'query={query}' http://127.0.0.1:9090/api/v1/query");
    let answer: Value = serde_json::from_str(&fleet.tells("console-1", &ask)).unwrap();
    answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{query}: {answer}")).clone()
}

fn labels(series: &[Value], label: &str) -> BTreeSet<String> {
    series.iter().filter_map(|series| Some(series["metric"][label].as_str()?.to_owned())).collect()
}
