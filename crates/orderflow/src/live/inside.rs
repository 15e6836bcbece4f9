use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use ::topology::Topology;
use kafka_transport::Connection;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{InView, recent};
use crate::business::Business;
use crate::{Error, System, dead_letters, in_memory_of, trace};

/// What is longer is shown in part, so that a record of a megabyte is no page of one.
const LONGEST: usize = 300;

/// What the records of a cluster tell.
pub(super) struct Inside {
    topology: Topology,
    businesses: Vec<Arc<dyn Business>>,
    in_view: InView,
    /// Held by who redrives: two at once would both find a dead letter open, and redrive it twice.
    redriving: Mutex<()>,
}

/// What is to be redriven: one dead letter, or all that are open of a service, with a reason about one thing.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Asked {
    One { place: String },
    All { service: String, about: String },
}

impl Inside {
    /// Of one system, or of all.
    ///
    /// # Errors
    /// Where the topology does not fit the code.
    pub(super) fn new(topology: &Topology, name: &str, system: Option<System>, in_view: InView) -> Result<Self, Error> {
        let businesses = in_memory_of(system, topology, name)?;
        Ok(Self { topology: topology.clone(), businesses, in_view, redriving: Mutex::new(()) })
    }

    /// The orders that moved last.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(super) fn orders(&self) -> Result<Value, Error> {
        recent::orders(&self.connection()?, &self.topology, &self.businesses)
    }

    /// The way of one order.
    ///
    /// # Errors
    /// As [`Inside::orders`]; where nothing stands of it.
    pub(super) fn order(&self, order_id: &str) -> Result<Value, Error> {
        if order_id.is_empty() {
            return Err(Error::Usage("which order? its id is empty".into()));
        }
        trace::document_of(&self.connection()?, &self.topology, &self.businesses, order_id)
    }

    /// The dead letters that are open.
    ///
    /// # Errors
    /// As [`Inside::orders`].
    pub(super) fn dead_letters(&self) -> Result<Value, Error> {
        dead_letters::document(&self.connection()?, &self.topology, &self.businesses)
    }

    /// Redrives what is asked for; each has its line in the log, as on the command line.
    ///
    /// # Errors
    /// As [`Inside::orders`]; where there is no such dead letter.
    pub(super) fn redrive(&self, asked: &Asked) -> Result<Value, Error> {
        let chosen = match asked {
            Asked::One { place } => dead_letters::Which::At(dead_letters::place(place).map_err(Error::Usage)?),
            Asked::All { service, about } => dead_letters::Which::About { service, about },
        };
        let _alone = self.redriving.lock().unwrap_or_else(PoisonError::into_inner);
        let never = AtomicBool::new(false);
        dead_letters::redrive(&self.connection()?, &self.topology, &self.businesses, &chosen, &never)
    }

    fn connection(&self) -> Result<Connection, Error> {
        self.in_view.connection().ok_or_else(|| Error::Failed("no cluster has been started yet".into()))
    }
}

/// The same with no text that is too long.
pub(super) fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) => match text.char_indices().nth(LONGEST) {
            Some((end, _)) => json!(format!("{}…", &text[..end])),
            None => Value::String(text),
        },
        Value::Array(values) => values.into_iter().map(shortened).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, shortened(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_shortened_at_a_character_wherever_it_stands() {
        let long = "ä".repeat(LONGEST + 1);
        let short = shortened(json!({ "a": [long, "b"], "n": 1 }));
        assert_eq!(short["a"][0].as_str().unwrap().chars().count(), LONGEST + 1);
        assert!(short["a"][0].as_str().unwrap().ends_with("ä…"));
        assert_eq!((&short["a"][1], &short["n"]), (&json!("b"), &json!(1)));
    }

    #[test]
    fn one_is_asked_for_or_all_about_one_thing_and_nothing_else() {
        let asked = |text: &str| serde_json::from_str::<Asked>(text);
        assert!(matches!(asked(r#"{"place":"a-0@1"}"#), Ok(Asked::One { .. })));
        assert!(matches!(asked(r#"{"service":"s","about":"total"}"#), Ok(Asked::All { .. })));
        assert!(asked("{}").is_err() && asked(r#"{"service":"s"}"#).is_err());
    }
}
