use std::fmt::Write as _;

use serde_json::{Value, json};

use super::sample::{Group, Watched};
use super::trend::{History, Part, Standing, Trend};
use super::words;

/// Each group with a line for how it stands, and the topics.
pub(crate) fn text(watched: &Watched, history: &History) -> String {
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
    format!("{groups}\n{}", table(&["topic", "partitions", "records", "in/s"], 1, topics))
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
pub(crate) fn document(address: &str, watched: &Watched, history: &History) -> Value {
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
        "groups": watched.groups.iter().map(|group| of_group(group, &history.standing(group))).collect::<Vec<_>>(),
        "topics": topics.collect::<Vec<_>>(),
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
