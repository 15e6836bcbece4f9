//! The mailer, simulated: it writes down what it sends.

use std::sync::Arc;
use std::time::Duration;

use events::EventId;
use events::saga::Email;
use messaging::Clock;
use messaging::store::RowStore;

use super::{Unreachable, Way, Weather};

/// What sends e-mails.
pub trait Mailer: Send + Sync {
    /// Sends an e-mail, once for each key.
    ///
    /// # Errors
    /// Where nobody answers: it may have been sent all the same, and is not sent again under that key.
    fn send(&self, key: EventId, email: &Email) -> Result<(), Unreachable>;
}

/// A mailer that writes down what it sends.
pub struct SimulatedMailer {
    rows: Arc<dyn RowStore>,
    way: Way,
}

impl SimulatedMailer {
    /// The table of what it sent: by key, the order and what it was told.
    pub const SENT: &'static str = "mailer_sent";

    /// One that keeps what it sent in `rows`; `wait` is how its latency passes.
    pub fn new(rows: Arc<dyn RowStore>, weather: Weather, clock: Arc<dyn Clock>, wait: fn(Duration)) -> Self {
        Self { rows, way: Way::new("mailer", weather, clock, wait) }
    }
}

impl Mailer for SimulatedMailer {
    fn send(&self, key: EventId, email: &Email) -> Result<(), Unreachable> {
        self.way.call(&email.order_id, || {
            let key = (Self::SENT, key.to_string());
            self.rows.update(std::slice::from_ref(&key), &mut |rows| {
                let row = rows.entry(key.clone()).or_default();
                row.get_or_insert_with(|| format!("{} {}", email.order_id, email.about));
            })
        })
    }
}
