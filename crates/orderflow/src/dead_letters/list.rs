use std::collections::BTreeMap;
use std::fmt::Write as _;

use events::Topic;
use serde_json::{Value, json};

use super::letter::Letter;
use super::letters::Letters;
use super::reasons::Reasons;
use super::{Filter, ListArgs};
use crate::{Error, Format, Status, counted, grouped, print, shown};

/// Those that are asked for.
#[derive(Default)]
struct Listed {
    /// The last ones, by the time of their writing, then by their place.
    last: BTreeMap<(i64, Topic, i32, i64), Letter>,
    reasons: Reasons,
    /// How many were redriven or discarded, and are not listed.
    settled: u64,
}

/// Reads all of them and lists the last.
///
/// # Errors
/// Where the brokers do not answer or refuse.
pub(super) fn execute(args: &ListArgs, mut letters: Letters) -> Result<Status, Error> {
    let listed = Listed::read(&mut letters, &args.filter, args.all, args.limit)?;
    print(&match args.format {
        Format::Text => listed.text(),
        Format::Json => format!("{:#}\n", listed.document()),
    })?;
    Ok(Status::Holds)
}

/// Those that are open, for a program: the last of them, and how many there are.
///
/// # Errors
/// As [`execute`].
pub(super) fn document(letters: &mut Letters, limit: usize) -> Result<Value, Error> {
    Ok(Listed::read(letters, &Filter::default(), false, limit)?.document())
}

impl Listed {
    /// With `has_settled` those too that were redriven or discarded.
    fn read(letters: &mut Letters, filter: &Filter, has_settled: bool, limit: usize) -> Result<Self, Error> {
        let spans = letters.spans(filter.since)?;
        let mut listed = Self::default();
        letters.read(&spans, |letter, _| match letter.fate {
            _ if !letter.is_of(filter) => {}
            Some(_) if !has_settled => listed.settled += 1,
            _ => listed.add(letter, limit),
        })?;
        Ok(listed)
    }

    fn add(&mut self, letter: Letter, limit: usize) {
        self.reasons.add(&letter);
        self.last.insert((letter.at_ms, letter.topic, letter.partition, letter.offset), letter);
        if self.last.len() > limit {
            self.last.pop_first();
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let width = self.last.values().map(|letter| letter.place().len()).max().unwrap_or(0);
        for letter in self.last.values() {
            let origin = letter.origin().unwrap_or_else(|| "a record that it does not name".to_owned());
            let order = letter.order_id.as_deref().map_or_else(|| "-".to_owned(), shown);
            // Writing to memory does not fail.
            let _ = writeln!(
                text,
                "{:width$}  {}  of {origin}  order {order}  {}{}",
                letter.place(),
                letter.at(),
                shown(letter.reason()),
                history(letter)
            );
        }
        if self.reasons.count() > self.last.len() as u64 && !self.last.is_empty() {
            let _ = writeln!(text, "these are the last {}; --limit lists more", self.last.len());
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&self.reasons.rows());
        let _ = writeln!(text, "{}", counted(self.reasons.count(), "dead letter"));
        if self.settled > 0 {
            let _ = writeln!(text, "{} more redriven or discarded; --all lists them too", grouped(self.settled));
        }
        text
    }

    fn document(&self) -> Value {
        let letters: Vec<Value> = self.last.values().map(Letter::document).collect();
        json!({ "count": self.reasons.count(), "settled": self.settled, "by_reason": self.reasons.document(), "dead_letters": letters })
    }
}

/// What there is to say of how often it came, and what became of it.
fn history(letter: &Letter) -> String {
    let came_back = match letter.redrives() {
        0 => None,
        1 => Some("redriven once before".to_owned()),
        times => Some(format!("redriven {times} times before")),
    };
    let told: Vec<String> = came_back.into_iter().chain(letter.fate.map(|fate| fate.to_string())).collect();
    if told.is_empty() { String::new() } else { format!("  ({})", told.join("; ")) }
}
