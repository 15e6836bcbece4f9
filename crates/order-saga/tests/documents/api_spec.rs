use std::collections::BTreeSet;
use std::path::Path;

use events::saga::{
    EmailRequested, InventoryRejected, InventoryReleased, InventoryReserved, OrderCompleted, OrderCreated, OrderFailed,
    OrderRefused, OrderValidated, PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentRequested, RefundRequested,
    ReleaseRequested, ReservationRequested,
};
use events::{DecodeError, Envelope, Event, EventId, OrderId, Topic};
use messaging::store::StoreError;
use messaging::{BatchStep, DeadLetter, NoHeaders, Outcome, Record, Subscription};
use order_saga::SagaServices;
use order_saga::outside::Unreachable;
use topology::{Service, System, Topology};

use crate::{below, code, ground, read, table};

/// An event as the code has it.
struct Known {
    topic: &'static str,
    event_type: &'static str,
    read_and_write: ReadAndWrite,
}

/// The bytes that an event writes, having read these, and its id.
type ReadAndWrite = fn(&[u8]) -> Result<(Vec<u8>, EventId), DecodeError>;

const fn of<E: Event>() -> Known {
    let read_and_write = |value: &[u8]| E::decode(value).map(|event| (event.encode(), event.event_id()));
    Known { topic: E::TOPIC.as_str(), event_type: E::EVENT_TYPE, read_and_write }
}

const KNOWN: [Known; 16] = [
    of::<OrderCreated>(),
    of::<OrderValidated>(),
    of::<PaymentRequested>(),
    of::<RefundRequested>(),
    of::<ReservationRequested>(),
    of::<ReleaseRequested>(),
    of::<PaymentCompleted>(),
    of::<PaymentFailed>(),
    of::<PaymentRefunded>(),
    of::<InventoryReserved>(),
    of::<InventoryRejected>(),
    of::<InventoryReleased>(),
    of::<EmailRequested>(),
    of::<OrderCompleted>(),
    of::<OrderFailed>(),
    of::<OrderRefused>(),
];

/// What the document says of a topic.
struct Section {
    topic: String,
    /// Its table: written by, read by, body, subject.
    says: Vec<String>,
    examples: Vec<Example>,
}

struct Example {
    event_type: String,
    event_id: String,
    value: String,
}

fn document() -> String {
    read("docs/API_SPEC.md")
}

fn sections(document: &str) -> Vec<Section> {
    below(document, "## Topics").split("\n### ").skip(1).map(section).collect()
}

fn section(text: &str) -> Section {
    let topic = code(text)[0].to_owned();
    let says = table(text, "written by").remove(0);
    let examples = text.split("\n**`").skip(1).map(|text| {
        let (label, rest) =
            text.split_once("\n```json\n").unwrap_or_else(|| panic!("{topic}: no example behind {text}"));
        let (value, _) = rest.split_once("\n```\n").unwrap();
        let (event_type, label) = label.split_once('`').unwrap();
        Example { event_type: event_type.into(), event_id: code(label)[0].into(), value: value.into() }
    });
    let examples = examples.collect();
    Section { topic, says, examples }
}

fn topology() -> Topology {
    Topology::built_in().unwrap()
}

fn names<'a>(services: impl Iterator<Item = &'a Service>) -> Vec<&'a str> {
    services.map(|service| service.name.as_str()).collect()
}

/// The first of a topic's examples.
fn example(document: &str, topic: &str) -> String {
    let section = sections(document).into_iter().find(|section| section.topic == topic);
    section.unwrap_or_else(|| panic!("no section on {topic}")).examples.remove(0).value
}

#[test]
fn each_topic_of_the_saga_has_its_section_with_those_who_write_and_read_it() {
    let (document, topology) = (document(), topology());
    let sections = sections(&document);
    let found: Vec<&str> = sections.iter().map(|section| section.topic.as_str()).collect();
    let is_of_the_saga = |service: &&Service| service.system == System::OrderSaga;
    let edges = topology.services().filter(is_of_the_saga).flat_map(|service| &service.produces);
    let declared: BTreeSet<&str> = edges.map(String::as_str).collect();
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), declared);
    assert_eq!(found.len(), declared.len(), "each once: {found:?}");
    for Section { topic, says, .. } in &sections {
        assert_eq!(code(&says[0]), names(topology.producers_of(topic)), "{topic}: written by");
        let readers = names(topology.consumers_of(topic));
        assert_eq!(code(&says[1]), readers, "{topic}: read by");
        assert_eq!(says[1] == "nobody of the saga", readers.is_empty(), "{topic}: read by");
    }
}

#[test]
fn each_example_is_read_by_its_event_written_again_as_it_stands_and_has_its_id() {
    let document = document();
    let sections = sections(&document);
    let mut seen = BTreeSet::new();
    for Section { topic, says, examples } in &sections {
        for Example { event_type, event_id, value } in examples {
            let known = KNOWN.iter().find(|known| known.event_type == event_type);
            let known = known.unwrap_or_else(|| panic!("{topic}: there is no event {event_type}"));
            assert_eq!(known.topic, topic, "{event_type} stands in the section of another topic");
            let (written, id) =
                (known.read_and_write)(value.as_bytes()).unwrap_or_else(|error| panic!("{event_type}: {error}"));
            assert_eq!(String::from_utf8(written).unwrap(), *value, "{event_type}");
            assert_eq!(*event_id, id.to_string(), "{event_type}: the event id");
            let order_id = OrderId::parse(&Envelope::of(None, Some(value.as_bytes())).order_id).unwrap();
            let subject = code(&says[3]).first().map_or("", |field| text_of(value, field));
            assert_eq!(id, EventId::of(&order_id, event_type, subject, 1), "{event_type}: the subject");
            seen.insert(event_type.as_str());
        }
    }
    assert_eq!(seen, KNOWN.iter().map(|known| known.event_type).collect(), "an example of each event");
}

/// The text of a field; canonical bytes have neither blanks nor escapes.
fn text_of<'a>(value: &'a str, field: &str) -> &'a str {
    value.split_once(&format!("\"{field}\":\"")).and_then(|(_, rest)| rest.split_once('"')).unwrap().0
}

#[test]
fn the_examples_are_the_golden_files() {
    let document = document();
    let mut examples: Vec<String> = sections(&document)
        .into_iter()
        .flat_map(|section| section.examples.into_iter().map(move |example| (section.topic.clone(), example.value)))
        .map(|(topic, value)| format!("{topic} {value}"))
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/tests/golden/saga");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut golden: Vec<String> = files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            let topic = name.split('.').take(2).collect::<Vec<_>>().join(".");
            format!("{topic} {}", std::fs::read_to_string(file.path()).unwrap().trim_end())
        })
        .collect();
    examples.sort_unstable();
    golden.sort_unstable();
    assert_eq!(examples, golden);
}

#[test]
fn each_field_of_a_body_is_described_and_no_other() {
    let document = document();
    for Section { topic, says, examples } in sections(&document) {
        let (_, link) = says[2].split_once("](#").unwrap_or_else(|| panic!("{topic}: no body"));
        let body = match link.split_once(')').unwrap().0 {
            "order" => "### Order",
            "payment" => "### Payment",
            "stock" => "### Stock",
            "e-mail" => "### E-mail",
            other => panic!("{topic}: no body {other}"),
        };
        let rows = table(below(&document, body), "field");
        let described: Vec<&str> = rows.iter().map(|row| code(&row[0])[0]).collect();
        for Example { event_type, value, .. } in examples {
            let parts: Vec<&str> = value.split('"').collect();
            let mut fields: Vec<&str> = Vec::new();
            for pair in parts.windows(2).filter(|pair| pair[1].starts_with(':')) {
                if !fields.contains(&pair[0]) {
                    fields.push(pair[0]);
                }
            }
            assert_eq!(described, fields, "{event_type}: fields in their order");
        }
    }
}

#[test]
fn dead_letters_have_the_topics_and_headers_that_the_document_names() {
    let document = document();
    let text = below(&document, "### Dead letters");
    let topology = topology();
    for service in topology.services_of(System::OrderSaga) {
        for Subscription { service, topic, dead_letter, .. } in Subscription::all_of(service) {
            let dead_letter = dead_letter.unwrap();
            assert_eq!(dead_letter.as_str(), format!("{service}.{topic}.dead_letter"), "as SERVICE.TOPIC.dead_letter");
        }
    }
    let subscription = Subscription::all_of(topology.service("order_service").unwrap()).remove(0);
    assert!(code(text).contains(&subscription.dead_letter.unwrap().as_str()), "the example");
    let record = Record { deliveries: Some(1), ..record(subscription.topic, None, None) };
    let letter = DeadLetter::new(&subscription, &record, "").unwrap();
    let rows = table(text, "header");
    let named: Vec<&str> = rows.iter().map(|row| code(&row[0])[0]).collect();
    assert_eq!(named, letter.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
}

fn record<'a>(topic: Topic, key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
    Record { topic, partition: 0, offset: 0, key, value, headers: &NoHeaders, deliveries: None }
}

/// The saga as it is declared, with nothing in its stores.
fn services() -> SagaServices {
    SagaServices::new(&topology(), &ground()).unwrap()
}

/// What the reader of a topic makes of a record: where it goes, and why.
fn becomes(services: &SagaServices, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> (String, String) {
    let mut groups = services.services.iter();
    let (_, new_step) = groups.find(|(subscription, _)| subscription.topic.as_str() == topic).unwrap();
    let mut step = new_step();
    let record = record(Topic::named(topic), key, value);
    match step.process(&[record]).remove(0) {
        Outcome::Reject(reason) => ("dead letter".into(), reason),
        Outcome::Done(written) => {
            let topics: Vec<&str> = written.iter().map(|record| record.topic.as_str()).collect();
            (topics.join(", "), step.remark(&record).unwrap_or_default())
        }
        Outcome::Retry(reason) => ("nothing yet".into(), reason),
    }
}

#[test]
fn what_is_refused_goes_where_the_document_says_in_its_words() {
    let document = document();
    let begun = example(&document, "orders.validated");
    let key = Envelope::of(None, Some(begun.as_bytes())).order_id;
    for row in table(below(&document, "### What is refused, and in which words"), "topic") {
        let [topic, from, to] = [0, 1, 2].map(|column| code(&row[column])[0]);
        let good = example(&document, topic);
        let bad = good.replacen(from, to, 1);
        assert_ne!(good, bad, "{topic} has no {from}");
        let services = services();
        becomes(&services, "orders.validated", Some(key.as_bytes()), Some(begun.as_bytes()));
        let key = Envelope::of(Some(key.as_bytes()), Some(bad.as_bytes())).order_id;
        let found = becomes(&services, topic, Some(key.as_bytes()), Some(bad.as_bytes()));
        assert_eq!(found, (row[3].replace('`', ""), code(&row[4])[0].to_owned()), "{topic}: {to}");
    }
}

#[test]
fn an_order_with_the_id_of_another_is_refused_in_the_words_of_the_document() {
    let document = document();
    let first = example(&document, "orders.created").replace("943cbeac-d19b-8b9a-b516-0753f44eedb5", "7f3a");
    let services = services();
    let sent = |value: &str| becomes(&services, "orders.created", Some(b"7f3a"), Some(value.as_bytes()));
    let validated = sent(&first);
    assert_eq!(validated.0, "orders.validated");
    for other in [first.replace("CUST-00042", "CUST-00001"), first.replace("40.03", "40.04"), format!("{first} ")] {
        let (becomes, reason) = sent(&other);
        assert_eq!(becomes, "dead letter", "{other}");
        assert!(document.contains(&format!("\n`{reason}`.\n")), "{reason}");
    }
    assert_eq!(sent(&first), validated);
}

#[test]
fn what_is_refused_of_every_topic_is_refused_in_the_words_of_the_document() {
    let document = document();
    let rows = table(below(&document, "### What is refused, and in which words"), "what");
    let reasons: Vec<&str> = rows.iter().map(|row| code(&row[1])[0]).collect();
    let large = " ".repeat(65_537);
    for Section { topic, examples, .. } in sections(&document) {
        if topology().consumers_of(&topic).next().is_none() {
            continue; // nobody reads it
        }
        let value = examples[0].value.replace("943cbeac-d19b-8b9a-b516-0753f44eedb5", "7f3a");
        let refused =
            |key: &[u8], value: Option<&str>| becomes(&services(), &topic, Some(key), value.map(str::as_bytes)).1;
        let found = [refused(b"7f3a", None), refused(b"7f3a", Some(&large)), refused(b"7f3b", Some(&value))];
        assert_eq!(found, *reasons, "{topic}");
    }
}

#[test]
fn what_makes_a_record_come_again_is_told_in_the_words_of_the_document() {
    let document = document();
    let rows = table(below(&document, "### What makes a record come again"), "the service says");
    let said: Vec<&str> = rows.iter().flat_map(|row| [&row[0], &row[1]]).flat_map(|cell| code(cell)).collect();
    // An outage without an end: then the breaker opens.
    let (topology, request) = (topology(), example(&document, "payments.requested"));
    let settings = |service: &str, setting: &str| match setting {
        "outside_outage_every_s" | "outside_outage_s" => Some(1),
        _ => topology.service(service)?.setting(setting),
    };
    let services = SagaServices::with(&topology, &settings, &ground()).unwrap();
    let key = Envelope::of(None, Some(request.as_bytes())).order_id;
    let ask = || becomes(&services, "payments.requested", Some(key.as_bytes()), Some(request.as_bytes()));
    let answers: Vec<(String, String)> = (0..10).map(|_| ask()).collect();
    let (outage, spared) = (answers[0].clone(), answers[9].clone());
    let call_lost = format!("payment gateway: {}", Unreachable::CallLost);
    assert_eq!((outage.0.as_str(), outage.1), ("nothing yet", format!("payment gateway: {}", Unreachable::Outage)));
    for words in [
        call_lost,
        Unreachable::Outage.to_string(),
        Unreachable::AnswerLost.to_string(),
        spared.1,
        StoreError::Away("REASON".into()).to_string(),
    ] {
        assert!(said.contains(&words.as_str()), "{words:?} in {said:?}");
    }
}
