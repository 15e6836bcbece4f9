//! One partition of a mapping, without I/O: what is collected, what is under way, what comes again.

use std::collections::VecDeque;
use std::ops::ControlFlow;

/// The wait behind a failed batch doubles from the first to the last of these.
const BACKOFF_MS: std::ops::RangeInclusive<u64> = 100..=30_000;

/// The wait behind a batch that has not reached the function.
const NOT_INVOKED_MS: u64 = 1_000;

/// A record as it stands in the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) offset: i64,
    pub(crate) json: String,
}

/// What goes to the function at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) offsets: Vec<i64>,
    /// Its records, with commas between them.
    pub(crate) json: String,
}

/// When a batch is full, and how often it is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) records: usize,
    /// Of the records' JSON together.
    pub(crate) bytes: usize,
    pub(crate) window_ms: u64,
    /// `None`: for ever.
    pub(crate) retries: Option<u32>,
}

/// What the answer means for the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All of it is done.
    Done,
    /// Everything before this offset is done; the rest comes again.
    From { offset: i64, reason: String },
    /// All of it comes again.
    Failed { reason: String },
    /// It has not reached the function: it comes again, and no attempt was made.
    NotInvoked { reason: String },
}

/// What follows from a verdict.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Everything before this offset may be committed.
    pub(crate) commit: Option<i64>,
    /// Records that this is done with.
    pub(crate) records: u64,
    /// Records that were given up after the last retry, and why.
    pub(crate) given_up: Option<(usize, String)>,
}

pub(crate) struct Lane {
    limits: Limits,
    records: VecDeque<Pending>,
    bytes: usize,
    state: State,
}

enum State {
    /// Collects since the first record came.
    Collecting { since_ms: u64 },
    /// The first `count` records are with the function.
    UnderWay { count: usize, attempts: u32 },
    /// The first `count` records come again.
    Waiting { count: usize, attempts: u32, until_ms: u64 },
}

impl Lane {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self { limits, records: VecDeque::new(), bytes: 0, state: State::Collecting { since_ms: 0 } }
    }

    /// Takes a record in; breaks where it holds two batches then, which is as much as it may.
    pub(crate) fn push(&mut self, record: Pending, now_ms: u64) -> ControlFlow<()> {
        if let State::Collecting { since_ms } = &mut self.state
            && self.records.is_empty()
        {
            *since_ms = now_ms;
        }
        self.bytes += record.json.len() + 1;
        self.records.push_back(record);
        if self.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Whether it holds what two batches can carry: no more is to be fetched for now.
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= 2 * self.limits.records || self.bytes >= 2 * self.limits.bytes
    }

    pub(crate) const fn is_under_way(&self) -> bool {
        matches!(self.state, State::UnderWay { .. })
    }

    /// Whether what is under way has failed before.
    pub(crate) const fn is_again(&self) -> bool {
        matches!(self.state, State::UnderWay { attempts: 1.., .. })
    }

    /// The next batch, if it is time for one. It is under way until it is settled.
    pub(crate) fn take(&mut self, now_ms: u64) -> Option<Batch> {
        let (count, attempts) = match self.state {
            State::UnderWay { .. } => return None,
            State::Waiting { count, attempts, until_ms } => {
                if now_ms < until_ms {
                    return None;
                }
                (count, attempts)
            }
            State::Collecting { since_ms } => {
                let (count, is_complete) = self.fitting();
                if count == 0 || !is_complete && now_ms < since_ms + self.limits.window_ms {
                    return None;
                }
                (count, 0)
            }
        };
        self.state = State::UnderWay { count, attempts };
        let mut batch = Batch { offsets: Vec::with_capacity(count), json: String::with_capacity(self.bytes) };
        for record in self.records.iter().take(count) {
            if !batch.offsets.is_empty() {
                batch.json.push(',');
            }
            batch.json.push_str(&record.json);
            batch.offsets.push(record.offset);
        }
        Some(batch)
    }

    /// How many records the next batch carries, and whether it can carry no more. One record goes in any case.
    fn fitting(&self) -> (usize, bool) {
        let mut bytes = 0;
        for (count, record) in self.records.iter().enumerate() {
            bytes += record.json.len() + 1;
            if count == self.limits.records || count > 0 && bytes > self.limits.bytes {
                return (count, true);
            }
        }
        (self.records.len(), self.records.len() == self.limits.records)
    }

    /// Whether it holds nothing, neither collected nor under way nor to come again.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// What becomes of the batch that is under way.
    pub(crate) fn settle(&mut self, verdict: Verdict, now_ms: u64) -> Settled {
        let State::UnderWay { count, attempts } = self.state else { return Settled::default() };
        let (done, reason) = match verdict {
            Verdict::NotInvoked { .. } => {
                self.state = State::Waiting { count, attempts, until_ms: now_ms + NOT_INVOKED_MS };
                return Settled::default();
            }
            Verdict::Done => (count, String::new()),
            Verdict::Failed { reason } => (0, reason),
            Verdict::From { offset, reason } => {
                (self.records.iter().take(count).position(|record| record.offset >= offset).unwrap_or(count), reason)
            }
        };
        let mut settled = Settled { commit: self.drop_first(done), records: done as u64, given_up: None };
        let left = count - done;
        // Some progress makes the next attempt a first one again.
        let attempts = if done > 0 { 1 } else { attempts + 1 };
        if left > 0 && self.limits.retries.is_none_or(|retries| attempts <= retries) {
            let doublings = (attempts - 1).min(16);
            let wait_ms = (BACKOFF_MS.start() << doublings).min(*BACKOFF_MS.end());
            self.state = State::Waiting { count: left, attempts, until_ms: now_ms + wait_ms };
            return settled;
        }
        if left > 0 {
            settled.given_up = Some((left, reason));
            settled.records += left as u64;
            settled.commit = self.drop_first(left).or(settled.commit);
        }
        self.state = State::Collecting { since_ms: now_ms };
        settled
    }

    fn drop_first(&mut self, count: usize) -> Option<i64> {
        let mut end = None;
        for record in self.records.drain(..count) {
            self.bytes -= record.json.len() + 1;
            end = Some(record.offset + 1);
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { records: 3, bytes: 100, window_ms: 500, retries: None };

    fn lane(limits: Limits, offsets: std::ops::Range<i64>) -> Lane {
        let mut lane = Lane::new(limits);
        for offset in offsets {
            let _ = lane.push(Pending { offset, json: "{}".into() }, 0);
        }
        lane
    }

    fn taken(lane: &mut Lane, now_ms: u64) -> Vec<i64> {
        lane.take(now_ms).map_or(Vec::new(), |batch| batch.offsets)
    }

    fn failed() -> Verdict {
        Verdict::Failed { reason: "away".into() }
    }

    fn commit(offset: i64, records: u64) -> Settled {
        Settled { commit: Some(offset), records, given_up: None }
    }

    #[test]
    fn a_batch_has_commas_between_its_records() {
        let expected = Batch { offsets: vec![0, 1, 2], json: "{},{},{}".into() };
        assert_eq!(lane(LIMITS, 0..4).take(0), Some(expected));
    }

    #[test]
    fn a_batch_goes_when_it_is_full_or_its_window_is_over() {
        assert_eq!(taken(&mut lane(LIMITS, 0..2), 499), [] as [i64; 0]);
        assert_eq!(taken(&mut lane(LIMITS, 0..2), 500), [0, 1]);
        assert_eq!(taken(&mut lane(LIMITS, 0..7), 0), [0, 1, 2]);
        assert_eq!(taken(&mut lane(LIMITS, 0..0), 9_000), [] as [i64; 0]);
        assert_eq!(taken(&mut lane(Limits { window_ms: 0, ..LIMITS }, 0..1), 0), [0]);
    }

    #[test]
    fn a_batch_carries_no_more_bytes_than_its_limit_except_for_a_single_record() {
        let limits = Limits { bytes: 8, ..LIMITS };
        assert_eq!(taken(&mut lane(limits, 0..3), 0), [0, 1], "3 bytes each, with the comma");
        assert_eq!(taken(&mut lane(Limits { bytes: 1, ..LIMITS }, 0..3), 0), [0]);
    }

    #[test]
    fn the_next_batch_goes_once_the_one_before_is_done() {
        let mut lane = lane(LIMITS, 0..6);
        assert_eq!(taken(&mut lane, 0), [0, 1, 2]);
        assert_eq!(taken(&mut lane, 9_000), [] as [i64; 0]);
        assert_eq!(lane.settle(Verdict::Done, 9_000), commit(3, 3));
        assert_eq!(taken(&mut lane, 9_000), [3, 4, 5]);
    }

    #[test]
    fn a_failed_batch_comes_again_as_it_was_after_a_wait_that_doubles() {
        let mut lane = lane(LIMITS, 0..3);
        let mut now_ms = 0;
        for wait_ms in [100, 200, 400] {
            assert_eq!(taken(&mut lane, now_ms), [0, 1, 2]);
            assert_eq!(lane.settle(failed(), now_ms), Settled::default());
            let _ = lane.push(Pending { offset: 99, json: "{}".into() }, now_ms);
            assert_eq!(taken(&mut lane, now_ms + wait_ms - 1), [] as [i64; 0]);
            now_ms += wait_ms;
        }
    }

    #[test]
    fn a_partial_failure_commits_what_is_before_it_and_brings_the_rest_again() {
        let mut lane = lane(LIMITS, 10..13);
        taken(&mut lane, 0);
        assert_eq!(lane.settle(Verdict::From { offset: 11, reason: "away".into() }, 0), commit(11, 1));
        assert_eq!(taken(&mut lane, 100), [11, 12]);
        assert_eq!(lane.settle(Verdict::Done, 100), commit(13, 2));
    }

    #[test]
    fn after_its_retries_a_batch_is_given_up_and_said_so() {
        let mut lane = lane(Limits { retries: Some(1), ..LIMITS }, 0..4);
        taken(&mut lane, 0);
        assert_eq!(lane.settle(failed(), 0), Settled::default());
        assert_eq!(taken(&mut lane, 100), [0, 1, 2]);
        let settled = lane.settle(failed(), 100);
        assert_eq!(settled, Settled { commit: Some(3), records: 3, given_up: Some((3, "away".into())) });
        assert_eq!(taken(&mut lane, 700), [3]);
    }

    #[test]
    fn a_batch_that_has_not_reached_the_function_uses_up_no_retry() {
        let mut lane = lane(Limits { retries: Some(0), ..LIMITS }, 0..3);
        let mut now_ms = 0;
        for _ in 0..3 {
            assert_eq!(taken(&mut lane, now_ms), [0, 1, 2]);
            assert_eq!(lane.settle(Verdict::NotInvoked { reason: "throttled".into() }, now_ms), Settled::default());
            assert_eq!(taken(&mut lane, now_ms + 999), [] as [i64; 0]);
            now_ms += 1_000;
        }
        assert_eq!(taken(&mut lane, now_ms), [0, 1, 2]);
        assert_eq!(lane.settle(failed(), now_ms).given_up, Some((3, "away".into())));
    }

    #[test]
    fn a_partition_says_with_which_record_it_holds_two_batches() {
        let json = |length: usize| Pending { offset: 0, json: "x".repeat(length) };
        let mut by_records = Lane::new(LIMITS);
        let full: Vec<bool> = (0..6).map(|_| by_records.push(json(2), 0).is_break()).collect();
        assert_eq!(full, [false, false, false, false, false, true]);
        let mut by_bytes = Lane::new(LIMITS);
        let full: Vec<bool> = (0..4).map(|_| by_bytes.push(json(49), 0).is_break()).collect();
        assert_eq!(full, [false, false, false, true], "50 bytes each, with the comma");
    }

    proptest! {
        /// Whatever fails: each record is done, in order, and nothing is committed past one that is not.
        #[test]
        fn no_commit_passes_a_record_that_is_not_done(
            count in 1..40i64, size in 1..8usize, faults in proptest::collection::vec((0..4u8, 0..8i64), 0..60)
        ) {
            let mut lane = lane(Limits { records: size, ..LIMITS }, 0..count);
            let (mut done, mut committed, mut now_ms) = (0, 0, 0);
            let mut faults = faults.into_iter();
            while committed < count {
                now_ms += 30_000;
                let batch = taken(&mut lane, now_ms);
                prop_assert_eq!(batch.first(), Some(&committed), "what was not committed comes next");
                let end = batch[batch.len() - 1] + 1;
                let verdict = match faults.next() {
                    Some((0, _)) => failed(),
                    Some((1, ahead)) => Verdict::From { offset: (committed + ahead).min(end - 1), reason: String::new() },
                    Some((2, _)) => Verdict::NotInvoked { reason: String::new() },
                    _ => Verdict::Done,
                };
                done = match &verdict { Verdict::Done => end, Verdict::From { offset, .. } => *offset, Verdict::Failed { .. } | Verdict::NotInvoked { .. } => done };
                let settled = lane.settle(verdict, now_ms);
                committed = settled.commit.unwrap_or(committed);
                prop_assert_eq!(committed, done);
                prop_assert_eq!(settled.given_up, None);
            }
        }
    }
}
