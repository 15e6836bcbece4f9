//! A batch as `ExportTraceServiceRequest` in JSON: ids in hexadecimal, 64-bit numbers as decimal text, enumerations as numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::Span;
use crate::span::{Did, Failure};

/// The body that exports these spans.
pub(crate) fn encode(spans: &[Span]) -> Vec<u8> {
    let mut by_service: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        by_service.entry(span.service()).or_default().push(span);
    }
    let resource_spans = by_service.into_iter().map(|(service, spans)| ResourceSpans {
        resource: Resource { attributes: vec![attribute("service.name", text(service))] },
        scope_spans: [ScopeSpans { scope: SCOPE, spans: spans.into_iter().map(WireSpan::of).collect() }],
    });
    let request = Request { resource_spans: resource_spans.collect() };
    serde_json::to_vec(&request).unwrap_or_default() // no key of a map and no number that JSON lacks
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<WireSpan<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

/// Who has made the spans.
const SCOPE: Scope = Scope { name: "orderflow", version: env!("CARGO_PKG_VERSION") };

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireSpan<'a> {
    #[serde(serialize_with = "trace_id")]
    trace_id: u128,
    #[serde(serialize_with = "span_id")]
    span_id: u64,
    #[serde(serialize_with = "span_id", skip_serializing_if = "is_zero")]
    parent_span_id: u64,
    flags: u32,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<[Event<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    time_unix_nano: String,
    name: &'static str,
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u8,
    message: &'a str,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'static str,
    value: Value<'a>,
}

#[derive(Serialize)]
enum Value<'a> {
    #[serde(rename = "stringValue")]
    Text(Cow<'a, str>),
    #[serde(rename = "intValue")]
    Int(String),
    #[serde(rename = "boolValue")]
    Bool(bool),
}

/// `SPAN_KIND_PRODUCER`, `SPAN_KIND_CONSUMER` and `STATUS_CODE_ERROR`. A status that nobody sets is none.
const PRODUCER: u8 = 4;
const CONSUMER: u8 = 5;
const ERROR: u8 = 2;

/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`, `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`: the parent is of another process, or may be.
const PARENT_IS_REMOTE: u32 = 0x300;
/// W3C's flag: only spans that are kept come here.
const SAMPLED: u32 = 1;

impl<'a> WireSpan<'a> {
    fn of(span: &'a Span) -> Self {
        let (operation, kind, topic) = match &span.did {
            Did::Process { group, .. } => ("process", CONSUMER, group.topic),
            Did::Send { topic, .. } => ("send", PRODUCER, *topic),
        };
        let topic = topic.as_str();
        // The attributes of OpenTelemetry's semantic conventions for messaging and Kafka.
        let mut attributes = vec![
            attribute("messaging.system", text("kafka")),
            attribute("messaging.operation.name", text(operation)),
            attribute("messaging.operation.type", text(operation)),
            attribute("messaging.destination.name", text(topic)),
        ];
        if let Did::Process { group, partition, offset, is_tombstone } = &span.did {
            attributes.push(attribute("messaging.consumer.group.name", text(&group.group)));
            attributes.push(attribute("messaging.destination.partition.id", Value::Text(partition.to_string().into())));
            attributes.push(attribute("messaging.kafka.offset", Value::Int(offset.to_string())));
            if *is_tombstone {
                attributes.push(attribute("messaging.kafka.message.tombstone", Value::Bool(true)));
            }
        }
        let key = span.key.iter().map(|key| attribute("messaging.kafka.message.key", text(key)));
        attributes.extend(key);
        attributes.extend(span.event_id.iter().map(|id| attribute("messaging.message.id", text(id))));
        let end_time_unix_nano = unix_nanos(span.ends);
        let failure = span.failure.as_ref();
        attributes.extend(failure.map(|failure| attribute("error.type", text(failure.kind.as_str()))));
        Self {
            trace_id: span.context.trace_id().get(),
            span_id: span.context.span_id().get(),
            parent_span_id: span.parent.map_or(0, |parent| parent.get()),
            flags: SAMPLED | if span.parent.is_some() { PARENT_IS_REMOTE } else { 0 },
            name: format!("{operation} {topic}"),
            kind,
            start_time_unix_nano: unix_nanos(span.begins),
            attributes,
            events: failure.map(|failure| [event(failure, &end_time_unix_nano)]),
            status: failure.map(|failure| Status { code: ERROR, message: &failure.reason }),
            end_time_unix_nano,
        }
    }
}

/// What became of a record that was not handled, as something that happened at the end of its span.
fn event<'a>(failure: &'a Failure, at: &str) -> Event<'a> {
    let attributes = vec![attribute("reason", text(&failure.reason))];
    Event { time_unix_nano: at.to_owned(), name: failure.kind.as_str(), attributes }
}

const fn attribute<'a>(key: &'static str, value: Value<'a>) -> Attribute<'a> {
    Attribute { key, value }
}

const fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn unix_nanos(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

fn trace_id<S: Serializer>(id: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{id:032x}"))
}

fn span_id<S: Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{id:016x}"))
}

const fn is_zero(id: &u64) -> bool {
    *id == 0
}
