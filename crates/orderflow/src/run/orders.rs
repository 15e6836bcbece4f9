use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use simulation::Order;

use super::input::{Input, Line, Rejects};
use crate::Error;
use crate::business::Business;

/// Lines that are read ahead.
const READ_AHEAD: usize = 1_024;

/// Where the orders come from.
pub(crate) enum Orders<'a> {
    /// From a seed.
    Generated { business: &'a dyn Business, seed: u64, next: u64, count: Option<u64> },
    /// From JSON lines, read on a thread of its own: a line that is slow to come holds nothing up.
    Input { lines: Receiver<Result<Line, Error>>, rejects: Rejects, broken: Option<Error> },
}

/// What comes next.
pub(crate) enum Next {
    /// An order.
    Order(Order),
    /// Nothing yet.
    Waiting,
    /// Nothing any more.
    End,
}

impl<'a> Orders<'a> {
    /// `count` orders of a seed; without end if it is `None`.
    pub(crate) fn generated(business: &'a dyn Business, seed: u64, count: Option<u64>) -> Self {
        Self::Generated { business, seed, next: 0, count }
    }

    /// The orders of a file, or of stdin for `-`.
    pub(crate) fn from_file(path: &Path, rejects: &Path, business: &Arc<dyn Business>) -> Result<Self, Error> {
        let input = Input::open(path, Arc::clone(business))?;
        let rejects = Rejects::open(rejects, &input)?;
        let (sender, lines) = sync_channel(READ_AHEAD);
        std::thread::spawn(move || read(input, &sender));
        Ok(Self::Input { lines, rejects, broken: None })
    }

    /// The next order; waits for it for `wait` at most. A refused line counts when its turn comes, so that accepted and rejected
    /// are together the lines that were taken. An input that breaks is at its end.
    pub(crate) fn next(&mut self, wait: Duration) -> Next {
        let (lines, rejects, broken) = match self {
            Self::Generated { next, count, .. } if count.is_some_and(|count| *next >= count) => return Next::End,
            Self::Generated { business, seed, next, .. } => {
                let order = business.order(*seed, *next);
                *next += 1;
                return Next::Order(order);
            }
            Self::Input { lines, rejects, broken } => (lines, rejects, broken),
        };
        while broken.is_none() {
            match lines.recv_timeout(wait) {
                Ok(Ok(Line::Order(order))) => return Next::Order(order),
                Ok(Ok(Line::Refused(refused))) => *broken = rejects.add(&refused).err(),
                Ok(Err(error)) => *broken = Some(error),
                Err(RecvTimeoutError::Timeout) => return Next::Waiting,
                Err(RecvTimeoutError::Disconnected) => return Next::End,
            }
        }
        Next::End
    }

    /// Why the input ended before its end.
    pub(crate) fn broken(self) -> Option<Error> {
        match self {
            Self::Generated { .. } => None,
            Self::Input { broken, .. } => broken,
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
            Self::Input { rejects, .. } => rejects.count(),
        }
    }
}

/// Reads until the end, until an error, or until nobody wants more.
fn read(mut input: Input, lines: &SyncSender<Result<Line, Error>>) {
    while let Some(line) = input.next().transpose() {
        let is_broken = line.is_err();
        if lines.send(line).is_err() || is_broken {
            return;
        }
    }
}
