//! What one sees at a glance: the dashboard of Grafana.

use kafka_transport::names;
use lambda_emulator::names as lambda;
use serde_json::{Value, json};

use super::{alerts, broker, cluster, saga};

/// Of Grafana, whose grid is so many wide.
const WIDTH: usize = 24;
const HEIGHT: usize = 8;
const A_ROW: usize = 3;

/// Panels below a title.
struct Row {
    title: &'static str,
    panels: Vec<Panel>,
}

/// Lines over time, each by what tells it from the others.
struct Panel {
    title: &'static str,
    /// What is seen, and when to look.
    says: &'static str,
    /// As Grafana names units.
    unit: &'static str,
    expression: String,
    legend: &'static str,
}

fn rows() -> Vec<Row> {
    let panel = |title, says, unit, expression, legend| Panel { title, says, unit, expression, legend };
    let rate = |by: &str, name: &str| format!("sum by ({by}) (rate({name}[5m]))");
    let records = names::RECORDS.series;
    let quantile =
        |quantile: &str| format!("histogram_quantile({quantile}, {})", rate("le, service, topic", names::BATCH.series));
    let of_groups = "{{service}} {{topic}}";
    vec![
        Row {
            title: "At a glance",
            panels: vec![
                panel(
                    "Who answers",
                    "Brokers, workers and monitors: 1 answers, 0 does not",
                    "short",
                    "up".into(),
                    "{{job}} {{instance}}",
                ),
                panel(
                    "Alerts",
                    "Those that fire; docs/monitoring.md says what to do",
                    "short",
                    "sum by (alertname, severity) (ALERTS{alertstate=\"firing\"})".into(),
                    "{{severity}}: {{alertname}}",
                ),
                panel(
                    "Partitions out of order",
                    "Without a leader, below the least number of replicas in sync, or with a replica that is behind; all 0 when all is well",
                    "short",
                    format!(
                        "sum({}) + sum({}) + max({})",
                        broker::UNDER_REPLICATED.series,
                        broker::UNDER_MIN_ISR.series,
                        broker::OFFLINE_PARTITIONS.series
                    ),
                    "partitions",
                ),
            ],
        },
        Row {
            title: "Brokers",
            panels: vec![
                panel(
                    "Controller",
                    broker::ACTIVE_CONTROLLER.help,
                    "short",
                    broker::ACTIVE_CONTROLLER.series.into(),
                    "{{instance}}",
                ),
                panel("Leaders", broker::LEADERS.help, "short", broker::LEADERS.series.into(), "{{instance}}"),
                panel("Replicas", broker::PARTITIONS.help, "short", broker::PARTITIONS.series.into(), "{{instance}}"),
                panel(
                    "Partitions with a replica behind",
                    broker::UNDER_REPLICATED.help,
                    "short",
                    broker::UNDER_REPLICATED.series.into(),
                    "{{instance}}",
                ),
                panel(
                    "Partitions that cannot be written",
                    broker::UNDER_MIN_ISR.help,
                    "short",
                    broker::UNDER_MIN_ISR.series.into(),
                    "{{instance}}",
                ),
                panel(
                    "Partitions without a leader",
                    broker::OFFLINE_PARTITIONS.help,
                    "short",
                    broker::OFFLINE_PARTITIONS.series.into(),
                    "{{instance}}",
                ),
                panel(
                    "Requests, p99",
                    broker::REQUEST_P99.help,
                    "ms",
                    broker::REQUEST_P99.series.into(),
                    "{{instance}} {{request}}",
                ),
                panel(
                    "Handlers idle",
                    broker::HANDLER_IDLE.help,
                    "percentunit",
                    broker::HANDLER_IDLE.series.into(),
                    "{{instance}}",
                ),
                panel(
                    "Heap",
                    "Share of its heap that a broker uses",
                    "percentunit",
                    format!(
                        "{}{{area=\"heap\"}} / {}{{area=\"heap\"}}",
                        broker::JVM_MEMORY_USED.series,
                        broker::JVM_MEMORY_MAX.series
                    ),
                    "{{instance}}",
                ),
            ],
        },
        Row {
            title: "Topics",
            panels: vec![
                panel(
                    "Records in",
                    broker::RECORDS_IN.help,
                    "short",
                    rate("topic", broker::RECORDS_IN.series),
                    "{{topic}}",
                ),
                panel("Bytes in", broker::BYTES_IN.help, "Bps", rate("topic", broker::BYTES_IN.series), "{{topic}}"),
                panel("Bytes out", broker::BYTES_OUT.help, "Bps", rate("topic", broker::BYTES_OUT.series), "{{topic}}"),
                panel(
                    "Disk by topic",
                    broker::LOG_BYTES.help,
                    "bytes",
                    format!("sum by (topic) ({})", broker::LOG_BYTES.series),
                    "{{topic}}",
                ),
                panel(
                    "Disk by broker",
                    broker::LOG_BYTES.help,
                    "bytes",
                    format!("sum by (instance) ({})", broker::LOG_BYTES.series),
                    "{{instance}}",
                ),
                panel(
                    "Dead letters",
                    "Records in topics of dead letters within ten minutes, with what was settled",
                    "short",
                    format!("increase({}{{topic=~\".+[.]dead_letter\"}}[10m]) > 0", cluster::TOPIC_RECORDS.series),
                    "{{topic}}",
                ),
            ],
        },
        Row {
            title: "Consumer groups",
            panels: vec![
                panel("Lag", names::LAG.help, "short", alerts::LAG.into(), of_groups),
                panel("Members", cluster::GROUP_MEMBERS.help, "short", cluster::GROUP_MEMBERS.series.into(), of_groups),
                panel(
                    "Written a second",
                    cluster::TOPIC_RECORDS.help,
                    "short",
                    rate("topic", cluster::TOPIC_RECORDS.series),
                    "{{topic}}",
                ),
            ],
        },
        Row {
            title: "Workers",
            panels: vec![
                panel(
                    "Records handled a second",
                    names::RECORDS.help,
                    "short",
                    rate("service, topic", &format!("{records}{{status=\"handled\"}}")),
                    of_groups,
                ),
                panel(
                    "Records that come again or are given up",
                    names::RECORDS.help,
                    "short",
                    rate("service, topic, status", &format!("{records}{{status!=\"handled\"}}")),
                    "{{service}} {{topic}} {{status}}",
                ),
                panel("Batches, p50", names::BATCH.help, "s", quantile("0.5"), of_groups),
                panel("Batches, p99", names::BATCH.help, "s", quantile("0.99"), of_groups),
                panel("Open batches", names::OPEN_BATCHES.help, "short", names::OPEN_BATCHES.series.into(), of_groups),
                panel("Breakers of partitions", names::BREAKER.help, "short", names::BREAKER.series.into(), of_groups),
                panel(
                    "Breakers of services outside",
                    saga::CIRCUIT_BREAKER.help,
                    "short",
                    saga::CIRCUIT_BREAKER.series.into(),
                    "{{outside}}",
                ),
                panel(
                    "Sagas that have not ended",
                    saga::UNFINISHED.help,
                    "short",
                    format!("max({})", saga::UNFINISHED.series),
                    "unfinished",
                ),
                panel("Sagas stuck", saga::STUCK.help, "short", format!("max({})", saga::STUCK.series), "stuck"),
            ],
        },
        Row {
            title: "Functions of an emulator (orderflow lambda up)",
            panels: vec![
                panel(
                    "Invocations a second",
                    lambda::INVOCATIONS.help,
                    "short",
                    rate("function", lambda::INVOCATIONS.series),
                    "{{function}}",
                ),
                panel(
                    "Errors a second",
                    lambda::ERRORS.help,
                    "short",
                    rate("function", lambda::ERRORS.series),
                    "{{function}}",
                ),
                panel(
                    "Duration",
                    lambda::DURATION.help,
                    "s",
                    lambda::DURATION.series.into(),
                    "{{function}} {{quantile}}",
                ),
            ],
        },
    ]
}

/// The dashboard, for whatever source of data is chosen above it.
pub(super) fn json() -> Value {
    let mut panels = Vec::new();
    let mut y = 0;
    for Row { title, panels: of_row } in rows() {
        let id = panels.len() + 1;
        panels.push(json!({
            "id": id, "type": "row", "title": title, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
        }));
        y += 1;
        let lines = of_row.len().div_ceil(A_ROW);
        for (index, panel) in of_row.into_iter().enumerate() {
            let width = WIDTH / A_ROW;
            let place = json!({"x": index % A_ROW * width, "y": y + index / A_ROW * HEIGHT, "w": width, "h": HEIGHT});
            panels.push(shown(&panel, panels.len() + 1, &place));
        }
        y += lines * HEIGHT;
    }
    json!({
        "uid": "orderflow",
        "title": "orderflow",
        "tags": ["orderflow", "kafka"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [
            {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"},
        ]},
        "panels": panels,
    })
}

fn shown(panel: &Panel, id: usize, place: &Value) -> Value {
    let source = json!({"type": "prometheus", "uid": "${source}"});
    json!({
        "id": id,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": "A", "datasource": source, "expr": panel.expression, "legendFormat": panel.legend},
        ],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::unknown_names;
    use super::*;

    #[test]
    fn every_panel_asks_for_names_that_somebody_tells() {
        for panel in rows().iter().flat_map(|row| &row.panels) {
            assert_eq!(unknown_names(&panel.expression), Vec::<String>::new(), "{}: {}", panel.title, panel.expression);
        }
    }

    #[test]
    fn every_name_that_somebody_tells_is_seen() {
        let shown: String = rows().iter().flat_map(|row| &row.panels).map(|panel| panel.expression.clone()).collect();
        let told = names::ALL.into_iter().chain(saga::ALL).chain(cluster::ALL).chain(broker::ALL);
        // Those of lag are within the rule that the panel shows; an alert tells of a cluster that does not answer; LAMBDA_LAG is the groups'.
        let elsewhere = [names::LAG, cluster::GROUP_LAG, cluster::ANSWERS].map(|metric| metric.series);
        let unseen: Vec<&str> = told
            .map(|metric| metric.series)
            .filter(|name| !shown.contains(name) && !elsewhere.contains(name))
            .collect();
        assert_eq!(unseen, Vec::<&str>::new());
    }

    #[test]
    fn no_panel_lies_on_another_and_each_has_its_own_number() {
        let dashboard = json();
        let panels = dashboard["panels"].as_array().unwrap();
        let of = |panel: &Value, key: &str| panel["gridPos"][key].as_u64().unwrap();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len());
        let mut taken = BTreeSet::new();
        for panel in panels {
            assert!(of(panel, "x") + of(panel, "w") <= WIDTH as u64, "{panel:#}");
            for y in of(panel, "y")..of(panel, "y") + of(panel, "h") {
                for x in of(panel, "x")..of(panel, "x") + of(panel, "w") {
                    assert!(taken.insert((x, y)), "{panel:#}");
                }
            }
        }
    }

    #[test]
    fn the_role_of_ansible_has_this_dashboard() {
        let of_role = include_str!("../../../../ansible/roles/grafana/files/orderflow.json");
        assert!(
            of_role == format!("{:#}\n", json()),
            "ansible/roles/grafana/files/orderflow.json is another: write it with `orderflow metrics dashboard`"
        );
    }
}
