use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use events::{Envelope, Topic};
use kafka_transport::{Connection, Span, Writer};
use messaging::{Fate, Place, Record, Settlement, SteadyRate, Verbatim, redriven};
use serde_json::{Value, json};
use tracing::info;

use super::Filter;
use super::letter::Letter;
use super::letters::Letters;
use super::reasons::Reasons;
use crate::{Error, Format, Status, counted, grouped, print, signals};

/// Dead letters that are settled in one go: what a death of ours may redrive twice.
const BATCH: usize = 1_000;

/// A record that came back as often as this is redriven only on demand: else it would go round for ever.
const OFTEN: u32 = 2;

/// How long all writes of a batch may take: longer than one of them.
const WRITE_DEADLINE: Duration = Duration::from_secs(40);

/// What is to become of which dead letters.
pub(super) struct Settling<'a> {
    pub(super) filter: &'a Filter,
    pub(super) fate: Fate,
    /// So many a second at most.
    pub(super) rate: Option<SteadyRate>,
    /// Whether also those are redriven that came back often.
    pub(super) with_held: bool,
    /// Whether nothing is written.
    pub(super) is_dry: bool,
}

/// What was done.
pub(super) struct Settled {
    fate: Fate,
    is_dry: bool,
    reasons: Reasons,
    /// Records that stand once more.
    records: u64,
    held: BTreeMap<Held, u64>,
    was_stopped: bool,
}

/// Why a dead letter stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// Its record came back twice.
    CameBack,
    /// It does not say which record it is of.
    SaysNothing,
}

/// A dead letter that is asked for, and what is to be written of it.
struct Chosen {
    letter: Letter,
    event_type: String,
    /// Its record, where that is to stand once more.
    again: Option<Verbatim>,
    settlement: Verbatim,
}

impl Settling<'_> {
    /// Settles those that stand in `spans`. Each is redriven first and marked as settled after that, so that whoever breaks off and begins again
    /// redrives some of the last batch twice, and forgets none: a record that stands twice is handled as any redelivery.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse, or a topic is gone. What is marked as settled stays so.
    pub(super) fn run(
        &self,
        letters: &mut Letters,
        spans: &[Span],
        connection: &Connection,
        stop: &AtomicBool,
    ) -> Result<Settled, Error> {
        let mut settled = Settled {
            fate: self.fate,
            is_dry: self.is_dry,
            reasons: Reasons::default(),
            records: 0,
            held: BTreeMap::new(),
            was_stopped: false,
        };
        match self.settle(letters, spans, connection, stop, &mut settled) {
            Err(Error::Failed(reason)) if settled.reasons.count() > 0 => {
                let before = counted(settled.reasons.count(), "dead letter");
                Err(Error::Failed(format!(
                    "{reason}\nhint: {before} {} before that; the same command goes on where it was",
                    self.fate
                )))
            }
            result => result.map(|()| settled),
        }
    }

    fn settle(
        &self,
        letters: &mut Letters,
        spans: &[Span],
        connection: &Connection,
        stop: &AtomicBool,
        settled: &mut Settled,
    ) -> Result<(), Error> {
        let topics = letters.written()?;
        let partitions: Vec<(Topic, i32)> =
            topics.iter().map(|(&topic, &count)| (topic, count.cast_signed())).collect();
        let writer = Writer::steady(connection, &partitions)?;
        let mut written = BTreeSet::new();
        let begun = Instant::now();
        letters.begin(spans)?;
        let limit = self.rate.map_or(BATCH, |rate| (rate.due(1_000_000) as usize).clamp(1, BATCH));
        while let Some(mut chosen) =
            letters.next(limit, |letter, record| self.choose(letter, record, &mut settled.held))?
        {
            let due_us = self.rate.map_or(0, |rate| rate.due_us(settled.reasons.count()));
            if signals::is_stopped_within(Duration::from_micros(due_us), begun, stop) {
                settled.was_stopped = true;
                break;
            }
            for one in &mut chosen {
                one.fit(&topics, connection)?;
                one.again_once(&mut written);
            }
            if !self.is_dry && !chosen.is_empty() {
                self.write(&writer, &chosen)?;
                chosen.iter().for_each(|one| one.log(self.fate));
            }
            for one in chosen {
                settled.records += u64::from(one.again.is_some());
                settled.reasons.add(&one.letter);
            }
        }
        Ok(())
    }

    fn choose(&self, letter: Letter, record: &Record<'_>, held: &mut BTreeMap<Held, u64>) -> Option<Chosen> {
        if letter.fate.is_some() || !letter.is_of(self.filter) {
            return None;
        }
        let again = match (self.fate, &letter.given_up) {
            (Fate::Discarded, _) => None,
            (Fate::Redriven, Some(given_up)) if self.with_held || given_up.redrives < OFTEN => {
                Some(redriven(given_up, record))
            }
            (Fate::Redriven, given_up) => {
                *held.entry(if given_up.is_some() { Held::CameBack } else { Held::SaysNothing }).or_default() += 1;
                return None;
            }
        };
        let origin = letter.given_up.as_ref().map(|given_up| given_up.origin.clone());
        let settlement = Settlement { origin, letter: letter.offset, fate: self.fate };
        let settlement = settlement.record(letter.topic, letter.partition, record.key, record.headers);
        let event_type = Envelope::of(record.key, record.value).event_type;
        Some(Chosen { letter, event_type, again, settlement })
    }

    fn write(&self, writer: &Writer, chosen: &[Chosen]) -> Result<(), Error> {
        let write_all = |records: &mut dyn Iterator<Item = &Verbatim>| {
            writer.open(0);
            records.for_each(|record| writer.verbatim(0, record));
            writer.confirm(0, Instant::now() + WRITE_DEADLINE)
        };
        write_all(&mut chosen.iter().filter_map(|one| one.again.as_ref()))?;
        Ok(write_all(&mut chosen.iter().map(|one| &one.settlement))?)
    }
}

impl Chosen {
    /// Several groups may have given the same record up, and a dead letter may stand twice: all of them get the record once. One of the same place
    /// with other bytes is another, of a topic that was made anew.
    fn again_once(&mut self, written: &mut BTreeSet<(Option<Place>, u128)>) {
        let place = self.letter.given_up.as_ref().map(|given_up| given_up.origin.place());
        self.again.take_if(|again| !written.insert((place, again.content())));
    }

    /// Refuses one whose topic is gone. Where only its partition is gone, its key decides.
    fn fit(&mut self, topics: &BTreeMap<Topic, u32>, connection: &Connection) -> Result<(), Error> {
        let Some(again) = &mut self.again else { return Ok(()) };
        let Some(&partitions) = topics.get(&again.topic) else {
            let (place, address) = (self.letter.place(), connection.brokers());
            return Err(Error::Failed(format!(
                "{address}: topic {} is not there, to which {place} belongs: `orderflow topics create` makes it; what was not redriven stays open",
                again.topic
            )));
        };
        again.partition.take_if(|partition| partition.cast_unsigned() >= partitions);
        Ok(())
    }

    fn log(&self, fate: Fate) {
        let Self { letter, event_type, .. } = self;
        let Some(origin) = letter.given_up.as_ref().map(|given_up| &given_up.origin) else {
            let (topic, partition, offset) = (letter.topic.as_str(), letter.partition, letter.offset);
            info!(
                order_id = letter.order_id,
                event_type,
                service = "",
                status = fate.as_str(),
                topic,
                partition,
                offset,
                "dead letter settled"
            );
            return;
        };
        let event_type = if event_type.is_empty() { origin.topic.as_str() } else { event_type };
        let (topic, partition, offset) = (origin.topic.as_str(), origin.partition, origin.offset);
        info!(
            order_id = letter.order_id,
            event_type,
            service = letter.service(),
            status = fate.as_str(),
            topic,
            partition,
            offset,
            dead_letter = letter.place(),
            redrives = letter.redrives(),
            reason = letter.reason(),
            "dead letter settled"
        );
    }
}

impl Settled {
    /// Prints what was done.
    ///
    /// # Errors
    /// Where stdout cannot be written to.
    pub(super) fn print(&self, format: Format) -> Result<Status, Error> {
        print(&match format {
            Format::Text => self.text(),
            Format::Json => format!("{:#}\n", self.document()),
        })?;
        Ok(match (self.was_stopped, self.held.is_empty()) {
            (true, _) => Status::Interrupted,
            (false, false) => Status::Refused,
            (false, true) => Status::Holds,
        })
    }

    /// What somebody is asked before it is done.
    pub(super) fn question(&self) -> String {
        format!(
            "{}{} would be {} for good. Type yes to go on.",
            self.reasons.rows(),
            counted(self.reasons.count(), "dead letter"),
            self.fate
        )
    }

    fn text(&self) -> String {
        let mut text = self.reasons.rows();
        let would_be = if self.is_dry { "would be " } else { "" };
        // Writing to memory does not fail.
        let (letters, fate) = (counted(self.reasons.count(), "dead letter"), self.fate);
        let records = match fate {
            Fate::Redriven => format!(": {}", counted(self.records, "record")),
            Fate::Discarded => String::new(),
        };
        let _ = writeln!(text, "{letters} {would_be}{fate}{records}");
        for (held, count) in &self.held {
            let _ = writeln!(text, "{} held back: {}", grouped(*count), held.reason());
        }
        if self.was_stopped {
            text.push_str("stopped: the same command goes on where it was\n");
        }
        text
    }

    /// The same for a program.
    pub(super) fn document(&self) -> Value {
        let held = |held| self.held.get(&held).copied().unwrap_or(0);
        json!({
            "fate": self.fate.as_str(), "dry_run": self.is_dry, "count": self.reasons.count(), "records": self.records, "by_reason": self.reasons.document(), "stopped": self.was_stopped,
            "held": { "came_back": held(Held::CameBack), "says_nothing": held(Held::SaysNothing) },
        })
    }
}

impl Held {
    const fn reason(self) -> &'static str {
        match self {
            Self::CameBack => "redriven twice and given up again each time; --held redrives them once more",
            Self::SaysNothing => "their headers do not say of which record; `dead-letters discard` settles them",
        }
    }
}
