//! The batch of a Kafka event source mapping, as Lambda hands it in: Amazon MSK's and self-managed Kafka's alike.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use messaging::Header;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A record of the batch, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The topic's name.
    pub topic: String,
    /// The partition within it.
    pub partition: i32,
    /// The position within the partition.
    pub offset: i64,
    /// The key; `None` where there is none.
    pub key: Option<Vec<u8>>,
    /// The value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers, in their order.
    pub headers: Vec<Header>,
}

/// An invocation that is no batch of Kafka records.
#[derive(Debug, thiserror::Error)]
#[error("the event is no batch of a Kafka event source mapping: {0}")]
pub struct EventError(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    event_source: String,
    #[serde(default)]
    records: Option<BTreeMap<String, Vec<Wire>>>,
}

#[derive(Deserialize)]
struct Wire {
    topic: String,
    partition: i32,
    offset: i64,
    #[serde(default)]
    key: Option<Bytes>,
    #[serde(default)]
    value: Option<Bytes>,
    #[serde(default)]
    headers: Option<Vec<Named>>,
}

/// Bytes in base64.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes in base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bytes, E> {
                STANDARD.decode(text).map(Bytes).map_err(|error| E::custom(format!("bytes in base64: {error}")))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// `{"name": [104, 101, -61]}`: names may repeat, so each header is an object of its own.
struct Named(Vec<Header>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of a header's name and its bytes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Named, A::Error> {
                let mut headers = Vec::with_capacity(1);
                while let Some((name, value)) = object.next_entry::<String, Option<Vec<i16>>>()? {
                    let value = value.map(|bytes| bytes.into_iter().map(byte).collect::<Result<_, _>>()).transpose();
                    headers.push((name, value.map_err(A::Error::custom)?));
                }
                Ok(Named(headers))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Lambda writes a header's bytes as Java has them, with a sign; other senders write them without.
fn byte(number: i16) -> Result<u8, String> {
    let signed = || i8::try_from(number).ok().map(i8::cast_unsigned);
    u8::try_from(number).ok().or_else(signed).ok_or_else(|| format!("a header's byte: found {number}"))
}

/// Reads a batch: its records by topic and partition, those of a partition in the order of their offsets.
///
/// # Errors
/// Where it is not the event of a Kafka mapping, or one of its records is none.
pub fn read_batch(event: &[u8]) -> Result<Vec<Delivered>, EventError> {
    let Event { event_source, records } =
        serde_json::from_slice(event).map_err(|error| EventError(error.to_string()))?;
    if !matches!(event_source.as_str(), "SelfManagedKafka" | "aws:kafka") {
        return Err(EventError(format!("eventSource: found {event_source:?}, allowed SelfManagedKafka or aws:kafka")));
    }
    let mut batch = Vec::new();
    for wire in records.unwrap_or_default().into_values().flatten() {
        let Wire { topic, partition, offset, key, value, headers } = wire;
        let headers = headers.into_iter().flatten().flat_map(|Named(headers)| headers).collect();
        let bytes = |bytes: Option<Bytes>| bytes.map(|Bytes(bytes)| bytes);
        batch.push(Delivered { topic, partition, offset, key: bytes(key), value: bytes(value), headers });
    }
    // As text `topic-10` stands before `topic-2`; within a partition Lambda keeps the order, and who invokes by hand may not.
    batch.sort_by(|a, b| (&a.topic, a.partition, a.offset).cmp(&(&b.topic, b.partition, b.offset)));
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(topic: &str, partition: i32, offset: i64) -> Delivered {
        Delivered { topic: topic.into(), partition, offset, key: None, value: None, headers: vec![] }
    }

    fn read(records: &str) -> Result<Vec<Delivered>, String> {
        let event = format!(r#"{{"eventSource":"SelfManagedKafka","bootstrapServers":"h1:9093","records":{records}}}"#);
        read_batch(event.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_event_of_the_developer_guide_is_read() {
        let event = br#"{
            "eventSource": "aws:kafka",
            "eventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973",
            "bootstrapServers": "b-2.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092",
            "records": {"mytopic-0": [{"topic": "mytopic", "partition": 0, "offset": 15, "timestamp": 1545084650987,
                "timestampType": "CREATE_TIME", "key": "abcDEFghiJKLmnoPQRstuVWXyz1234==",
                "value": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",
                "headers": [{"headerKey": [104, 101, 97, 100, 101, 114, 86, 97, 108, 117, 101]}]}]}}"#;
        // The guide's key has bits beyond its last byte, which base64 forbids: in its place one that could be.
        let event = String::from_utf8_lossy(event).replace("abcDEFghiJKLmnoPQRstuVWXyz1234==", "a2V5");
        let expected = Delivered {
            key: Some(b"key".to_vec()),
            value: Some(b"Hello, this is a test.".to_vec()),
            headers: vec![("headerKey".into(), Some(b"headerValue".to_vec()))],
            ..record("mytopic", 0, 15)
        };
        assert_eq!(read_batch(event.as_bytes()).unwrap(), [expected]);
    }

    #[test]
    fn records_come_by_topic_and_partition_and_in_the_order_of_their_offsets() {
        let one = |topic: &str, partition: i32, offset: i64| {
            format!(r#"{{"topic":"{topic}","partition":{partition},"offset":{offset}}}"#)
        };
        let records = format!(
            r#"{{"t-10":[{}],"t-2":[{},{}],"s-0":[{}]}}"#,
            one("t", 10, 1),
            one("t", 2, 8),
            one("t", 2, 7),
            one("s", 0, 3)
        );
        assert_eq!(
            read(&records),
            Ok(vec![record("s", 0, 3), record("t", 2, 7), record("t", 2, 8), record("t", 10, 1)])
        );
    }

    #[test]
    fn key_value_and_headers_may_be_absent_null_or_empty() {
        for (fields, key, value, headers) in [
            ("", None, None, vec![]),
            (r#","key":null,"value":null,"headers":null"#, None, None, vec![]),
            (r#","key":"","value":"","headers":[]"#, Some(vec![]), Some(vec![]), vec![]),
            (r#","headers":[{"a":null},{"b":[]}]"#, None, None, vec![("a".into(), None), ("b".into(), Some(vec![]))]),
            (
                r#","value":"/wA=","headers":[{"a":[1]},{"a":[-1,-128,127,255]}]"#,
                None,
                Some(vec![255, 0]),
                vec![("a".into(), Some(vec![1])), ("a".into(), Some(vec![255, 128, 127, 255]))],
            ),
        ] {
            let records = format!(r#"{{"t-0":[{{"topic":"t","partition":0,"offset":0{fields}}}]}}"#);
            let expected = Delivered { key, value, headers, ..record("t", 0, 0) };
            assert_eq!(read(&records), Ok(vec![expected]), "{fields}");
        }
    }

    #[test]
    fn a_batch_may_be_empty() {
        for records in ["{}", "null", r#"{"t-0":[]}"#] {
            assert_eq!(read(records), Ok(vec![]), "{records}");
        }
    }

    #[test]
    fn what_is_no_batch_is_refused_with_what_was_found() {
        let check = |event: &str, reason: &str| {
            let error = read_batch(event.as_bytes()).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("the event is no batch of a Kafka event source mapping: {reason}")),
                "{error}"
            );
        };
        check("{}", "missing field `eventSource`");
        check(r#"{"eventSource":"aws:sqs"}"#, r#"eventSource: found "aws:sqs", allowed SelfManagedKafka or aws:kafka"#);
        let record = |fields: &str| {
            format!(
                r#"{{"eventSource":"aws:kafka","records":{{"t-0":[{{"topic":"t","partition":0,"offset":0{fields}}}]}}}}"#
            )
        };
        check(&record(r#","value":"?""#), "bytes in base64: ");
        check(&record(r#","headers":[{"a":[256]}]"#), "a header's byte: found 256");
        check(&record(r#","headers":[{"a":[-129]}]"#), "a header's byte: found -129");
    }
}
