use std::fmt::Write as _;

use kafka_transport::Span;
use messaging::{Fate, Record};
use serde_json::{Value, json};

use super::ShowArgs;
use super::letter::Letter;
use super::letters::Letters;
use crate::{Error, Format, Status, print, shown};

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    topic: String,
    partition: u32,
    offset: i64,
}

/// Reads `TOPIC-PARTITION@OFFSET`.
pub(crate) fn place(text: &str) -> Result<Place, String> {
    let read = || {
        let (partition, offset) = text.rsplit_once('@')?;
        let (topic, partition) = partition.rsplit_once('-')?;
        let offset = offset.parse().ok().filter(|offset| *offset >= 0)?;
        Some(Place { topic: topic.to_owned(), partition: partition.parse().ok()?, offset })
    };
    read().filter(|place| !place.topic.is_empty()).ok_or_else(|| "allowed is TOPIC-PARTITION@OFFSET".to_owned())
}

/// Shows one of them.
///
/// # Errors
/// Where it is not there, or the brokers do not answer or refuse.
pub(super) fn execute(args: &ShowArgs, mut letters: Letters) -> Result<Status, Error> {
    let one = args.place.span(&letters)?;
    let mut found = None;
    letters.read(&[one], |letter, record| {
        found = Some(match args.format {
            Format::Text => text(&letter, record),
            Format::Json => format!("{:#}\n", document(&letter, record)),
        });
    })?;
    print(&found.ok_or_else(|| args.place.missing())?)?;
    Ok(Status::Holds)
}

impl Place {
    /// What stands there, where that is a topic of dead letters.
    ///
    /// # Errors
    /// Where it is none, or nothing stands there; where the brokers do not answer or refuse.
    pub(super) fn span(&self, letters: &Letters) -> Result<Span, Error> {
        let Self { topic: name, partition, offset } = self;
        let Some(topic) = letters.topic(name) else {
            let known: Vec<&str> = letters.topics().map(|topic| topic.as_str()).collect();
            return Err(Error::Usage(format!("{name}: no topic of dead letters; there are {}", known.join(", "))));
        };
        let stands = letters.span(topic, *partition)?.filter(|span| (span.from..span.to).contains(offset));
        stands.map(|span| Span { from: *offset, to: offset + 1, ..span }).ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Error {
        let Self { topic, partition, offset } = self;
        Error::Failed(format!("{topic}-{partition}@{offset}: nothing stands there, or not any more"))
    }
}

fn text(letter: &Letter, record: &Record<'_>) -> String {
    let mut text = String::new();
    let bytes = |bytes: Option<&[u8]>| match bytes {
        None => "nothing".to_owned(),
        Some(bytes) => format!("{} ({} bytes)", shown(&String::from_utf8_lossy(bytes)), bytes.len()),
    };
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<11}{value}"); // writing to memory does not fail
    };
    row("place", &letter.place());
    row("written", &letter.at());
    row("by", &shown(letter.service()));
    row("of", &letter.origin().unwrap_or_else(|| "it does not say".to_owned()));
    row("order", &letter.order_id.as_deref().map_or_else(|| "nothing tells".to_owned(), shown));
    row("reason", &shown(letter.reason()));
    row("redriven", &format!("{} times before", letter.redrives()));
    row("fate", letter.fate.map_or("open", Fate::as_str));
    row("key", &bytes(record.key));
    row("value", &bytes(record.value));
    for (name, value) in record.headers.to_list() {
        row("header", &format!("{}: {}", shown(&name), bytes(value.as_deref())));
    }
    text
}

/// Bytes as they are where they are text, which JSON escapes; else what can be read of them.
fn document(letter: &Letter, record: &Record<'_>) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let header =
        |(name, value): (String, Option<Vec<u8>>)| json!({ "name": name, "value": value.as_deref().map(text) });
    let mut document = letter.document();
    document["key"] = json!(record.key.map(text));
    document["value"] = json!(record.value.map(text));
    document["headers"] = record.headers.to_list().into_iter().map(header).collect();
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_its_end_because_topics_have_hyphens_too() {
        let expected = Place { topic: "food-orders".into(), partition: 2, offset: 63 };
        assert_eq!(place("food-orders-2@63"), Ok(expected));
        for bad in ["", "orders", "orders-1", "orders@3", "-1@3", "orders-x@3", "orders-1@-3", "orders-1@"] {
            assert_eq!(place(bad), Err("allowed is TOPIC-PARTITION@OFFSET".into()), "{bad}");
        }
    }
}
