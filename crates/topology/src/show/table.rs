//! Plain text for a terminal.

use std::iter::zip;

use crate::{Service, System, Topic, Topology};

/// What a terminal shows of a line.
const COLUMNS: usize = 120;

/// Tables in plain text, one system after the other: topics with who writes and reads them, groups with their dead letters, services,
/// rights.
///
/// Columns are aligned by spaces and lines end without any. The built-in topology fits into 120 columns.
#[must_use]
pub fn table(topology: &Topology) -> String {
    let systems = System::ALL.into_iter().filter(|&system| topology.services_of(system).next().is_some());
    let tables = systems.flat_map(|system| {
        [topics, groups, dead_letters, services, rights]
            .map(|table: fn(&Topology, System) -> String| table(topology, system))
    });
    tables.filter(|table| !table.is_empty()).collect::<Vec<_>>().join("\n")
}

fn topics(topology: &Topology, system: System) -> String {
    let ordinary = topology.topics_of(system).filter(|topic| topology.dead_letter_of(&topic.name).is_none());
    let rows = ordinary.map(|topic| {
        let written_by = names(topology.producers_of(&topic.name));
        let read_by = names(topology.consumers_of(&topic.name));
        let [partitions, replication, retention, max_bytes] = sizes(topic);
        [topic.name.clone(), written_by, read_by, partitions, replication, retention, max_bytes]
    });
    aligned(["TOPIC", "WRITTEN BY", "READ BY", "PARTITIONS", "REPLICATION", "RETENTION", "MAX BYTES"], rows)
}

fn groups(topology: &Topology, system: System) -> String {
    let consumptions = topology.services_of(system).flat_map(|service| &service.consumes);
    let rows = consumptions.map(|consumption| {
        let batch = consumption.batch_records.to_string();
        let dead_letter = consumption.dead_letter.clone().unwrap_or_else(|| "-".to_owned());
        [consumption.group.clone(), consumption.topic.clone(), batch, dead_letter]
    });
    aligned(["GROUP", "TOPIC", "BATCH", "DEAD LETTER"], rows)
}

fn dead_letters(topology: &Topology, system: System) -> String {
    let dead_letters = topology.topics_of(system).filter(|topic| topology.dead_letter_of(&topic.name).is_some());
    let mut rows = dead_letters
        .map(|topic| {
            let [partitions, replication, retention, max_bytes] = sizes(topic);
            [topic.name.clone(), partitions, replication, retention, max_bytes]
        })
        .peekable();
    if rows.peek().is_none() {
        return String::new(); // a system may skip what it can never handle
    }
    aligned(["DEAD LETTER", "PARTITIONS", "REPLICATION", "RETENTION", "MAX BYTES"], rows)
}

fn services(topology: &Topology, system: System) -> String {
    let rows = topology.services_of(system).map(|service| {
        let retry = service.retry.map_or("-".to_owned(), |retry| {
            let bounds = format!("{} to {} ms", retry.backoff_min_ms, retry.backoff_max_ms);
            format!("{bounds}, stuck after {}", retry.stuck_after_attempts)
        });
        let settings = service.settings.iter().map(|(name, value)| format!("{name}={value}"));
        [
            service.name.clone(),
            service.system.to_string(),
            service.host.to_string(),
            format!("{} MiB", service.memory_mib),
            format!("{} s", service.timeout_s),
            retry,
            listed(settings.collect()),
        ]
    });
    aligned(["SERVICE", "SYSTEM", "HOST", "MEMORY", "TIMEOUT", "RETRY", "SETTINGS"], rows)
}

fn rights(topology: &Topology, system: System) -> String {
    let mut rights = topology.rights();
    rights.retain(|right| topology.service(right.user).is_some_and(|service| service.system == system));
    let rows = rights.chunk_by(|a, b| (a.user, a.resource) == (b.user, b.resource)).map(|same| {
        let operations = same.iter().map(|right| right.operation.to_string()).collect();
        let right = &same[0];
        [right.user.to_owned(), right.resource.kind().to_owned(), right.resource.name().to_owned(), listed(operations)]
    });
    aligned(["USER", "RESOURCE", "NAME", "OPERATIONS"], rows)
}

fn names<'a>(services: impl Iterator<Item = &'a Service>) -> String {
    listed(services.map(|service| service.name.clone()).collect())
}

fn listed(items: Vec<String>) -> String {
    if items.is_empty() { "-".to_owned() } else { items.join(", ") }
}

fn sizes(topic: &Topic) -> [String; 4] {
    let Topic { partitions, replication, retention_ms, max_message_bytes, .. } = topic;
    [partitions.to_string(), replication.to_string(), duration(*retention_ms), max_message_bytes.to_string()]
}

/// In the largest unit that loses nothing: `7 d`, `36 h`, `90 s`.
fn duration(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let whole = units.iter().find(|(unit_ms, _)| ms.is_multiple_of(*unit_ms));
    whole.map_or(format!("{ms} ms"), |(unit_ms, unit)| format!("{} {unit}", ms / unit_ms))
}

/// Columns stand two spaces apart, or one where they need more than a terminal has. A list in the last one goes on below itself.
fn aligned<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(header.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize, cell: &str| {
        let items = cell.split_inclusive(", ").map(|item| item.trim_end().len());
        if column + 1 == N { items.max().unwrap_or_default() } else { cell.len() }
    };
    let mut widths = [0; N];
    for row in &rows {
        widths = std::array::from_fn(|column| widths[column].max(width(column, &row[column])));
    }
    let needed = widths.iter().sum::<usize>() + 2 * N.saturating_sub(1);
    let gap = if needed > COLUMNS { 1 } else { 2 };
    let line = |row: &[String; N]| {
        let Some((last, cells)) = row.split_last() else { return String::new() };
        let cells: String = zip(cells, widths).map(|(cell, width)| format!("{cell:0$}", width + gap)).collect();
        let indent = " ".repeat(cells.len());
        let begins = std::iter::once(cells.as_str()).chain(std::iter::repeat(indent.as_str()));
        let lines = zip(begins, wrapped(last, COLUMNS.saturating_sub(cells.len())));
        lines.map(|(begin, rest)| format!("{}\n", format!("{begin}{rest}").trim_end())).collect()
    };
    rows.iter().map(line).collect()
}

/// A list on as many lines as it needs: none is longer than `room`, unless an item is.
fn wrapped(list: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in list.split_inclusive(", ") {
        match lines.last_mut() {
            Some(line) if line.len() + item.trim_end().len() <= room => line.push_str(item),
            _ => lines.push(item.to_owned()),
        }
    }
    lines
}
