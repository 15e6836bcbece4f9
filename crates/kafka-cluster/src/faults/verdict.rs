use std::fmt::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use kafka_transport::Connection;
use serde_json::Value;

use super::{Error, System};

/// What a system may take to be whole again after its last fault.
const RECOVERY: Duration = Duration::from_secs(60);

/// Orders a second that every system works off on the smallest machine the cases run on.
const SLOWEST_RATE: u64 = 80;

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The case.
    pub case: &'static str,
    /// How many faults struck.
    pub faults: u32,
    /// Orders that were published, and confirmed by the brokers.
    pub orders: u64,
    /// What the audit found of them in the topics.
    pub accepted: u64,
    /// Orders without their end.
    pub lost: u64,
    /// Orders with two ends, or an event with other bytes.
    pub doubled: u64,
    /// Events again with equal bytes.
    pub redelivered: u64,
    /// Orders of which a record was given up.
    pub dead_lettered: u64,
    /// The longest time that a partition of the ends stood still.
    pub recovered: Duration,
    /// Whether the audit holds: nothing lost, doubled, unfinished or unexpected.
    pub passed: bool,
}

impl Row {
    /// Whether every order that was published is accounted for.
    pub fn holds(&self) -> bool {
        self.passed && self.accepted == self.orders
    }
}

/// The rows as a table in Markdown.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| case | faults | orders | lost | doubled | redelivered | dead-lettered | seconds to recover |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Row { case, faults, orders, lost, doubled, redelivered, dead_lettered, recovered, .. } = row;
        let recovered = recovered.as_secs_f64();
        // Writing to memory does not fail.
        let _ = writeln!(
            text,
            "| {case} | {faults} | {orders} | {lost} | {doubled} | {redelivered} | {dead_lettered} | {recovered:.1} |"
        );
    }
    text
}

/// Lets the operator's program audit a run of so many orders, as the user of the connection.
///
/// The audit ends by itself as soon as all orders have ended; how long it may wait for them grows with their number,
/// because a case may leave a backlog that takes minutes of work.
pub(crate) fn audit(system: &System<'_>, connection: &Connection, run: &str, orders: u64) -> Result<Value, Error> {
    let what = || format!("audit of {run}");
    let wait = RECOVERY.as_secs().saturating_add(orders / SLOWEST_RATE);
    let output = Command::new(&system.program)
        .args(["audit", system.name, "--run", run, "--format", "json", "--wait", &format!("{wait}s")])
        .envs(connection.variables())
        .envs(system.environment.iter().cloned())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::process(what()))?;
    serde_json::from_slice(&output.stdout).map_err(|error| Error::Process {
        what: what(),
        reason: format!("{}, and its result is no JSON ({error})", output.status),
    })
}
