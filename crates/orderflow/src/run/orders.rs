use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use events::Timestamp;
use events::shop::OrderPlaced;
use shop::order_generator::generate_order_event;

use super::input::Input;
use crate::Error;

/// Orders that are read ahead.
const READ_AHEAD: usize = 1_024;

/// Where the orders come from.
pub(crate) enum Orders {
    /// From a seed.
    Generated { seed: u64, next: u64, count: Option<u64> },
    /// From JSON lines, read on a thread of its own: a line that is slow to come holds nothing up.
    Input { orders: Receiver<Result<OrderPlaced, Error>>, rejected: Arc<AtomicU64> },
}

/// What comes next.
pub(crate) enum Next {
    /// An order.
    Order(OrderPlaced),
    /// Nothing yet.
    Waiting,
    /// Nothing any more.
    End,
}

impl Orders {
    /// `count` orders of a seed; without end if it is `None`.
    pub(crate) fn generated(seed: u64, count: Option<u64>) -> Self {
        Self::Generated { seed, next: 0, count }
    }

    /// The orders of a file, or of stdin for `-`.
    pub(crate) fn from_file(path: &Path, rejects: &Path) -> Result<Self, Error> {
        let input = Input::open(path, rejects)?;
        let rejected = input.rejected();
        let (sender, orders) = sync_channel(READ_AHEAD);
        std::thread::spawn(move || read(input, &sender));
        Ok(Self::Input { orders, rejected })
    }

    /// The next order; waits for it for `wait` at most.
    pub(crate) fn next(&mut self, wait: Duration) -> Result<Next, Error> {
        match self {
            Self::Generated { next, count, .. } if count.is_some_and(|count| *next >= count) => Ok(Next::End),
            Self::Generated { seed, next, .. } => {
                let order = generate_order_event(*seed, Timestamp::BASE, *next);
                *next += 1;
                Ok(Next::Order(order))
            }
            Self::Input { orders, .. } => match orders.recv_timeout(wait) {
                Ok(order) => order.map(Next::Order),
                Err(RecvTimeoutError::Timeout) => Ok(Next::Waiting),
                Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
            },
        }
    }

    /// How many there will be, where that is known.
    pub(crate) fn expected(&self) -> Option<u64> {
        match self {
            Self::Generated { count, .. } => *count,
            Self::Input { .. } => None,
        }
    }

    /// How many were refused so far.
    pub(crate) fn rejected(&self) -> u64 {
        match self {
            Self::Generated { .. } => 0,
            Self::Input { rejected, .. } => rejected.load(Ordering::Acquire),
        }
    }
}

/// Reads until the end, until an error, or until nobody wants more.
fn read(mut input: Input, orders: &SyncSender<Result<OrderPlaced, Error>>) {
    while let Some(order) = input.next().transpose() {
        let is_broken = order.is_err();
        if orders.send(order).is_err() || is_broken {
            return;
        }
    }
}
