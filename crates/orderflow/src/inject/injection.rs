use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kafka_transport::{Slot, Writer};
use messaging::{Follows, Outgoing};

use super::choice::{Choice, broken};
use crate::lines::{Next, Sieve};
use crate::{Error, counted, signals};

/// Lines whose records are confirmed in one go: what counts as written, and what is held in memory.
const CHUNK: usize = 1_000;

/// One batch is under way at a time.
const SLOT: Slot = 0;

/// How long nothing may come before somebody is asked whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long what is under way may take once it is told to stop.
const FINISH_DEADLINE: Duration = Duration::from_secs(10);

/// Writes the records of lines, and counts them once they are confirmed.
pub(super) struct Injection<'a> {
    writer: Writer,
    choice: Choice,
    run: &'a str,
    delay: Duration,
    stop: &'a AtomicBool,
    last: Option<Instant>,
    count: Count,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Lines that were good.
    pub(super) lines: u64,
    /// Records.
    pub(super) written: u64,
    /// Records whose value is broken.
    pub(super) corrupted: u64,
    /// Records that stand there once already.
    pub(super) duplicated: u64,
}

impl<'a> Injection<'a> {
    pub(super) fn new(writer: Writer, choice: Choice, run: &'a str, delay: Duration, stop: &'a AtomicBool) -> Self {
        Self { writer, choice, run, delay, stop, last: None, count: Count::default() }
    }

    /// Takes lines until they end or somebody stops it.
    ///
    /// # Errors
    /// Where a record is not confirmed.
    pub(super) fn take(&mut self, lines: &mut Sieve<(u64, Outgoing)>) -> Result<(), Error> {
        let mut is_end = false;
        while !is_end && !self.is_stopped() {
            let mut count = self.count;
            self.writer.open(SLOT);
            // The first is waited for; behind it the batch takes what is there. One that comes slowly is confirmed one by one.
            let mut wait = LOOK_EVERY;
            for _ in 0..if self.delay.is_zero() { CHUNK } else { 1 } {
                match lines.next(wait) {
                    Next::Line((number, event)) => self.write(number, event, &mut count),
                    Next::Waiting => break,
                    Next::End => {
                        is_end = true;
                        break;
                    }
                }
                wait = Duration::ZERO;
            }
            self.writer.close(SLOT);
            self.confirm(count.written - self.count.written)?;
            self.count = count;
        }
        Ok(())
    }

    /// What is confirmed.
    pub(super) const fn count(&self) -> Count {
        self.count
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn write(&mut self, line: u64, event: Outgoing, count: &mut Count) {
        let is_broken = self.choice.corrupts(line);
        let record = if is_broken { broken(event) } else { event };
        for copy in 0..self.choice.copies(line) {
            if !self.wait() {
                return;
            }
            self.writer.publish(SLOT, &record, Follows::run(self.run));
            count.lines += u64::from(copy == 0);
            count.written += 1;
            count.corrupted += u64::from(is_broken);
            count.duplicated += u64::from(copy > 0);
        }
    }

    /// Waits until the next record is due; `false` where somebody stops it before.
    fn wait(&mut self) -> bool {
        if self.delay.is_zero() {
            return true;
        }
        if self.last.is_some_and(|last| signals::is_stopped_within(self.delay, last, self.stop)) {
            return false;
        }
        self.last = Some(Instant::now());
        true
    }

    /// Waits until each of so many records is confirmed. Kafka's client gives a write up by itself.
    fn confirm(&self, records: u64) -> Result<(), Error> {
        let unknown = |reason: &dyn std::fmt::Display| {
            Error::Failed(format!("{} not confirmed, they may stand: {reason}", counted(records, "record")))
        };
        let mut stopped = None;
        loop {
            match self.writer.result(SLOT) {
                Some(Ok(_)) => return Ok(()),
                Some(Err(error)) => return Err(unknown(&error)),
                None if !self.is_stopped() => {}
                None if stopped.get_or_insert_with(Instant::now).elapsed() < FINISH_DEADLINE => {}
                None => return Err(unknown(&format_args!("no answer within {} s", FINISH_DEADLINE.as_secs()))),
            }
            thread::sleep(Duration::from_micros(200)); // reports arrive on another thread
        }
    }
}
