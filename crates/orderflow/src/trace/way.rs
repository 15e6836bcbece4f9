use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use events::Topic;
use messaging::{Fate, Place};

use super::step::{Kind, Step};

/// The records of an order, as they were found, and what is known of each.
#[derive(Default)]
pub(crate) struct Way {
    steps: Vec<Step>,
    /// By event id, where it was seen first: a record that stands again is the same event.
    events: BTreeMap<String, usize>,
    places: BTreeMap<Place, usize>,
    /// The groups that are not done with a record, by its place among the steps.
    awaited: BTreeMap<usize, Vec<String>>,
}

impl Way {
    pub(crate) fn extend(&mut self, steps: impl IntoIterator<Item = Step>) {
        steps.into_iter().for_each(|step| self.push(step));
    }

    fn push(&mut self, step: Step) {
        let index = self.steps.len();
        match self.places.entry(step.place()) {
            Entry::Occupied(_) => return, // read before
            Entry::Vacant(entry) => entry.insert(index),
        };
        if let (Kind::Event, Some(event_id)) = (&step.kind, &step.event_id) {
            self.events.entry(event_id.clone()).or_insert(index);
        }
        self.steps.push(step);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Takes in which groups are not done with a record.
    pub(crate) fn await_groups(&mut self, index: usize, groups: Vec<String>) {
        self.awaited.insert(index, groups);
    }

    /// Whether any group is not done with any record.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.values().any(|groups| !groups.is_empty())
    }

    /// Whether a record names a cause, or a record that was given up, which was not found.
    pub(crate) fn lacks_a_cause(&self) -> bool {
        let lacks = |(index, step): (usize, &Step)| {
            (step.cause.is_some() || step.origin().is_some()) && self.parent(index).is_none()
        };
        self.steps.iter().enumerate().any(lacks)
    }

    /// The groups that are not done with it.
    pub(crate) fn awaited(&self, index: usize) -> &[String] {
        self.awaited.get(&index).map_or(&[], Vec::as_slice)
    }

    /// The record that this one is again, if it is: an event that was written twice.
    pub(crate) fn first_of(&self, index: usize) -> Option<usize> {
        let step = &self.steps[index];
        let first = *self.events.get(step.event_id.as_ref()?)?;
        (step.kind == Kind::Event && first != index && self.steps[first].topic == step.topic).then_some(first)
    }

    /// Whether nothing more is expected because of what was given up, as the audit weighs it: a record that was not redriven, unless the order
    /// entered by another one, too, which was not given up. `enters`: whether orders enter by a topic.
    pub(crate) fn is_given_up(&self, enters: impl Fn(Topic) -> bool) -> bool {
        let letters = || self.steps.iter().filter(|step| matches!(step.kind, Kind::DeadLetter(_)));
        let is_open = |letter: &&Step| !self.is_redriven(letter);
        let is_of_entrance = |letter: &Step| letter.origin().is_some_and(|(topic, ..)| enters(topic));
        let has_letter = |entrance: &Step| letters().any(|letter| letter.origin() == Some(entrance.place()));
        let entrances = || self.steps.iter().filter(|step| step.kind == Kind::Event && enters(step.topic));
        // One that nobody can read goes nowhere; a group that skips it leaves no other trace.
        let goes_on = entrances().any(|entrance| entrance.mark.is_some() && !has_letter(entrance));
        let is_skipped = |entrance: &Step| entrance.mark.is_none() && !has_letter(entrance);
        letters().filter(is_open).any(|letter| !is_of_entrance(letter) || !goes_on)
            || !goes_on && entrances().any(is_skipped)
    }

    /// Whether it is a dead letter whose record was redriven.
    fn is_redriven(&self, letter: &Step) -> bool {
        let redrives =
            |step: &Step| matches!(&step.kind, Kind::Settlement(settlement) if settlement.fate == Fate::Redriven);
        self.steps.iter().any(|step| redrives(step) && step.origin() == Some(letter.place()))
    }

    /// The record that this one follows from: its cause, or for a dead letter the record that was given up. `None` where the order
    /// entered, or where that does not stand any more.
    pub(crate) fn parent(&self, index: usize) -> Option<usize> {
        let step = &self.steps[index];
        let parent = match &step.kind {
            Kind::DeadLetter(_) | Kind::Settlement(_) => self.places.get(&step.origin()?),
            Kind::Event => self.events.get(step.cause.as_ref()?),
        };
        parent.copied().filter(|parent| *parent != index)
    }

    /// All of them with their depth, each behind its parent, those that follow from the same by their time. What would go round in
    /// circles, as no service writes it, begins anew.
    pub(crate) fn in_order(&self) -> Vec<(usize, usize)> {
        let mut by_time: Vec<usize> = (0..self.steps.len()).collect();
        by_time.sort_by_key(|&index| (self.steps[index].at_ms, index));
        let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for &index in &by_time {
            children.entry(self.parent(index)).or_default().push(index);
        }
        let mut order = Vec::new();
        let mut is_told = vec![false; self.steps.len()];
        let roots = children.remove(&None).unwrap_or_default();
        for root in roots.into_iter().chain(by_time) {
            let mut open = vec![(root, 0)];
            while let Some((index, depth)) = open.pop() {
                if std::mem::replace(&mut is_told[index], true) {
                    continue;
                }
                order.push((index, depth));
                let next = children.get(&Some(index)).into_iter().flatten().rev();
                open.extend(next.map(|&child| (child, depth + 1)));
            }
        }
        order
    }
}
