use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use simulation::Order;

use super::input::Input;
use crate::Error;
use crate::business::Business;
use crate::lines::{Lines, Next, Sieve};

/// Where the orders come from.
pub(crate) enum Orders<'a> {
    /// From a seed.
    Generated { business: &'a dyn Business, seed: u64, next: u64, count: Option<u64> },
    /// From JSON lines.
    Input(Sieve<Order>),
}

impl<'a> Orders<'a> {
    /// `count` orders of a seed; without end if it is `None`.
    pub(crate) fn generated(business: &'a dyn Business, seed: u64, count: Option<u64>) -> Self {
        Self::Generated { business, seed, next: 0, count }
    }

    /// The orders of a file, or of stdin for `-`.
    pub(crate) fn from_file(path: &Path, rejects: &Path, business: &Arc<dyn Business>) -> Result<Self, Error> {
        let lines = Lines::open(path, format!("--input {}", path.display()))?;
        let mut input = Input::new(Arc::clone(business));
        Sieve::start(lines, rejects, move |line, number| input.read(line, number)).map(Self::Input)
    }

    /// The next order; waits for it for `wait` at most.
    pub(crate) fn next(&mut self, wait: Duration) -> Next<Order> {
        match self {
            Self::Generated { next, count, .. } if count.is_some_and(|count| *next >= count) => Next::End,
            Self::Generated { business, seed, next, .. } => {
                let order = business.order(*seed, *next);
                *next += 1;
                Next::Line(order)
            }
            Self::Input(sieve) => sieve.next(wait),
        }
    }

    /// Why the input ended before its end.
    pub(crate) fn broken(self) -> Option<Error> {
        match self {
            Self::Generated { .. } => None,
            Self::Input(sieve) => sieve.broken(),
        }
    }

    /// How many there will be, where that is known.
    pub(crate) fn expected(&self) -> Option<u64> {
        match self {
            Self::Generated { count, .. } => *count,
            Self::Input(_) => None,
        }
    }

    /// How many were refused so far.
    pub(crate) fn rejected(&self) -> u64 {
        match self {
            Self::Generated { .. } => 0,
            Self::Input(sieve) => sieve.refused(),
        }
    }
}
