use std::ops::{AddAssign, Sub};

/// What went other than hoped so far, whether it was made good or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Records that have a dead letter, or were skipped by a group that keeps none; each once.
    pub given_up: u64,
    /// An event id again with equal bytes.
    pub redelivered: u64,
    /// What [`Verdict::doubled`](super::Verdict::doubled) counts while records come.
    pub doubled: u64,
    /// Records of orders that nobody took in.
    pub unexpected: u64,
}

impl AddAssign for Trouble {
    fn add_assign(&mut self, other: Self) {
        self.given_up += other.given_up;
        self.redelivered += other.redelivered;
        self.doubled += other.doubled;
        self.unexpected += other.unexpected;
    }
}

/// What came after an earlier moment: all of it only ever grows.
impl Sub for Trouble {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            given_up: self.given_up - before.given_up,
            redelivered: self.redelivered - before.redelivered,
            doubled: self.doubled - before.doubled,
            unexpected: self.unexpected - before.unexpected,
        }
    }
}
