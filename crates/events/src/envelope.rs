use crate::wire::Fields;

/// What a log line says of a record: read leniently, because the records that matter most in a log are the broken ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The field `order_id`, or the key where the value has none; empty where neither can be read.
    pub order_id: String,
    /// The field `event_type`; empty where it cannot be read.
    pub event_type: String,
}

impl Envelope {
    /// Reads what can be read.
    pub fn of(key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let fields = |fields: Fields<'_, '_>| Ok(["order_id", "event_type"].map(|name| fields.identifier(name).ok()));
        let read = value.and_then(|value| Fields::read(value, fields).ok());
        let [order_id, event_type] = read.unwrap_or_default();
        let key = || key.map(|key| String::from_utf8_lossy(key).into_owned());
        Self { order_id: order_id.or_else(key).unwrap_or_default(), event_type: event_type.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_read_from_the_value_and_else_from_the_key() {
        let of = |key: Option<&str>, value: Option<&str>| {
            let envelope = Envelope::of(key.map(str::as_bytes), value.map(str::as_bytes));
            (envelope.order_id, envelope.event_type)
        };
        let read = |order_id: &str, event_type: &str| (order_id.to_owned(), event_type.to_owned());
        assert_eq!(
            of(Some("k"), Some(r#"{"order_id":"7f3a","event_type":"order_placed"}"#)),
            read("7f3a", "order_placed")
        );
        assert_eq!(of(Some("k"), Some(r#"{"event_type":"order_placed"}"#)), read("k", "order_placed"));
        assert_eq!(of(Some("k"), Some("broken")), read("k", ""));
        assert_eq!(of(None, None), read("", ""));
    }
}
