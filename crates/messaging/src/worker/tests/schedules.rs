//! Random schedules: whatever fails, in whatever order, no record is passed by, and once the faults stop all are stored.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PARTITIONS: i32 = 3;
const RECORDS: i64 = 12;

/// One thing that happens to a worker.
#[derive(Clone, Debug)]
enum Event {
    /// The host hands in what it fetched: up to this many records of each partition, with what becomes of them.
    Fetch { records: usize, outcomes: Vec<&'static str> },
    /// The delivery reports of an open batch arrive, of the n-th one: all confirmed, or one failed.
    Settle { nth: usize, is_confirmed: bool },
    /// The clock moves, perhaps back, and the host looks at it.
    Clock { by_ms: i64 },
    /// The group takes a partition away and gives it back: it is read on from the stored offset.
    Rebalance { partition: i32 },
    /// A partition is read again from further back, although nothing failed; never from before where the worker began.
    Rewind { partition: i32, by: i64 },
    /// The process dies and starts again from the stored offsets.
    Crash,
}

fn events() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        5 => Just("done"),
        5 => Just("writes"),
        2 => Just("reject"),
        2 => Just("retry"),
        1 => Just("silent"),
    ];
    prop_oneof![
        6 => (1..5usize, prop::collection::vec(outcome, 1..8)).prop_map(|(records, outcomes)| Event::Fetch { records, outcomes }),
        6 => (0..4usize, prop::bool::weighted(0.7)).prop_map(|(nth, is_confirmed)| Event::Settle { nth, is_confirmed }),
        4 => prop_oneof![9 => -200..3_000i64, 1 => Just(-1_000_000)].prop_map(|by_ms| Event::Clock { by_ms }),
        1 => (0..PARTITIONS).prop_map(|partition| Event::Rebalance { partition }),
        1 => (0..PARTITIONS, 1..4i64).prop_map(|(partition, by)| Event::Rewind { partition, by }),
        1 => Just(Event::Crash),
    ]
}

/// A host that honours pauses as Kafka's client does: what it had fetched before may still be handed in.
struct MiniHost {
    host: Host<Scripted>,
    now_ms: u64,
    /// The offset that each partition is fetched from next.
    position: BTreeMap<i32, i64>,
    stored: BTreeMap<i32, i64>,
    /// Where the worker began to read each partition.
    began: BTreeMap<i32, i64>,
    /// Open batches, with the records that were handled or given up in each.
    open: Vec<(BatchId, Vec<(i32, i64)>)>,
    /// Records that were handled or given up, and all that follows from them is written.
    confirmed: BTreeSet<(i32, i64)>,
}

impl MiniHost {
    fn new() -> Self {
        Self {
            host: given_policy(100, 1_000, 3),
            now_ms: 100_000_000,
            position: (0..PARTITIONS).map(|partition| (partition, 0)).collect(),
            stored: (0..PARTITIONS).map(|partition| (partition, 0)).collect(),
            began: (0..PARTITIONS).map(|partition| (partition, 0)).collect(),
            open: Vec::new(),
            confirmed: BTreeSet::new(),
        }
    }

    fn apply(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::Fetch { records, outcomes } => return self.fetch(*records, outcomes),
            Event::Settle { nth, is_confirmed } if *nth < self.open.len() => return self.settle(*nth, *is_confirmed),
            Event::Settle { .. } => {}
            Event::Clock { by_ms } => {
                self.now_ms = self.now_ms.saturating_add_signed(*by_ms);
                self.host.tick_at(self.now_ms);
                return self.carry_out();
            }
            Event::Rebalance { partition } => {
                self.host.revoke(*partition);
                self.position.insert(*partition, self.stored[partition]);
                self.began.insert(*partition, self.stored[partition]);
            }
            Event::Rewind { partition, by } => {
                let began = self.began[partition];
                self.position.entry(*partition).and_modify(|position| *position = (*position - by).max(began));
            }
            Event::Crash => {
                self.host = given_policy(100, 1_000, 3);
                self.host.tick_at(self.now_ms);
                self.open.clear();
                self.position = self.stored.clone();
                self.began = self.stored.clone();
            }
        }
        Ok(())
    }

    fn fetch(&mut self, records: usize, outcomes: &[&'static str]) -> Result<(), TestCaseError> {
        if !self.host.worker.has_capacity() {
            return Ok(());
        }
        let mut outcomes = outcomes.iter().cycle();
        let mut batch = Vec::new();
        for (&partition, position) in &mut self.position {
            // Also of a paused partition: what was fetched before its pause. The worker passes over it.
            let end = RECORDS.min(*position + records as i64);
            batch.extend(
                (*position..end).zip(&mut outcomes).map(|(offset, outcome)| record(partition, offset, outcome)),
            );
            *position = end;
        }
        self.host.effects.clear();
        let id = self.host.worker.receive(&batch, &mut self.host.effects);
        let is_answered = |effect: &Effect| match effect {
            Effect::Answered { index, answer: Answer::Handled | Answer::Rejected(_) } => {
                Some((batch[*index].partition, batch[*index].offset))
            }
            _ => None,
        };
        self.open.push((id, self.host.effects.iter().filter_map(is_answered).collect()));
        self.carry_out()
    }

    fn settle(&mut self, nth: usize, is_confirmed: bool) -> Result<(), TestCaseError> {
        let (id, answered) = self.open.remove(nth);
        if is_confirmed {
            self.confirmed.extend(answered);
            self.host.confirm(id);
        } else {
            self.host.fail(id);
        }
        self.carry_out()
    }

    fn carry_out(&mut self) -> Result<(), TestCaseError> {
        for effect in &self.host.effects {
            match effect {
                Effect::Resume { partition, from } => {
                    self.position.insert(*partition, *from);
                }
                Effect::Store { partition, offset } => {
                    let before = self.stored.insert(*partition, *offset).unwrap_or(0);
                    prop_assert!(before < *offset, "{effect:?} after {before}");
                    for record in (0..*offset).map(|offset| (*partition, offset)) {
                        prop_assert!(self.confirmed.contains(&record), "{effect:?} passes by {record:?}");
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// From here on everything works.
    fn run_to_the_end(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..4 * RECORDS {
            while !self.open.is_empty() {
                self.settle(0, true)?;
            }
            self.apply(&Event::Clock { by_ms: 1_000 })?;
            self.fetch(2, &["done"])?;
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_record_is_passed_by_and_once_the_faults_stop_everything_is_stored(
        events in prop::collection::vec(events(), 1..60)
    ) {
        let mut host = MiniHost::new();
        for event in &events {
            host.apply(event)?;
        }
        host.run_to_the_end()?;
        let end = (0..PARTITIONS).map(|partition| (partition, RECORDS)).collect();
        prop_assert_eq!(&host.stored, &end);
    }
}
