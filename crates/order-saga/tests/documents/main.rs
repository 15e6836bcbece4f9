//! What the documents say of the saga, held to its code and to `topology.json`.
//!
//! They are read when the test runs, so that another sentence builds nothing.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "a test reads the documents")]

mod api_spec; // docs/API_SPEC.md
mod settings; // those in docs/saga.md
mod state_machine; // the picture in ARCHITECTURE.md

use std::path::Path;
use std::sync::Arc;

use messaging::Clock;
use messaging::store::{MemoryEvents, MemoryRows};
use order_saga::Ground;

/// A file of the repository.
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands below the heading of this text, to the next one of its level or above.
fn below<'a>(document: &'a str, heading: &str) -> &'a str {
    let level = heading.split(' ').next().unwrap();
    let (_, rest) = document.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let ends = (1..=level.len()).filter_map(|length| rest.find(&format!("\n{} ", &level[..length])));
    &rest[..ends.min().unwrap_or(rest.len())]
}

/// The rows of the table whose first column has this title.
#[track_caller]
fn table(text: &str, title: &str) -> Vec<Vec<String>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("| {title} |")));
    assert!(lines.next().is_some(), "no table that begins with {title:?}");
    let cells = |line: &str| {
        line.trim_start_matches("| ").trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// What stands in a text as code.
fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        0
    }
}

/// Stores with nothing in them.
fn ground() -> Ground {
    let (events, rows) = (Arc::new(MemoryEvents::default()), Arc::new(MemoryRows::default()));
    Ground { events, rows, clock: Arc::new(Still), wait: |_| {} }
}
