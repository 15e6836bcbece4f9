use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::letter::Letter;
use crate::{grouped, shown};

/// How many reasons are counted apart; more than that is no list for a person.
const REASONS: usize = 1_000;

/// How many dead letters there are, by service and by what the reason is about.
#[derive(Default)]
pub(super) struct Reasons {
    by_reason: BTreeMap<(String, String), u64>,
    count: u64,
}

impl Reasons {
    pub(super) fn add(&mut self, letter: &Letter) {
        self.count += 1;
        let reason = (letter.service().to_owned(), shown(letter.about()));
        if self.by_reason.len() < REASONS || self.by_reason.contains_key(&reason) {
            *self.by_reason.entry(reason).or_default() += 1;
        }
    }

    /// All of them.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// A row each.
    pub(super) fn rows(&self) -> String {
        let named = |text: &str| if text.is_empty() { "(does not say)".to_owned() } else { shown(text) };
        let row = |((service, about), count): (&(String, String), &u64)| {
            format!("{:>12}  {}  {}\n", grouped(*count), named(service), named(about))
        };
        self.by_reason.iter().map(row).collect()
    }

    pub(super) fn document(&self) -> Value {
        let reason = |((service, about), count): (&(String, String), &u64)| json!({ "service": service, "about": about, "dead_letters": count });
        self.by_reason.iter().map(reason).collect()
    }
}
