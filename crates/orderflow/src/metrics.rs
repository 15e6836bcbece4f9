//! `orderflow metrics`: what Prometheus and Grafana are given, made of the names that the code counts by.

use clap::Subcommand;

use crate::{Error, Status, print};

mod alerts; // when somebody should look
pub(crate) mod broker; // what a broker tells
pub(crate) mod cluster; // what a monitor tells
mod dashboard; // what one sees at a glance
pub(crate) mod saga; // what a worker of the saga tells

/// How Prometheus calls who is asked: `up{job="kafka"}`. Ansible's role prometheus gives these names.
const KAFKA_JOB: &str = "kafka";
const ORDERFLOW_JOB: &str = "orderflow";

/// Prints what Prometheus and Grafana need to watch brokers, workers and monitors.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Prints the rules of Prometheus, alerts among them, as YAML; docs/monitoring.md says of each what to do.
    #[command(
        after_help = "Example: orderflow metrics alerts >alerts.yml && promtool check rules alerts.yml\n\nIts own file in /etc/prometheus, named in rule_files, makes Prometheus play them."
    )]
    Alerts,
    /// Prints the dashboard of Grafana, as JSON: brokers, topics, consumer groups, workers, functions.
    #[command(
        after_help = "Example: orderflow metrics dashboard >orderflow.json\n\nGrafana imports it (Dashboards, New, Import), and asks for the data source, which is Prometheus."
    )]
    Dashboard,
}

/// Prints one of them.
///
/// # Errors
/// Where stdout cannot be written to.
pub(crate) fn execute(command: &Command) -> Result<Status, Error> {
    print(&match command {
        Command::Alerts => alerts::yaml(),
        Command::Dashboard => format!("{:#}\n", dashboard::json()),
    })?;
    Ok(Status::Holds)
}

/// The names that an expression asks for and that nobody tells.
#[cfg(test)]
fn unknown_names(expression: &str) -> Vec<String> {
    use std::collections::BTreeSet;

    let told = kafka_transport::names::ALL
        .into_iter()
        .chain(lambda_emulator::names::ALL)
        .chain(saga::ALL)
        .chain(cluster::ALL)
        .chain(broker::ALL)
        .chain([broker::JVM_MEMORY_USED, broker::JVM_MEMORY_MAX]);
    let mut known: BTreeSet<&str> = told.map(|metric| metric.series).collect();
    known.extend(["up", "ALERTS", alerts::LAG]);
    let bare = |pattern: &str, text: &str| {
        let (mut rest, mut kept) = (text, String::new());
        let (open, close) = pattern.split_at(1);
        while let Some((before, after)) = rest.split_once(open) {
            kept += before;
            rest = after.split_once(close).map_or("", |(_, behind)| behind);
        }
        kept + rest
    };
    // Labels to choose by, times, and labels to sum by are no metrics.
    let mut text = bare("[]", &bare("{}", expression));
    for by in ["by (", "without (", "on ("] {
        while let Some((before, after)) = text.split_once(by) {
            text = format!("{before} {}", after.split_once(')').map_or("", |(_, behind)| behind));
        }
    }
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let mut unknown = Vec::new();
    for (at, word) in words(&text, is_of_name) {
        let is_function = text[at + word.len()..].trim_start().starts_with('(');
        let is_number = word.starts_with(|first: char| first.is_ascii_digit());
        let is_operator = ["and", "or", "unless", "sum", "max", "min", "bool"].contains(&word);
        if !is_function && !is_number && !is_operator && !known.contains(word) {
            unknown.push(word.to_owned());
        }
    }
    unknown
}

/// Each word, and where it begins.
#[cfg(test)]
fn words(text: &str, is_of_word: impl Fn(char) -> bool) -> Vec<(usize, &str)> {
    let words = text.split(|letter| !is_of_word(letter)).filter(|word| !word.is_empty());
    words.map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_tells_is_found_wherever_it_stands() {
        for known in [
            "sum by (service, topic) (rate(orderflow_records_total{status=\"handled\"}[5m])) > 0",
            "up{job=\"kafka\"} == 0 or max(kafka_controller_offline_partitions) > 0",
            "histogram_quantile(0.99, sum by (le, service) (rate(orderflow_batch_seconds_bucket[5m])))",
        ] {
            assert_eq!(unknown_names(known), Vec::<String>::new(), "{known}");
        }
        for (expression, unknown) in [
            ("orderflow_records > 0", "orderflow_records"),
            ("sum by (service) (rate(orderflow_record_total[5m]))", "orderflow_record_total"),
            ("up == 0 and kafka_server_partition{a=\"b\"}", "kafka_server_partition"),
        ] {
            assert_eq!(unknown_names(expression), [unknown], "{expression}");
        }
    }
}
