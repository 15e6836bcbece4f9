use std::fmt;

/// Whether everything had the time to come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// What has no end now will never have one.
    Yes,
    /// What has no end now may still get one.
    No,
}

/// What the audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Orders taken in.
    pub accepted: u64,
    /// Orders that came to their end with every record they must have.
    pub ended: u64,
    /// After everything drained: orders without their end, and given-up records without a dead letter.
    pub lost: u64,
    /// An event id again with other bytes, two ends of one order, or an order taken in twice: also with the id of another one, unless
    /// that was given up.
    pub doubled: u64,
    /// An event id again with equal bytes: the price of at-least-once, no fault.
    pub redelivered: u64,
    /// Orders of which a record went to a dead letter that was not redriven, and by which nothing else entered; nothing further is expected of
    /// them.
    pub dead_lettered: u64,
    /// Before everything drained: what would otherwise be lost.
    pub unfinished: u64,
    /// Records of orders that nobody took in.
    pub unexpected: u64,
    /// The wrapping sum of the 128-bit xxh3 of (topic, key, value) over distinct event ids: equal orders, equal digest.
    pub digest: u128,
    /// A few of the orders that are lost or unfinished, each with what was seen of it.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Whether every accepted order came to exactly one end.
    pub fn passed(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.unfinished == 0 && self.unexpected == 0
    }
}

impl Verdict {
    /// The verdict in a line, with its examples below. `passed` is the word of whoever judges, who may know more than it: that not
    /// everything was read. `given_up` is what became of orders that nothing further is expected of.
    pub fn told(&self, passed: bool, given_up: &str) -> String {
        let word = if passed { "passed" } else { "FAILED" };
        let Self { accepted, ended, dead_lettered, lost, doubled, unfinished, unexpected, redelivered, .. } = self;
        let line = format!(
            "audit {word}: {accepted} accepted, {ended} ended, {dead_lettered} {given_up}; {lost} lost, {doubled} doubled, \
             {unfinished} unfinished, {unexpected} unexpected; {redelivered} redelivered"
        );
        self.examples.iter().fold(line, |told, example| told + "\n  " + example)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(self.passed(), "dead-lettered"))
    }
}
