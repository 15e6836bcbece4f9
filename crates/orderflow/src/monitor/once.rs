use std::fmt::Write as _;

use serde_json::{Value, json};

use super::sample::Group;
use super::seen::Seen;
use super::told::Breaker;
use super::trend::{Part, Standing, Trend};
use super::words;
use super::workers::{Called, Doing, Worker};
use crate::shown;

/// Each group with a line for how it stands, the topics, and what workers do.
pub(crate) fn text(seen: &Seen) -> String {
    let Seen { watched, history, .. } = seen;
    let groups = watched.groups.iter().map(|group| {
        let standing = history.standing(group);
        vec![
            group.service.clone(),
            group.topic.to_string(),
            words::rate(standing.in_per_s),
            words::perhaps(standing.lag, 13),
            words::trend(standing.trend),
            words::zero_in(standing.trend),
            words::perhaps(standing.dead_letters, 13),
            words::perhaps(standing.members, 13),
        ]
    });
    let head = ["service", "topic", "in/s", "lag", "trend", "to zero", "dead letters", "members"];
    let groups = table(&head, 2, groups);
    let topics = watched.topics.iter().map(|&topic| {
        let partitions = history.partitions(topic).map(|partitions| partitions as u64);
        vec![
            topic.to_string(),
            words::perhaps(partitions, 13),
            words::perhaps(history.records(topic), 13),
            words::rate(history.rate(topic)),
        ]
    });
    let topics = table(&["topic", "partitions", "records", "in/s"], 1, topics);
    let workers: Vec<String> = seen.workers.iter().map(of_one).collect();
    [vec![groups, topics], workers].concat().join("\n")
}

/// A worker, and a line for each of its groups or functions.
fn of_one(worker: &Worker) -> String {
    let doing = |doing: &Doing<'_>| {
        vec![
            shown(doing.service),
            shown(doing.topic),
            words::rate(doing.handled_per_s),
            words::rate(doing.again_per_s()),
            words::number(doing.counts.given_up as u64, 13),
            words::latency(doing.p50_s),
            words::latency(doing.p99_s),
            words::breaker(doing.counts.breaker),
        ]
    };
    let called = |called: &Called<'_>| {
        vec![
            shown(called.function),
            words::rate(called.invocations_per_s),
            words::rate(called.errors_per_s),
            words::rate(called.retries_per_s),
            words::perhaps(called.calls.lag, 13),
            words::latency(called.calls.p50_s),
            words::latency(called.calls.p99_s),
        ]
    };
    let mut text = format!("{}: {}\n", worker.address, words::worker(worker));
    let (groups, functions) = (worker.groups(), worker.functions());
    if !groups.is_empty() {
        let head = ["service", "topic", "done/s", "again/s", "given up", "p50", "p99", "breaker"];
        text += &table(&head, 2, groups.iter().map(doing));
    }
    if !functions.is_empty() {
        let head = ["function", "calls/s", "errors/s", "again/s", "lag", "p50", "p99"];
        text += &table(&head, 1, functions.iter().map(called));
    }
    text
}

/// Rows below a head, the first columns flush left and numbers flush right.
fn table(head: &[&str], left: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let head = head.iter().map(|word| (*word).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row: &Vec<String>| row[column].len()).max().unwrap_or_default();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            if column < left { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        // Writing to memory does not fail.
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

/// The same for a program; what is not known is null.
pub(crate) fn document(seen: &Seen) -> Value {
    let Seen { address, watched, history, .. } = seen;
    let topics = watched.topics.iter().map(|&topic| {
        json!({
            "topic": topic.as_str(),
            "partitions": history.partitions(topic),
            "records": history.records(topic),
            "per_s": history.rate(topic),
        })
    });
    json!({
        "address": address,
        "brokers": history.newest().map(|sample| sample.brokers),
        "refusal": history.newest().and_then(|sample| sample.refusal.as_ref()),
        "groups": watched.groups.iter().map(|group| of_group(group, &history.standing(group))).collect::<Vec<_>>(),
        "topics": topics.collect::<Vec<_>>(),
        "workers": seen.workers.iter().map(of_worker).collect::<Vec<_>>(),
    })
}

fn of_worker(worker: &Worker) -> Value {
    let ms = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1_000.0);
    let group = |doing: &Doing<'_>| {
        json!({
            "service": doing.service,
            "topic": doing.topic,
            "handled": doing.counts.handled as u64,
            "retried": doing.counts.retried as u64,
            "failed": doing.counts.failed as u64,
            "given_up": doing.counts.given_up as u64,
            "handled_per_s": doing.handled_per_s,
            "retried_per_s": doing.retried_per_s,
            "failed_per_s": doing.failed_per_s,
            "given_up_per_s": doing.given_up_per_s,
            "p50_ms": ms(doing.p50_s),
            "p99_ms": ms(doing.p99_s),
            "breaker": doing.counts.breaker.map(Breaker::as_str),
            "lag": doing.counts.lag,
        })
    };
    let function = |called: &Called<'_>| {
        json!({
            "function": called.function,
            "invocations": called.calls.invocations as u64,
            "errors": called.calls.errors as u64,
            "retries": called.calls.retries as u64,
            "invocations_per_s": called.invocations_per_s,
            "errors_per_s": called.errors_per_s,
            "retries_per_s": called.retries_per_s,
            "p50_ms": ms(called.calls.p50_s),
            "p99_ms": ms(called.calls.p99_s),
            "lag": called.calls.lag,
        })
    };
    let newest = worker.newest();
    let outside = worker.breakers().map(|(name, state)| json!({"name": name, "breaker": state.as_str()}));
    json!({
        "address": worker.address,
        "error": worker.silence,
        "unfinished": newest.and_then(|told| told.unfinished),
        "stuck": newest.and_then(|told| told.stuck),
        "outside": outside.collect::<Vec<_>>(),
        "groups": worker.groups().iter().map(group).collect::<Vec<_>>(),
        "functions": worker.functions().iter().map(function).collect::<Vec<_>>(),
    })
}

fn of_group(group: &Group, standing: &Standing) -> Value {
    let partition = |(number, part): (usize, &Part)| {
        json!({
            "partition": number,
            "first": part.log.as_ref().map(|log| log.start),
            "end": part.log.as_ref().map(|log| log.end),
            "committed": part.committed,
            "lag": part.lag,
        })
    };
    json!({
        "group": group.name,
        "service": group.service,
        "topic": group.topic.as_str(),
        "in_per_s": standing.in_per_s,
        "lag": standing.lag,
        "trend": standing.trend.map(Trend::as_str),
        "zero_in_s": standing.trend.and_then(Trend::zero_in).map(|zero_in| zero_in.as_secs_f64()),
        "dead_letters": standing.dead_letters,
        "dead_letters_per_s": standing.dead_letters_per_s,
        "members": standing.members,
        "partitions": standing.partitions.iter().enumerate().map(partition).collect::<Vec<_>>(),
    })
}
