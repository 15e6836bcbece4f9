//! When somebody should look: the rules of Prometheus.

use std::fmt::Write as _;

use kafka_transport::names;

use super::{KAFKA_JOB, ORDERFLOW_JOB, broker, cluster, saga};

/// How far each group is behind, by service and topic, whoever tells it: a monitor, or its workers.
pub(super) const LAG: &str = "service_topic:orderflow_lag_records:sum";

/// A lag below this is what comes and goes with each batch.
const LAG_RECORDS: u32 = 1000;

/// How soon somebody has to act.
#[derive(Clone, Copy)]
enum Severity {
    /// Now: orders wait, or the next failure stops them.
    Critical,
    /// Today.
    Warning,
}

/// One of them. What it means and what to do stands in docs/monitoring.md under its name.
struct Alert {
    name: &'static str,
    severity: Severity,
    expression: String,
    /// It has to hold for so long: what passes by itself wakes nobody.
    holds_for: &'static str,
    /// With what Prometheus knows of it in double braces.
    summary: &'static str,
}

fn alerts() -> Vec<Alert> {
    use Severity::{Critical, Warning};
    let alert = |name, severity, expression: String, holds_for, summary| Alert {
        name,
        severity,
        expression,
        holds_for,
        summary,
    };
    let records = names::RECORDS.series;
    vec![
        alert(
            "BrokerDown",
            Critical,
            format!("up{{job=\"{KAFKA_JOB}\"}} == 0"),
            "1m",
            "Broker {{ $labels.instance }} does not answer",
        ),
        alert(
            "OfflinePartitions",
            Critical,
            format!("max({}) > 0", broker::OFFLINE_PARTITIONS.series),
            "1m",
            "{{ $value }} partitions have no leader: nobody can write or read them",
        ),
        alert(
            "UnderMinIsrPartitions",
            Critical,
            format!("{} > 0", broker::UNDER_MIN_ISR.series),
            "1m",
            "{{ $value }} partitions of {{ $labels.instance }} have too few replicas in sync to be written",
        ),
        alert(
            "UnderReplicatedPartitions",
            Warning,
            format!("{} > 0", broker::UNDER_REPLICATED.series),
            "5m",
            "{{ $value }} partitions of {{ $labels.instance }} lack a replica",
        ),
        alert(
            "NoActiveController",
            Critical,
            format!("sum({}) != 1", broker::ACTIVE_CONTROLLER.series),
            "1m",
            "{{ $value }} brokers say that they are the controller, instead of one",
        ),
        alert(
            "WorkerDown",
            Critical,
            format!("up{{job=\"{ORDERFLOW_JOB}\"}} == 0"),
            "1m",
            "The worker or monitor at {{ $labels.instance }} does not answer",
        ),
        alert(
            "ClusterDoesNotAnswer",
            Critical,
            format!("{} == 0", cluster::ANSWERS.series),
            "2m",
            "The cluster does not say to the monitor at {{ $labels.instance }} how it stands",
        ),
        alert(
            "LagGrows",
            Warning,
            format!("{LAG} > {LAG_RECORDS} and deriv({LAG}[10m]) > 0"),
            "10m",
            "{{ $labels.service }} is {{ $value }} records of {{ $labels.topic }} behind, and falls further behind",
        ),
        alert(
            "NobodyReads",
            Critical,
            format!(
                "{LAG} > 0 and on (service, topic) max by (service, topic) ({}) == 0",
                cluster::GROUP_MEMBERS.series
            ),
            "10m",
            "{{ $value }} records of {{ $labels.topic }} wait, and {{ $labels.service }} has no member that reads them",
        ),
        alert(
            "RecordsGivenUp",
            Warning,
            format!("sum by (service, topic) (increase({records}{{status=~\"dead_lettered|skipped\"}}[10m])) > 0"),
            "0m",
            "{{ $labels.service }} has given up about {{ $value | printf \"%.0f\" }} records of {{ $labels.topic }}",
        ),
        alert(
            "DeadLetters",
            Warning,
            // Functions do not tell what they give up: the topic does, and with it what an operator settles.
            format!(
                "max by (topic) (increase({}{{topic=~\".+[.]dead_letter\"}}[10m])) > 0",
                cluster::TOPIC_RECORDS.series
            ),
            "0m",
            "About {{ $value | printf \"%.0f\" }} records were written to {{ $labels.topic }}",
        ),
        alert(
            "WritesNotConfirmed",
            Warning,
            format!("sum by (service, topic) (increase({records}{{status=\"failed\"}}[10m])) > 0"),
            "10m",
            "Writes of {{ $labels.service }} that follow from {{ $labels.topic }} are not confirmed, again and again",
        ),
        alert(
            "PartitionWaits",
            Warning,
            format!("max by (service, topic) ({}) > 0", names::BREAKER.series),
            "5m",
            "{{ $labels.service }} gets no further in a partition of {{ $labels.topic }}, however often it tries",
        ),
        alert(
            "CircuitBreakerOpen",
            Warning,
            format!("max by (outside) ({}) > 0", saga::CIRCUIT_BREAKER.series),
            "5m",
            "The {{ $labels.outside }} fails, and is spared",
        ),
        alert(
            "SagasStuck",
            Warning,
            format!("max({}) > 0", saga::STUCK.series),
            "5m",
            "{{ $value }} sagas cannot undo what they have to",
        ),
    ]
}

/// The file of rules. A string of JSON is one of YAML.
pub(super) fn yaml() -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    // A monitor sees all partitions; the workers that are asked may be some of a group.
    let lag = format!(
        "max by (service, topic) ({}) or sum by (service, topic) ({})",
        cluster::GROUP_LAG.series,
        names::LAG.series
    );
    let mut text = format!(
        "# Written by `orderflow metrics alerts`. What each alert means, and what to do: docs/monitoring.md.\n\
         groups:\n  - name: orderflow\n    rules:\n      - record: {LAG}\n        expr: {}\n",
        quoted(&lag)
    );
    for Alert { name, severity, expression, holds_for, summary } in alerts() {
        let severity = match severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
        };
        // Writing to memory does not fail.
        let _ = writeln!(
            text,
            "      - alert: {name}\n        expr: {}\n        for: {holds_for}\n        labels:\n          severity: {severity}\n        \
             annotations:\n          summary: {}\n          runbook: docs/monitoring.md#{}",
            quoted(&expression),
            quoted(summary),
            name.to_lowercase()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::unknown_names;
    use super::*;

    #[test]
    fn every_rule_asks_for_names_that_somebody_tells() {
        let rules = yaml();
        let expressions = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
        let expressions: Vec<String> = expressions.map(|text| serde_json::from_str(text).unwrap()).collect();
        assert_eq!(expressions.len(), alerts().len() + 1);
        for expression in expressions {
            assert_eq!(unknown_names(&expression), Vec::<String>::new(), "{expression}");
        }
    }

    #[test]
    fn the_role_of_ansible_has_these_rules() {
        let of_role = include_str!("../../../../ansible/roles/prometheus/files/alerts.yml");
        assert!(
            of_role == yaml(),
            "ansible/roles/prometheus/files/alerts.yml is another: write it with `orderflow metrics alerts`"
        );
    }
}
