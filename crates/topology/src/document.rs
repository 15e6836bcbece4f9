//! JSON as a tree that keeps what `serde_json::Value` drops: the order of keys, keys that stand twice, and whether a
//! number was written as an integer. The other readers of the file drop them silently, too.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::{Path, Problem};

/// One JSON value.
#[derive(Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// Entries in the file's order, repeated keys too.
    Object(Vec<(String, Node)>),
}

/// The value as an error message shows it.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "the float {value:?}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::List(_) => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

/// Reads one JSON document, and says which keys in it stand twice.
///
/// Refuses text that is no JSON, with its line and column. Nesting is limited to `serde_json`'s 128 levels.
pub(crate) fn parse(text: &str) -> Result<(Node, Vec<Problem>), Problem> {
    let mut repeated = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let node = Value { path: Path::top(), repeated: &mut repeated }
        .deserialize(&mut deserializer)
        .and_then(|node| deserializer.end().map(|()| node))
        .map_err(|error| not_json(&error))?;
    Ok((node, repeated))
}

fn not_json(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    let reason = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    Problem { path: format!("line {line}, column {column}"), text: format!("no valid JSON: {reason}") }
}

/// Reads the value at `path`.
struct Value<'a> {
    path: Path,
    repeated: &'a mut Vec<Problem>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) =
            list.next_element_seed(Value { path: self.path.index(nodes.len()), repeated: &mut *self.repeated })?
        {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some(key) = object.next_key::<String>()? {
            if entries.iter().any(|(other, _)| *other == key) {
                self.repeated.push(self.path.problem(format!("key `{key}` stands twice; keep one of them")));
            }
            let node = object.next_value_seed(Value { path: self.path.key(&key), repeated: &mut *self.repeated })?;
            entries.push((key, node));
        }
        Ok(Node::Object(entries))
    }
}
