//! The event of a batch, and what its answer means.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kafka_transport::WrittenAt;
use messaging::Record;
use serde::Deserialize;

use super::lane::{Batch, Pending, Verdict};
use crate::Outcome;

/// A record as it stands in the event: bytes in base64, those of headers as numbers with a sign. Each byte of a backlog passes
/// here: it goes into the text as it is made, and a String takes all.
pub(crate) fn pending(record: &Record<'_>, written_at: WrittenAt) -> Pending {
    let mut json = String::with_capacity(1_024);
    let (kind, time_ms) = match written_at {
        WrittenAt::Create(ms) => ("CREATE_TIME", ms),
        WrittenAt::LogAppend(ms) => ("LOG_APPEND_TIME", ms),
    };
    let (topic, partition, offset) = (text(record.topic.as_str()), record.partition, record.offset);
    let _ = write!(
        json,
        r#"{{"topic":{topic},"partition":{partition},"offset":{offset},"timestamp":{time_ms},"timestampType":"{kind}""#
    );
    for (name, bytes) in [("key", record.key), ("value", record.value)] {
        if let Some(bytes) = bytes {
            let _ = write!(json, r#","{name}":""#);
            STANDARD.encode_string(bytes, &mut json);
            json.push('"');
        }
    }
    json.push_str(r#","headers":["#);
    let mut comma = "";
    record.headers.visit(&mut |name, value| {
        let _ = write!(json, "{comma}{{{}:", text(name));
        comma = ",";
        match value {
            None => json.push_str("null"),
            Some(bytes) => {
                let mut separator = '[';
                for byte in bytes {
                    let _ = write!(json, "{separator}{}", byte.cast_signed());
                    separator = ',';
                }
                json.push_str(if bytes.is_empty() { "[]" } else { "]" });
            }
        }
        json.push('}');
    });
    json.push_str("]}");
    Pending { offset: record.offset, json }
}

/// The event of one partition's batch.
pub(crate) fn event(brokers: &str, partition: &str, batch: &Batch) -> String {
    let (brokers, partition, records) = (text(brokers), text(partition), &batch.json);
    format!(
        r#"{{"eventSource":"SelfManagedKafka","bootstrapServers":{brokers},"records":{{{partition}:[{records}]}}}}"#
    )
}

fn text(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Response {
    batch_item_failures: Option<Vec<Item>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    item_identifier: Identifier,
}

#[derive(Deserialize)]
struct Identifier {
    partition: String,
    offset: i64,
}

/// What an outcome means for the batch of a partition. Without `reports_failures` any answer is success, whatever it says.
pub(crate) fn verdict(outcome: &Outcome, reports_failures: bool, partition: &str, batch: &Batch) -> Verdict {
    let failed = |reason: String| Verdict::Failed { reason };
    let answer = match outcome {
        Outcome::Failed { payload, .. } => return failed(String::from_utf8_lossy(payload).into_owned()),
        Outcome::Answered(_) if !reports_failures => return Verdict::Done,
        Outcome::Answered(answer) => answer,
    };
    let blank = answer.iter().all(u8::is_ascii_whitespace);
    let response = if blank { Ok(None) } else { serde_json::from_slice::<Option<Response>>(answer) };
    let items = match response {
        Ok(response) => response.unwrap_or_default().batch_item_failures.unwrap_or_default(),
        Err(error) => return failed(format!("the answer is no partial batch response: {error}")),
    };
    let mut first: Option<i64> = None;
    for Item { item_identifier: Identifier { partition: named, offset } } in items {
        if named != partition || !batch.offsets.contains(&offset) {
            return failed(format!("batchItemFailures names {named}@{offset}, which is not in the batch"));
        }
        first = Some(first.map_or(offset, |first| first.min(offset)));
    }
    first.map_or(Verdict::Done, |offset| Verdict::From { offset, reason: format!("{partition}@{offset} was reported") })
}

#[cfg(test)]
mod tests {
    use events::Topic;
    use messaging::Header;

    use super::*;

    fn batch() -> Batch {
        Batch { offsets: vec![5, 6, 7], json: "{},{},{}".into() }
    }

    #[test]
    fn a_record_stands_in_the_event_as_lambda_writes_it() {
        let headers: Vec<Header> =
            vec![("a\"".into(), Some(vec![104, 195, 0])), ("b".into(), None), ("b".into(), Some(vec![]))];
        let record = Record {
            topic: Topic::new("t"),
            partition: 2,
            offset: 15,
            key: Some(b"k"),
            value: Some(b"\xff"),
            headers: &headers,
            deliveries: None,
        };
        let json = concat!(
            r#"{"topic":"t","partition":2,"offset":15,"timestamp":1545084650987,"timestampType":"CREATE_TIME","key":"aw==","#,
            r#""value":"/w==","headers":[{"a\"":[104,-61,0]},{"b":null},{"b":[]}]}"#
        );
        assert_eq!(pending(&record, WrittenAt::Create(1_545_084_650_987)), Pending { offset: 15, json: json.into() });
        let bare = Record { key: None, value: None, headers: &messaging::NoHeaders, ..record };
        let json =
            r#"{"topic":"t","partition":2,"offset":15,"timestamp":7,"timestampType":"LOG_APPEND_TIME","headers":[]}"#;
        assert_eq!(pending(&bare, WrittenAt::LogAppend(7)).json, json);
    }

    #[test]
    fn an_event_names_its_partition_once() {
        let expected =
            r#"{"eventSource":"SelfManagedKafka","bootstrapServers":"a:1,b:2","records":{"t-0":[{},{},{}]}}"#;
        assert_eq!(event("a:1,b:2", "t-0", &batch()), expected);
    }

    /// The verdict with `ReportBatchItemFailures` on an answer.
    #[track_caller]
    fn check(answer: &str, expected: &Verdict) {
        let outcome = Outcome::Answered(answer.as_bytes().to_vec());
        assert_eq!(&verdict(&outcome, true, "t-0", &batch()), expected, "{answer}");
        assert_eq!(verdict(&outcome, false, "t-0", &batch()), Verdict::Done, "a mapping that does not read it");
    }

    fn item(partition: &str, offset: i64) -> String {
        format!(r#"{{"itemIdentifier":{{"partition":"{partition}","offset":{offset}}}}}"#)
    }

    #[test]
    fn an_answer_without_failures_is_success() {
        for answer in ["", " \n", "null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#] {
            check(answer, &Verdict::Done);
        }
    }

    #[test]
    fn the_lowest_failure_is_where_the_partition_goes_on() {
        let answer = format!(r#"{{"batchItemFailures":[{},{}]}}"#, item("t-0", 7), item("t-0", 6));
        check(&answer, &Verdict::From { offset: 6, reason: "t-0@6 was reported".into() });
    }

    #[test]
    fn a_failure_that_is_not_of_the_batch_fails_all_of_it() {
        for (partition, offset) in [("t-1", 6), ("t-0", 8), ("t-0", 4), ("", 6)] {
            let answer = format!(r#"{{"batchItemFailures":[{},{}]}}"#, item("t-0", 7), item(partition, offset));
            let reason = format!("batchItemFailures names {partition}@{offset}, which is not in the batch");
            check(&answer, &Verdict::Failed { reason });
        }
    }

    #[test]
    fn an_answer_that_is_no_response_fails_the_batch_and_so_does_an_error() {
        for answer in ["\"Hello World\"", r#"{"batchItemFailures":[{"itemIdentifier":"6"}]}"#, "{"] {
            let outcome = Outcome::Answered(answer.as_bytes().to_vec());
            assert!(matches!(verdict(&outcome, true, "t-0", &batch()), Verdict::Failed { .. }), "{answer}");
        }
        let outcome = Outcome::Failed { payload: b"{}".to_vec(), kind: "K".into() };
        for reports_failures in [true, false] {
            let expected = Verdict::Failed { reason: "{}".into() };
            assert_eq!(verdict(&outcome, reports_failures, "t-0", &batch()), expected);
        }
    }
}
