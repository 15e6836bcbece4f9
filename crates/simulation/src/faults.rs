//! What can go wrong, by name.

use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A member dies at one of the [`CrashPoint`]s and starts again a while later, with nothing but what it committed.
    Crash,
    /// A batch is delivered again.
    Duplicate,
    /// Partitions overtake each other; the order within each is kept.
    Reorder,
    /// The broker refuses a write.
    ProduceFailure,
    /// The broker writes, and its acknowledgement never arrives.
    AckLoss,
    /// The broker refuses a commit.
    CommitFailure,
    /// A member takes seconds for a batch; the group takes it for dead where it takes too long.
    Slow,
    /// A whole service is down for long.
    Dead,
    /// A member or the source is cut off from the broker for a while.
    Partition,
    /// A member's clock jumps, forwards or backwards, by seconds or hours.
    ClockJump,
    /// What a group's handler needs is away for a while: it answers `Retry`.
    Transient,
    /// A record's value is replaced on its way in by bytes that nobody can decode.
    Corruption,
    /// A write to the system's store fails at its commit, before it took effect or after. A system without a store has none.
    StoreFailure,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Crash,
        Self::Duplicate,
        Self::Reorder,
        Self::ProduceFailure,
        Self::AckLoss,
        Self::CommitFailure,
        Self::Slow,
        Self::Dead,
        Self::Partition,
        Self::ClockJump,
        Self::Transient,
        Self::Corruption,
        Self::StoreFailure,
    ];

    /// The name that [`Faults`] is read from.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::ProduceFailure => "produce_failure",
            Self::AckLoss => "ack_loss",
            Self::CommitFailure => "commit_failure",
            Self::Slow => "slow",
            Self::Dead => "dead",
            Self::Partition => "partition",
            Self::ClockJump => "clock_jump",
            Self::Transient => "transient",
            Self::Corruption => "corruption",
            Self::StoreFailure => "store_failure",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where within fetch, handle, produce, commit a member dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrashPoint {
    /// It was about to fetch.
    BeforeFetch,
    /// It holds a batch and has not looked at it.
    AfterFetch,
    /// It has decided, and sent nothing.
    AfterHandle,
    /// It has sent some of a batch's records.
    BetweenProduces,
    /// It has sent all of them, and no acknowledgement came.
    AfterProduce,
    /// All are acknowledged, nothing is committed.
    AfterAck,
    /// The offsets are committed.
    AfterCommit,
}

impl CrashPoint {
    /// Every point, in the order of a member's work.
    pub const ALL: [Self; 7] = [
        Self::BeforeFetch,
        Self::AfterFetch,
        Self::AfterHandle,
        Self::BetweenProduces,
        Self::AfterProduce,
        Self::AfterAck,
        Self::AfterCommit,
    ];
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BeforeFetch => "before it fetches",
            Self::AfterFetch => "after fetch, before it handles",
            Self::AfterHandle => "after it handled, before its first produce",
            Self::BetweenProduces => "in the middle of its produces",
            Self::AfterProduce => "after produce, before the acknowledgement",
            Self::AfterAck => "after the acknowledgement, before it commits",
            Self::AfterCommit => "after commit",
        })
    }
}

/// A set of kinds; written as `all`, `none` or a comma list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults(u16);

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self(0);
    /// Everything may go wrong.
    pub const ALL: Self = Self((1 << Fault::ALL.len()) - 1);

    /// These and one more.
    #[must_use]
    pub const fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u16)
    }

    /// These but one.
    #[must_use]
    pub const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u16))
    }

    /// Whether this kind may occur.
    pub const fn contains(self, fault: Fault) -> bool {
        self.0 & 1 << fault as u16 != 0
    }

    /// The kinds, one by one.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(move |&fault| self.contains(fault))
    }
}

/// As [`Faults::from_str`] reads it.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALL => f.pad("all"),
            Self::NONE => f.pad("none"),
            _ => f.pad(&self.iter().map(Fault::name).collect::<Vec<_>>().join(",")),
        }
    }
}

impl FromStr for Faults {
    type Err = UnknownFault;

    fn from_str(list: &str) -> Result<Self, UnknownFault> {
        match list.trim() {
            "all" => Ok(Self::ALL),
            "none" => Ok(Self::NONE),
            names => names.split(',').try_fold(Self::NONE, |faults, name| Ok(faults.with(named(name.trim())?))),
        }
    }
}

/// A name that is no fault's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fault `{found}`{}; allowed: all, none, or a comma list of {}", hint(*nearest), names().join(", "))]
pub struct UnknownFault {
    found: String,
    nearest: Option<Fault>,
}

fn hint(nearest: Option<Fault>) -> String {
    nearest.map_or_else(String::new, |fault| format!(", did you mean `{fault}`?"))
}

fn names() -> [&'static str; Fault::ALL.len()] {
    Fault::ALL.map(Fault::name)
}

fn named(name: &str) -> Result<Fault, UnknownFault> {
    let known = Fault::ALL.into_iter().find(|fault| fault.name() == name);
    known.ok_or_else(|| UnknownFault { found: name.to_owned(), nearest: nearest(name) })
}

/// The fault whose name begins and ends most like `name`: one slip leaves all but one character alike.
fn nearest(name: &str) -> Option<Fault> {
    let alike = |fault: Fault| {
        let (one, other) = (name.as_bytes(), fault.name().as_bytes());
        let prefix = one.iter().zip(other).take_while(|(a, b)| a == b).count();
        let suffix = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
        prefix + suffix
    };
    Fault::ALL
        .into_iter()
        .rev()
        .max_by_key(|&fault| alike(fault))
        .filter(|&fault| 2 * alike(fault) > fault.name().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, expected: &str) {
        let read = list.parse::<Faults>().map_or_else(|error| error.to_string(), |faults| faults.to_string());
        assert_eq!(read, expected, "{list:?}");
    }

    #[test]
    fn faults_are_read_as_they_are_written() {
        check("all", "all");
        check("none", "none");
        check("crash", "crash");
        check("slow, crash", "crash,slow");
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(Faults::NONE.with(fault)));
        }
    }

    #[test]
    fn an_unknown_fault_is_named_with_the_nearest_and_all_that_are_allowed() {
        let allowed = "allowed: all, none, or a comma list of crash, duplicate, reorder, produce_failure, ack_loss, \
                       commit_failure, slow, dead, partition, clock_jump, transient, corruption, store_failure";
        check("crsh", &format!("no fault `crsh`, did you mean `crash`?; {allowed}"));
        check("crash,partitions", &format!("no fault `partitions`, did you mean `partition`?; {allowed}"));
        check("clock-jump", &format!("no fault `clock-jump`, did you mean `clock_jump`?; {allowed}"));
        check("fire", &format!("no fault `fire`; {allowed}"));
        check("", &format!("no fault ``; {allowed}"));
    }

    #[test]
    fn a_set_holds_what_was_added_and_not_what_was_taken_out() {
        let faults = Faults::ALL.without(Fault::Corruption);
        assert!(faults.contains(Fault::Crash));
        assert!(!faults.contains(Fault::Corruption));
        assert_eq!(faults.with(Fault::Corruption), Faults::ALL);
        assert_eq!(Faults::NONE.iter().count(), 0);
    }
}
