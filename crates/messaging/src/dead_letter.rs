use std::fmt;

use events::Topic;

use crate::record::content;
use crate::{Header, Headers, RUN, Record, Subscription};

/// A record that can never be handled, on its way to its group's dead-letter topic: key, value and headers untouched, and
/// headers behind them that say why and from where.
///
/// Header names are those of Spring Kafka where it has one, because consoles read them; numbers are decimal text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The group's dead-letter topic.
    pub topic: Topic,
    /// The original key.
    pub key: Option<Vec<u8>>,
    /// The original value.
    pub value: Option<Vec<u8>>,
    /// The original headers, then those of the dead letter.
    pub headers: Vec<Header>,
    /// Which record of which group it is.
    pub origin: Origin,
}

/// Where a dead letter comes from. One record of a group has one dead letter, however often it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The consumer group that gave it up.
    pub group: String,
    /// The record's topic.
    pub topic: Topic,
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

/// What a dead letter says of itself: of the last time that its record was given up, where that happened more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Which record of which group it is.
    pub origin: Origin,
    /// The service that gave it up.
    pub service: String,
    /// Why.
    pub reason: String,
    /// How often the record was delivered, where the host knew.
    pub deliveries: Option<u32>,
    /// How often the record had been redriven before.
    pub redrives: u32,
}

impl GivenUp {
    /// Reads it from the headers of a dead letter. Where a service or a reason is missing or cannot be read it is empty.
    ///
    /// `None` where there is no [`Origin`].
    pub fn read(headers: &dyn Headers, topics: &[Topic]) -> Option<Self> {
        let text = |name| headers.last(name).map(String::from_utf8_lossy).unwrap_or_default();
        Some(Self {
            origin: Origin::read(headers, topics)?,
            service: text(SERVICE).into_owned(),
            reason: text(REASON).into_owned(),
            deliveries: text(DELIVERIES).parse().ok(),
            redrives: redrives(headers),
        })
    }
}

/// How often a record was redriven; 0 where no header tells.
pub fn redrives(headers: &dyn Headers) -> u32 {
    let count = headers.last(REDRIVES).and_then(|count| std::str::from_utf8(count).ok());
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// What somebody has made of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its record stands in its topic again, and will be handled once more.
    Redriven,
    /// Nothing more becomes of it.
    Discarded,
}

impl Fate {
    /// The word for it in headers, logs and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of a dead letter: a record without a value behind it in its partition, because the letter itself stays where it is. It names
/// the same origin, and the letter by its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The record that was given up, where the dead letter says which.
    pub origin: Option<Origin>,
    /// The offset of the dead letter, in the partition where this stands too.
    pub letter: i64,
    /// What became of it.
    pub fate: Fate,
}

impl Settlement {
    /// Reads it from a record that stands among dead letters; `None` where that is one of those. Nothing else may pose as one: a dead letter has a
    /// reason, whatever headers its record came with, and a settlement has no value and stands behind what it settles.
    pub fn read(record: &Record<'_>, topics: &[Topic]) -> Option<Self> {
        let headers = record.headers;
        let text = |name| std::str::from_utf8(headers.last(name)?).ok();
        if record.value.is_some() || headers.last(REASON).is_some() {
            return None;
        }
        let fate = text(FATE)?;
        Some(Self {
            fate: [Fate::Redriven, Fate::Discarded].into_iter().find(|known| known.as_str() == fate)?,
            letter: text(SETTLES)?.parse().ok().filter(|letter| (0..record.offset).contains(letter))?,
            origin: Origin::read(headers, topics),
        })
    }

    /// The record that says so, for a letter with this key and these headers in this partition: of the same run.
    pub fn record(&self, topic: Topic, partition: i32, key: Option<&[u8]>, headers: &dyn Headers) -> Verbatim {
        let run = headers.last(RUN).map(|run| (RUN.to_owned(), Some(run.to_vec())));
        let own = [(FATE, self.fate.to_string()), (SETTLES, self.letter.to_string())];
        let own = self.origin.iter().flat_map(Origin::headers).chain(own).map(|(name, value)| header(name, value));
        let (partition, key) = (Some(partition), key.map(<[u8]>::to_vec));
        Verbatim { topic, partition, key, value: None, headers: run.into_iter().chain(own).collect() }
    }
}

/// A record that is written as it is, with the headers that it states and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verbatim {
    /// Where it goes.
    pub topic: Topic,
    /// The partition; `None` where its key decides.
    pub partition: Option<i32>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its bytes.
    pub value: Option<Vec<u8>>,
    /// All of its headers.
    pub headers: Vec<Header>,
}

impl Verbatim {
    /// The 128-bit xxh3 of topic, key and value, by which equal records are known.
    pub fn content(&self) -> u128 {
        content(self.topic, self.key.as_deref().unwrap_or_default(), self.value.as_deref().unwrap_or_default())
    }
}

/// The record that a dead letter was made of: its key, its bytes and its headers but for those that dead letters have, behind which one more counts
/// how often it was redriven. It goes to the partition where it stood.
pub fn redriven(given_up: &GivenUp, letter: &Record<'_>) -> Verbatim {
    let is_own = |(name, _): &Header| {
        ![REASON, SERVICE, DELIVERIES, REDRIVES].contains(&name.as_str()) && !Origin::is_header(name)
    };
    let mut headers: Vec<Header> = letter.headers.to_list().into_iter().filter(is_own).collect();
    headers.push(header(REDRIVES, given_up.redrives.saturating_add(1).to_string()));
    let Origin { topic, partition, .. } = given_up.origin;
    let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    Verbatim { topic, partition: Some(partition), key: bytes(letter.key), value: bytes(letter.value), headers }
}

fn header(name: &str, value: String) -> Header {
    (name.to_owned(), Some(value.into_bytes()))
}

/// The name of the field that a reason is about, without its place in a list: of `items[3].price: found 0` it is `items`. Where no field is named
/// it is all of the reason.
pub fn about(reason: &str) -> &str {
    reason.split([':', '[', '.']).next().unwrap_or(reason)
}

/// Why the record was given up.
const REASON: &str = "kafka_dlt-exception-message";
/// The service that gave it up.
const SERVICE: &str = "dead_letter-service";
/// How often it was delivered, where the host knew.
const DELIVERIES: &str = "dead_letter-deliveries";
/// How often the record was redriven.
const REDRIVES: &str = "dead_letter-redrives";
/// What became of a dead letter, and which.
const FATE: &str = "dead_letter-fate";
const SETTLES: &str = "dead_letter-settles";
const GROUP: &str = "kafka_dlt-original-consumer-group";
const TOPIC: &str = "kafka_dlt-original-topic";
const PARTITION: &str = "kafka_dlt-original-partition";
const OFFSET: &str = "kafka_dlt-original-offset";

/// Where a record stands: topic, partition, offset.
pub type Place = (Topic, i32, i64);

impl Origin {
    /// Where the record stands.
    pub fn place(&self) -> Place {
        (self.topic, self.partition, self.offset)
    }

    /// Where `record` stands, for the group that reads it.
    pub fn of(group: &str, record: &Record<'_>) -> Self {
        Self { group: group.to_owned(), topic: record.topic, partition: record.partition, offset: record.offset }
    }

    /// Reads it from the headers of a dead letter; `None` where one is missing, or names none of `topics`.
    pub fn read(headers: &dyn Headers, topics: &[Topic]) -> Option<Self> {
        let text = |name| std::str::from_utf8(headers.last(name)?).ok();
        let topic = text(TOPIC)?;
        Some(Self {
            group: text(GROUP)?.to_owned(),
            topic: topics.iter().copied().find(|known| known.as_str() == topic)?,
            partition: text(PARTITION)?.parse().ok()?,
            offset: text(OFFSET)?.parse().ok()?,
        })
    }

    /// As headers tell it.
    fn headers(&self) -> [(&'static str, String); 4] {
        [
            (GROUP, self.group.clone()),
            (TOPIC, self.topic.to_string()),
            (PARTITION, self.partition.to_string()),
            (OFFSET, self.offset.to_string()),
        ]
    }

    /// Whether a header is one of these.
    fn is_header(name: &str) -> bool {
        [GROUP, TOPIC, PARTITION, OFFSET].contains(&name)
    }
}

impl DeadLetter {
    /// What `subscription` makes of a record that it gives up for `reason`; nothing where it skips it.
    pub fn new(subscription: &Subscription, record: &Record<'_>, reason: &str) -> Option<Self> {
        let topic = subscription.dead_letter?;
        let origin = Origin::of(&subscription.group, record);
        let mut headers = record.headers.to_list();
        headers.extend([header(REASON, reason.to_owned()), header(SERVICE, subscription.service.clone())]);
        headers.extend(origin.headers().map(|(name, value)| header(name, value)));
        headers.extend(record.deliveries.map(|deliveries| header(DELIVERIES, deliveries.to_string())));
        let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        Some(Self { topic, key: bytes(record.key), value: bytes(record.value), headers, origin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Headers, RetryPolicy};

    fn subscription() -> Subscription {
        Subscription {
            service: "payment_processor".into(),
            group: "payment_processor.order_placed".into(),
            topic: Topic::new("order_placed"),
            dead_letter: Some(Topic::new("payment_processor.order_placed.dead_letter")),
            batch_records: 100,
            retry: RetryPolicy::try_new(1, 1, 1).unwrap(),
        }
    }

    /// The dead letter of `record`; what it adds to the headers is checked apart.
    #[track_caller]
    fn check(record: &Record<'_>, added: &[(&str, &str)]) -> DeadLetter {
        let letter = DeadLetter::new(&subscription(), record, "total: found -5").unwrap();
        let original = record.headers.to_list();
        assert_eq!(letter.headers[..original.len()], original);
        let added: Vec<Header> =
            added.iter().map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec()))).collect();
        assert_eq!(letter.headers[original.len()..], added);
        letter
    }

    const ADDED: [(&str, &str); 6] = [
        ("kafka_dlt-exception-message", "total: found -5"),
        ("dead_letter-service", "payment_processor"),
        ("kafka_dlt-original-consumer-group", "payment_processor.order_placed"),
        ("kafka_dlt-original-topic", "order_placed"),
        ("kafka_dlt-original-partition", "2"),
        ("kafka_dlt-original-offset", "4711"),
    ];

    fn record<'a>(headers: &'a Vec<Header>) -> Record<'a> {
        let (topic, key, value) = (Topic::new("order_placed"), Some(&b"7f3a"[..]), Some(&b"\xff{"[..]));
        Record { topic, partition: 2, offset: 4711, key, value, headers, deliveries: None }
    }

    #[test]
    fn key_and_value_are_untouched_and_headers_behind_them_say_why_and_from_where() {
        let headers = vec![("event_id".to_owned(), Some(b"e".to_vec())), ("run".to_owned(), Some(b"r".to_vec()))];
        let letter = check(&record(&headers), &ADDED);
        assert_eq!(letter.topic, Topic::new("payment_processor.order_placed.dead_letter"));
        assert_eq!(letter.key, Some(b"7f3a".to_vec()));
        assert_eq!(letter.value, Some(b"\xff{".to_vec()));
        let (group, topic) = ("payment_processor.order_placed".to_owned(), Topic::new("order_placed"));
        assert_eq!(letter.origin, Origin { group, topic, partition: 2, offset: 4711 });
    }

    #[test]
    fn deliveries_are_stated_only_where_the_host_knows_them() {
        let headers = Vec::new();
        let known = Record { deliveries: Some(3), ..record(&headers) };
        check(&known, &[&ADDED[..], &[("dead_letter-deliveries", "3")]].concat());
        check(&record(&headers), &ADDED);
    }

    #[test]
    fn an_absent_key_and_a_tombstone_stay_absent_and_empty_ones_stay_empty() {
        let headers = Vec::new();
        let letter = check(&Record { key: None, value: None, ..record(&headers) }, &ADDED);
        assert_eq!((letter.key, letter.value), (None, None));
        let letter = check(&Record { key: Some(b""), value: Some(b""), ..record(&headers) }, &ADDED);
        assert_eq!((letter.key, letter.value), (Some(Vec::new()), Some(Vec::new())));
    }

    #[test]
    fn repeated_null_and_empty_headers_are_kept_in_their_order() {
        let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
        let headers = vec![header("x", Some(b"1")), header("y", None), header("x", Some(b"2")), header("z", Some(b""))];
        check(&record(&headers), &ADDED);
    }

    #[test]
    fn the_origin_is_read_back_from_the_headers() {
        let topics = [Topic::new("payment_result"), Topic::new("order_placed")];
        let letter = check(&record(&Vec::new()), &ADDED);
        assert_eq!(Origin::read(&letter.headers, &topics), Some(letter.origin));
        assert_eq!(Origin::read(&letter.headers, &topics[..1]), None, "a topic that nobody knows");
    }

    #[test]
    fn what_a_dead_letter_says_of_itself_is_read_back_and_what_it_does_not_say_is_empty() {
        let letter = check(
            &Record { deliveries: Some(3), ..record(&Vec::new()) },
            &[&ADDED[..], &[("dead_letter-deliveries", "3")]].concat(),
        );
        let topics = [Topic::new("order_placed")];
        let (service, reason) = ("payment_processor".to_owned(), "total: found -5".to_owned());
        let said = GivenUp { origin: letter.origin.clone(), service, reason, deliveries: Some(3), redrives: 0 };
        assert_eq!(GivenUp::read(&letter.headers, &topics), Some(said.clone()));
        let untold = |name: &str| matches!(name, REASON | SERVICE | DELIVERIES);
        let headers: Vec<Header> = letter.headers.into_iter().filter(|(name, _)| !untold(name)).collect();
        let said = GivenUp { service: String::new(), reason: String::new(), deliveries: None, ..said };
        assert_eq!(GivenUp::read(&headers, &topics), Some(said));
        assert_eq!(GivenUp::read(&Vec::new(), &topics), None);
    }

    #[test]
    fn an_origin_with_a_header_missing_null_or_broken_is_none() {
        let headers = check(&record(&Vec::new()), &ADDED).headers;
        for name in [GROUP, TOPIC, PARTITION, OFFSET] {
            let place = headers.iter().position(|(header, _)| header == name).unwrap();
            let mut missing = headers.clone();
            missing.remove(place);
            assert_eq!(Origin::read(&missing, &[Topic::new("order_placed")]), None, "{name}");
            for value in [None, Some(b"\xff".to_vec())] {
                let mut broken = headers.clone();
                broken[place].1 = value;
                assert_eq!(Origin::read(&broken, &[Topic::new("order_placed")]), None, "{name}");
            }
        }
    }

    /// A dead letter of `record` as it stands in its topic.
    fn standing<'a>(letter: &'a DeadLetter, offset: i64) -> Record<'a> {
        let DeadLetter { topic, ref key, ref value, ref headers, .. } = *letter;
        let (key, value) = (key.as_deref(), value.as_deref());
        Record { topic, partition: 0, offset, key, value, headers, deliveries: None }
    }

    #[test]
    fn a_redriven_record_is_the_original_at_its_partition_and_counts_how_often() {
        let topics = [Topic::new("order_placed")];
        let headers = vec![("event_id".to_owned(), Some(b"e".to_vec())), ("x".to_owned(), None)];
        let mut counted = headers.clone();
        for redrives in 0..3_u32 {
            let letter = DeadLetter::new(&subscription(), &record(&counted), "total: found -5").unwrap();
            let given_up = GivenUp::read(&letter.headers, &topics).unwrap();
            assert_eq!(given_up.redrives, redrives);
            let again = redriven(&given_up, &standing(&letter, 63));
            let count = header(REDRIVES, (redrives + 1).to_string());
            counted = [&headers[..], &[count]].concat();
            let (topic, partition) = (topics[0], Some(2));
            let (key, value) = (Some(b"7f3a".to_vec()), Some(b"\xff{".to_vec()));
            assert_eq!(again, Verbatim { topic, partition, key, value, headers: counted.clone() });
        }
    }

    #[test]
    fn what_became_of_a_dead_letter_is_read_back_and_no_dead_letter_is_taken_for_it() {
        let topics = [Topic::new("order_placed")];
        let headers = vec![(RUN.to_owned(), Some(b"r".to_vec()))];
        let letter = DeadLetter::new(&subscription(), &record(&headers), "no").unwrap();
        assert_eq!(Settlement::read(&standing(&letter, 63), &topics), None);
        let posing = vec![header(FATE, "redriven".into()), header(SETTLES, "62".into())];
        let posing = DeadLetter::new(&subscription(), &record(&posing), "no").unwrap();
        assert_eq!(Settlement::read(&standing(&posing, 63), &topics), None);
        for fate in [Fate::Redriven, Fate::Discarded] {
            let settlement = Settlement { origin: Some(letter.origin.clone()), letter: 63, fate };
            let record = settlement.record(letter.topic, 1, Some(b"7f3a"), &letter.headers);
            assert_eq!((record.topic, record.partition), (letter.topic, Some(1)));
            assert_eq!((record.key.as_deref(), record.value), (Some(&b"7f3a"[..]), None));
            assert_eq!(record.headers.last(RUN), Some(&b"r"[..]), "so that its run's audit hears of it");
            let of_no_topic = Settlement { origin: None, ..settlement.clone() };
            let stands = |offset| Record { value: None, headers: &record.headers, ..standing(&letter, offset) };
            assert_eq!(Settlement::read(&stands(64), &topics), Some(settlement));
            assert_eq!(Settlement::read(&stands(64), &[]), Some(of_no_topic), "a topic that nobody knows");
            assert_eq!(Settlement::read(&stands(63), &topics), None, "nothing settles what comes later");
            assert_eq!(Settlement::read(&Record { value: Some(b""), ..stands(64) }, &topics), None, "it has no value");
        }
    }

    #[test]
    fn a_dead_letter_given_up_once_more_keeps_the_reasons_before() {
        let headers = check(&record(&Vec::new()), &ADDED).headers;
        let letter = check(&record(&headers), &ADDED);
        assert_eq!(letter.headers.len(), 2 * ADDED.len());
        assert_eq!(letter.headers.last(OFFSET), Some(&b"4711"[..]), "a reader takes the last");
    }
}
