use std::collections::BTreeMap;
use std::fmt::Write as _;

use events::Topic;
use serde_json::{Value, json};

use super::ListArgs;
use super::letter::Letter;
use super::letters::Letters;
use crate::{Error, Format, Status, counted, grouped, print, shown};

/// How many reasons are counted apart; more than that is no list for a person.
const REASONS: usize = 1_000;

/// Those that are asked for.
#[derive(Default)]
struct Listed {
    /// The last ones, by the time of their writing, then by their place.
    last: BTreeMap<(i64, Topic, i32, i64), Letter>,
    count: u64,
    /// How many were redriven or discarded, and are not listed.
    settled: u64,
    /// How many, by service and by what the reason is about.
    by_reason: BTreeMap<(String, String), u64>,
}

/// Reads all of them and lists the last.
///
/// # Errors
/// Where the brokers do not answer or refuse.
pub(super) fn execute(args: &ListArgs, mut letters: Letters) -> Result<Status, Error> {
    let spans = letters.spans(args.filter.since)?;
    let mut listed = Listed::default();
    letters.read(&spans, |letter, _| match letter.fate {
        _ if !letter.is_of(&args.filter) => {}
        Some(_) if !args.all => listed.settled += 1,
        _ => listed.add(letter, args.limit),
    })?;
    print(&match args.format {
        Format::Text => listed.text(),
        Format::Json => format!("{:#}\n", listed.document()),
    })?;
    Ok(Status::Holds)
}

impl Listed {
    fn add(&mut self, letter: Letter, limit: usize) {
        self.count += 1;
        let reason = (letter.service().to_owned(), shown(letter.about()));
        if self.by_reason.len() < REASONS || self.by_reason.contains_key(&reason) {
            *self.by_reason.entry(reason).or_default() += 1;
        }
        self.last.insert((letter.at_ms, letter.topic, letter.partition, letter.offset), letter);
        if self.last.len() > limit {
            self.last.pop_first();
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let width = self.last.values().map(|letter| letter.place().len()).max().unwrap_or(0);
        for letter in self.last.values() {
            let origin = letter.origin().unwrap_or_else(|| "it does not say of what".to_owned());
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
        if self.count > self.last.len() as u64 {
            let _ = writeln!(text, "of these the last {} are listed; --limit lists more", self.last.len());
        }
        if !text.is_empty() {
            text.push('\n');
        }
        for ((service, about), count) in &self.by_reason {
            let _ = writeln!(text, "{:>12}  {}  {about}", grouped(*count), shown(service));
        }
        let _ = writeln!(text, "{}", counted(self.count, "dead letter"));
        if self.settled > 0 {
            let _ = writeln!(text, "{} more redriven or discarded; --all lists them too", grouped(self.settled));
        }
        text
    }

    fn document(&self) -> Value {
        let letters: Vec<Value> = self.last.values().map(Letter::document).collect();
        let reason = |((service, about), count): (&(String, String), &u64)| json!({ "service": service, "about": about, "dead_letters": count });
        let reasons: Vec<Value> = self.by_reason.iter().map(reason).collect();
        json!({ "count": self.count, "settled": self.settled, "by_reason": reasons, "dead_letters": letters })
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
