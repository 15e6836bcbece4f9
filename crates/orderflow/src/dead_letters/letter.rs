use events::Topic;
use messaging::{Fate, GivenUp};
use serde_json::{Value, json};

use super::Filter;
use crate::{shown, written_at};

/// A dead letter, without what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// When it was written, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// What it says of itself; `None` where its headers tell nothing: somebody else has written it.
    pub(crate) given_up: Option<GivenUp>,
    /// The order that it is of; `None` where nothing tells.
    pub(crate) order_id: Option<String>,
    /// What became of it; `None` while that is open.
    pub(crate) fate: Option<Fate>,
}

impl Letter {
    /// Whether it is asked for. When it was written is the topics' question.
    pub(crate) fn is_of(&self, filter: &Filter) -> bool {
        let is = |wanted: &Option<String>, holds: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(holds);
        is(&filter.service, &|service| self.service() == service)
            && is(&filter.reason, &|text| self.reason().contains(text))
            && is(&filter.order, &|order| self.order_id.as_deref() == Some(order))
            && is(&filter.about, &|about| shown(self.about()) == about)
    }

    /// Who has given it up; empty where it does not say.
    pub(crate) fn service(&self) -> &str {
        self.given_up.as_ref().map_or("", |given_up| &given_up.service)
    }

    /// Why; empty where it does not say.
    pub(crate) fn reason(&self) -> &str {
        self.given_up.as_ref().map_or("", |given_up| &given_up.reason)
    }

    /// What the reason is about: a field's name.
    pub(crate) fn about(&self) -> &str {
        messaging::about(self.reason())
    }

    /// How often its record had been redriven before.
    pub(crate) fn redrives(&self) -> u32 {
        self.given_up.as_ref().map_or(0, |given_up| given_up.redrives)
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> String {
        format!("{}-{}@{}", self.topic, self.partition, self.offset)
    }

    /// Where the record stood that it was made of.
    pub(crate) fn origin(&self) -> Option<String> {
        let origin = &self.given_up.as_ref()?.origin;
        Some(format!("{}-{}@{}", origin.topic, origin.partition, origin.offset))
    }

    pub(crate) fn at(&self) -> String {
        written_at(self.at_ms)
    }

    pub(crate) fn document(&self) -> Value {
        let group = self.given_up.as_ref().map(|given_up| given_up.origin.group.as_str());
        let deliveries = self.given_up.as_ref().and_then(|given_up| given_up.deliveries);
        json!({
            "topic": self.topic.as_str(), "partition": self.partition, "offset": self.offset, "at": self.at(),
            "service": self.service(), "group": group, "origin": self.origin(), "order_id": self.order_id,
            "reason": self.reason(), "deliveries": deliveries, "redrives": self.redrives(),
            "fate": self.fate.map(Fate::as_str),
        })
    }
}

#[cfg(test)]
mod tests {
    use events::Timestamp;
    use messaging::Origin;

    use super::*;

    fn letter(reason: &str) -> Letter {
        let (group, topic) = ("payment_processor.order_placed".to_owned(), Topic::new("order_placed"));
        let origin = Origin { group, topic, partition: 2, offset: 4711 };
        let (service, reason) = ("payment_processor".to_owned(), reason.to_owned());
        Letter {
            topic: Topic::new("payment_processor.order_placed.dead_letter"),
            partition: 1,
            offset: 3,
            at_ms: Timestamp::BASE.as_ms(),
            given_up: Some(GivenUp { origin, service, reason, deliveries: None, redrives: 1 }),
            order_id: Some("7f3a".into()),
            fate: None,
        }
    }

    #[test]
    fn a_filter_holds_service_reason_and_order_together() {
        let filter = |service: Option<&str>, reason: Option<&str>, order: Option<&str>| {
            let [service, reason, order] = [service, reason, order].map(|text| text.map(str::to_owned));
            letter("total: found -5").is_of(&Filter { service, reason, order, ..Filter::default() })
        };
        assert!(filter(None, None, None) && filter(Some("payment_processor"), Some("found -5"), Some("7f3a")));
        assert!(!filter(Some("shipping_handler"), None, None) && !filter(None, Some("status"), None));
        assert!(!filter(None, None, Some("7f3b")));
    }

    #[test]
    fn reasons_are_counted_by_the_field_that_they_are_about() {
        let about = |reason: &str| letter(reason).about().to_owned();
        assert_eq!([about("total: found -5"), about("items[3].price: found 0")], ["total", "items"]);
        assert_eq!([about("no words with a colon"), about("")], ["no words with a colon", ""]);
    }

    #[test]
    fn a_letter_that_says_nothing_of_itself_is_listed_all_the_same() {
        let silent = Letter { given_up: None, order_id: None, ..letter("") };
        assert_eq!((silent.service(), silent.reason(), silent.origin()), ("", "", None));
        assert!(silent.is_of(&Filter::default()));
        assert_eq!(silent.document()["group"], Value::Null);
        assert_eq!(letter("no").document()["origin"], "order_placed-2@4711");
        assert_eq!((silent.redrives(), letter("no").redrives()), (0, 1));
        let settled = Letter { fate: Some(Fate::Redriven), ..letter("no") };
        assert_eq!((&letter("no").document()["fate"], &settled.document()["fate"]), (&Value::Null, &"redriven".into()));
    }
}
