//! A page to show around: one file of HTML that asks nobody for anything.
//!
//! Whoever has something to show describes a [`Page`] in words and numbers; how it looks is known here alone.

use crate::share::Share;
pub(crate) use axis::number;
pub(crate) use course::{Course, Line, Stroke};
pub(crate) use file::PageFile;
pub(crate) use incidents::{Incident, Incidents};
pub(crate) use spread::Spread;

mod axis; // ticks, and where a value is between two ends
mod course; // lines over time
mod file; // its place, asked for before there is anything to write
mod html; // a page as text
mod incidents; // what happened when
mod plot; // a frame of two axes
mod spread; // how many orders took how long

/// What is shown. Texts may come from anywhere: they are escaped, and those of others shortened.
pub(crate) struct Page {
    /// What was called, as a line above the title.
    pub(crate) origin: String,
    pub(crate) title: String,
    pub(crate) holds: bool,
    /// What it comes to, a sentence each.
    pub(crate) verdict: Vec<String>,
    /// The few numbers to remember.
    pub(crate) figures: Vec<Figure>,
    /// What it was, by name.
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) sections: Vec<Section>,
}

/// A number to remember.
pub(crate) struct Figure {
    pub(crate) value: String,
    pub(crate) unit: &'static str,
    pub(crate) name: &'static str,
}

pub(crate) struct Section {
    pub(crate) heading: &'static str,
    pub(crate) parts: Vec<Part>,
}

pub(crate) enum Part {
    /// A sentence of ours.
    Text(String),
    /// What is wrong, in the words of others.
    Faults(Vec<String>),
    /// What can be typed.
    Command(String),
    Table(Table),
    Shares(Vec<Share>),
    Spread(Spread),
    Course(Course),
    Incidents(Incidents),
}

/// Its first column is what the rows are known by.
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) struct Row {
    pub(crate) cells: Vec<String>,
    /// Whether it tells of something that should not be.
    pub(crate) is_fault: bool,
}

impl Row {
    pub(crate) fn of(cells: impl IntoIterator<Item = String>) -> Self {
        Self { cells: cells.into_iter().collect(), is_fault: false }
    }
}

pub(crate) enum Column {
    Words(&'static str),
    Numbers(&'static str),
}

#[cfg(test)]
mod tests;
