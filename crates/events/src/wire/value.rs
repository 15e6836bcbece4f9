use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value of a JSON text with its name, in the order of the text: what a list or an object holds follows it at once.
///
/// One vector for the whole text, because a tree would ask for memory at each of its forks, for every record.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Empty in a list.
    pub(super) name: Cow<'a, str>,
    pub(super) value: Value<'a>,
}

/// A JSON value that borrows its text from the record.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// A whole number beyond the signed ones.
    Large(u64),
    Float(f64),
    Text(Cow<'a, str>),
    /// So many elements; all that is in them are the next `size` entries.
    List {
        elements: usize,
        size: usize,
    },
    /// Its fields and all that is in them are the next `size` entries.
    Object {
        size: usize,
    },
}

impl Value<'_> {
    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Large(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// For a person who reads an error: a long list or an object is named, not printed.
impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Large(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"), // 1.0 is no 1
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List { elements, .. } => write!(f, "a list of {elements}"),
            Self::Object { .. } => f.write_str("an object"),
        }
    }
}

/// The values on one level: entries that follow each other, without what is in them. Each comes with all that it holds.
pub(super) fn siblings<'e, 'a>(mut entries: &'e [Entry<'a>]) -> impl Iterator<Item = (&'e Entry<'a>, &'e [Entry<'a>])> {
    std::iter::from_fn(move || {
        let (first, rest) = entries.split_first()?;
        let size = match first.value {
            Value::List { size, .. } | Value::Object { size } => size,
            _ => 0,
        };
        let (within, behind) = rest.split_at_checked(size)?;
        entries = behind;
        Some((first, within))
    })
}

/// Adds a value, and all that is in it, to the entries.
pub(super) struct Append<'e, 'a> {
    pub(super) entries: &'e mut Vec<Entry<'a>>,
    pub(super) name: Cow<'a, str>,
}

impl<'a> Append<'_, 'a> {
    fn push<E>(self, value: Value<'a>) -> Result<(), E> {
        self.entries.push(Entry { name: self.name, value });
        Ok(())
    }
}

impl<'a> DeserializeSeed<'a> for Append<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Append<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.push(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.push(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.push(Value::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.push(i64::try_from(number).map_or(Value::Large(number), Value::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.push(Value::Float(number))
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.push(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.push(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut sequence: A) -> Result<(), A::Error> {
        let (at, entries) = (self.entries.len(), self.entries);
        entries.push(Entry { name: self.name, value: Value::Null }); // how much it holds is known at its end
        let mut elements = 0;
        while sequence.next_element_seed(Append { entries, name: Cow::Borrowed("") })?.is_some() {
            elements += 1;
        }
        entries[at].value = Value::List { elements, size: entries.len() - at - 1 };
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let (at, entries) = (self.entries.len(), self.entries);
        entries.push(Entry { name: self.name, value: Value::Null });
        while let Some(name) = map.next_key_seed(Name)? {
            map.next_value_seed(Append { entries, name })?;
        }
        entries[at].value = Value::Object { size: entries.len() - at - 1 };
        Ok(())
    }
}

/// A field's name, borrowed unless it holds an escape.
struct Name;

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Cow<'a, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Name {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
