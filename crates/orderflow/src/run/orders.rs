use std::path::Path;

use events::Timestamp;
use events::shop::OrderPlaced;
use shop::order_generator::generate_order_event;

use super::input::Input;
use crate::Error;

/// Where the orders come from.
pub(crate) enum Orders {
    /// From a seed.
    Generated { seed: u64, next: u64, count: Option<u64> },
    /// From JSON lines.
    Input(Input),
}

impl Orders {
    /// `count` orders of a seed; without end if it is `None`.
    pub(crate) fn generated(seed: u64, count: Option<u64>) -> Self {
        Self::Generated { seed, next: 0, count }
    }

    /// The orders of a file, or of stdin for `-`.
    pub(crate) fn from_file(path: &Path, rejects: &Path) -> Result<Self, Error> {
        Input::open(path, rejects).map(Self::Input)
    }

    /// The next order; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<OrderPlaced>, Error> {
        match self {
            Self::Generated { next, count, .. } if count.is_some_and(|count| *next >= count) => Ok(None),
            Self::Generated { seed, next, .. } => {
                let order = generate_order_event(*seed, Timestamp::BASE, *next);
                *next += 1;
                Ok(Some(order))
            }
            Self::Input(input) => input.next(),
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
            Self::Input(input) => input.rejected(),
        }
    }
}
