use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::de::DeserializeSeed;

use super::DecodeError;
use super::value::{Append, Entry, Value, siblings};
use crate::identity::is_identifier;
use crate::{Cents, OrderId, SignedCents, Timestamp};

/// The largest value that is decoded, in bytes: what is larger is no event of ours, and reading it could exhaust a host.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// An order of three items: with more of them the vector grows.
const USUAL_ENTRIES: usize = 24;

/// An object's fields, read by name.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'e, 'a>(&'e [Entry<'a>]);

impl<'e, 'a> Fields<'e, 'a> {
    /// Reads one JSON object of at most [`MAX_VALUE_BYTES`], and from it what `read` takes.
    ///
    /// # Errors
    /// Where `value` is too large, no JSON, or no object; what `read` refuses.
    pub fn read<T>(
        value: &'a [u8],
        read: impl for<'f> FnOnce(Fields<'f, 'a>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if value.len() > MAX_VALUE_BYTES {
            let found = format_args!("{} bytes", value.len()).to_string();
            return Err(DecodeError::new("value", found, format_args!("{MAX_VALUE_BYTES} bytes at most")));
        }
        let mut entries = Vec::with_capacity(USUAL_ENTRIES);
        // All texts at once are checked faster than each for itself; the parser of bytes knows where they are wrong.
        let parsed = match std::str::from_utf8(value) {
            Ok(text) => parse(serde_json::Deserializer::from_str(text), &mut entries),
            Err(_) => parse(serde_json::Deserializer::from_slice(value), &mut entries),
        };
        parsed.map_err(|error| DecodeError::new("value", invalid_json(&error), "a JSON object in UTF-8"))?;
        match entries.split_first() {
            Some((Entry { value: Value::Object { .. }, .. }, within)) => read(Fields(within)),
            first => {
                let found = first.map_or(&Value::Null, |(other, _)| &other.value);
                Err(DecodeError::new("value", found, "a JSON object"))
            }
        }
    }

    /// The field's value with all that it holds; a missing field and `null` are alike, a field that stands twice is refused.
    fn find(&self, name: &str) -> Result<(&'e Value<'a>, &'e [Entry<'a>]), DecodeError> {
        let mut found = siblings(self.0).filter(|(entry, _)| entry.name == name);
        let first = found.next().map_or((&Value::Null, &[][..]), |(entry, within)| (&entry.value, within));
        if found.next().is_some() {
            return Err(DecodeError::new(name, "the field twice", "the field once"));
        }
        Ok(first)
    }

    /// Takes a field by `convert`, which gives `None` for what is not `allowed`.
    fn take<T>(
        &self,
        name: &str,
        allowed: impl Display,
        convert: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> Result<T, DecodeError> {
        let (value, _) = self.find(name)?;
        convert(value).ok_or_else(|| DecodeError::new(name, value, allowed))
    }

    /// Checks that a field has the one value that it may have, such as the event's type.
    ///
    /// # Errors
    /// Where it has another.
    pub fn expect(&self, name: &str, expected: &str) -> Result<(), DecodeError> {
        self.take(name, format_args!("{expected:?}"), |value| (value.as_text()? == expected).then_some(()))
    }

    /// The field `order_id`.
    ///
    /// # Errors
    /// Where it is not [`OrderId::ALLOWED`].
    pub fn order_id(&self) -> Result<OrderId, DecodeError> {
        self.take("order_id", OrderId::ALLOWED, |value| OrderId::parse(value.as_text()?).ok())
    }

    /// An identifier: 1 to 64 characters of `A-Z a-z 0-9 . _ : -`, as order ids are.
    ///
    /// # Errors
    /// Where it is none.
    pub fn identifier(&self, name: &str) -> Result<String, DecodeError> {
        self.take(name, OrderId::ALLOWED, |value| {
            value.as_text().filter(|text| is_identifier(text)).map(ToOwned::to_owned)
        })
    }

    /// A text for people: 1 to `max_chars` characters, none of which controls anything.
    ///
    /// # Errors
    /// Where it is none.
    pub fn text(&self, name: &str, max_chars: usize) -> Result<String, DecodeError> {
        self.take(name, format_args!("1 to {max_chars} characters, no control characters"), |value| {
            let text = value.as_text().filter(|text| !text.is_empty() && text.chars().nth(max_chars).is_none())?;
            (!text.contains(char::is_control)).then(|| text.to_owned())
        })
    }

    /// One of a few words, as the value that stands for it.
    ///
    /// # Errors
    /// Where it is none of them.
    pub fn one_of<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, DecodeError> {
        let (value, _) = self.find(name)?;
        let meaning = value.as_text().and_then(|text| words.iter().find(|(word, _)| *word == text));
        meaning.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let allowed: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            DecodeError::new(name, value, allowed.join(" or "))
        })
    }

    /// A whole number within a range.
    ///
    /// # Errors
    /// Where it is none, or outside.
    pub fn integer(&self, name: &str, range: RangeInclusive<u32>) -> Result<u32, DecodeError> {
        self.take(name, format_args!("a whole number from {} to {}", range.start(), range.end()), |value| match value {
            Value::Integer(number) => u32::try_from(*number).ok().filter(|number| range.contains(number)),
            _ => None,
        })
    }

    /// An amount of money within a range.
    ///
    /// # Errors
    /// Where it is no number, outside, or finer than a cent.
    pub fn cents(&self, name: &str, range: RangeInclusive<Cents>) -> Result<Cents, DecodeError> {
        self.take(name, format_args!("{} to {}, with two decimals", range.start(), range.end()), |value| {
            Cents::from_decimal(value.as_number()?).filter(|cents| range.contains(cents))
        })
    }

    /// An amount of money of either sign, as somebody states it.
    ///
    /// # Errors
    /// Where it is no number, too large, or finer than a cent.
    pub fn signed_cents(&self, name: &str) -> Result<SignedCents, DecodeError> {
        self.take(name, format_args!("-{max} to {max}, with two decimals", max = Cents::MAX), |value| {
            SignedCents::from_decimal(value.as_number()?)
        })
    }

    /// A whole number of either sign, as somebody states it.
    ///
    /// # Errors
    /// Where it is none.
    pub fn signed(&self, name: &str) -> Result<i64, DecodeError> {
        self.take(name, "a whole number", |value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })
    }

    /// A moment.
    ///
    /// # Errors
    /// Where it is not RFC 3339.
    pub fn timestamp(&self, name: &str) -> Result<Timestamp, DecodeError> {
        self.take(name, "RFC 3339, such as 2026-01-01T00:00:00.000Z", |value| Timestamp::parse(value.as_text()?))
    }

    /// A list of objects, each read by `read`.
    ///
    /// # Errors
    /// Where it is no list, has another length, or `read` refuses an element (which the error then names).
    pub fn list<T>(
        &self,
        name: &str,
        lengths: RangeInclusive<usize>,
        read: impl Fn(Fields<'_, 'a>) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let allowed = || format!("a list of {} to {} objects", lengths.start(), lengths.end());
        let (value, within) = self.find(name)?;
        let Value::List { elements, .. } = value else { return Err(DecodeError::new(name, value, allowed())) };
        if !lengths.contains(elements) {
            return Err(DecodeError::new(name, format_args!("{elements} elements"), allowed()));
        }
        let mut list = Vec::with_capacity(*elements);
        for (index, (element, within)) in siblings(within).enumerate() {
            let Value::Object { .. } = element.value else {
                return Err(DecodeError::new(&format!("{name}[{index}]"), &element.value, "an object"));
            };
            list.push(read(Fields(within)).map_err(|error| error.within(name, index))?);
        }
        Ok(list)
    }
}

/// Appends the one value of a text, and all that is in it.
fn parse<'a, R: serde_json::de::Read<'a>>(
    mut text: serde_json::Deserializer<R>,
    entries: &mut Vec<Entry<'a>>,
) -> Result<(), serde_json::Error> {
    Append { entries, name: Cow::Borrowed("") }.deserialize(&mut text)?;
    text.end()
}

/// What is wrong with the JSON. A value is one line, so the line that the parser counts would only mislead.
fn invalid_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("invalid JSON ({what} at column {})", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every rule of reading, as a field `f` and what the refusal says.
    #[track_caller]
    fn refuses<T>(json: &str, read: impl Fn(Fields<'_, '_>) -> Result<T, DecodeError>, message: &str) {
        let error = Fields::read(json.as_bytes(), |fields| read(fields).map(drop)).unwrap_err();
        assert_eq!(error.to_string(), message);
    }

    const PRICE: RangeInclusive<Cents> = Cents::new(1)..=Cents::new(10_000);

    #[test]
    fn a_refusal_names_the_field_what_was_found_and_what_is_allowed() {
        let amount = |fields: Fields<'_, '_>| fields.cents("f", PRICE);
        refuses(r#"{"f":-5}"#, amount, "f: found -5, allowed 0.01 to 100.00, with two decimals");
        refuses(r#"{"f":0.005}"#, amount, "f: found 0.005, allowed 0.01 to 100.00, with two decimals");
        refuses(r#"{"f":"1.00"}"#, amount, "f: found \"1.00\", allowed 0.01 to 100.00, with two decimals");
        refuses(r#"{"g":1}"#, amount, "f: found nothing, allowed 0.01 to 100.00, with two decimals");
        refuses(r#"{"f":null}"#, amount, "f: found nothing, allowed 0.01 to 100.00, with two decimals");
        refuses(
            r#"{"f":18446744073709551615}"#,
            amount,
            "f: found 18446744073709551615, allowed 0.01 to 100.00, with two decimals",
        );

        let quantity = |fields: Fields<'_, '_>| fields.integer("f", 1..=10);
        refuses(r#"{"f":0}"#, quantity, "f: found 0, allowed a whole number from 1 to 10");
        refuses(r#"{"f":1.0}"#, quantity, "f: found 1.0, allowed a whole number from 1 to 10");
        refuses(r#"{"f":[1,2]}"#, quantity, "f: found a list of 2, allowed a whole number from 1 to 10");
        refuses(r#"{"f":true}"#, quantity, "f: found true, allowed a whole number from 1 to 10");

        let word = |fields: Fields<'_, '_>| fields.one_of("f", &[("yes", true), ("no", false)]);
        refuses(r#"{"f":"maybe"}"#, word, r#"f: found "maybe", allowed "yes" or "no""#);
        refuses(r#"{"f":{}}"#, word, r#"f: found an object, allowed "yes" or "no""#);

        let kind = |fields: Fields<'_, '_>| fields.expect("f", "order_placed");
        refuses(r#"{"f":"order_shipped"}"#, kind, r#"f: found "order_shipped", allowed "order_placed""#);

        let moment = |fields: Fields<'_, '_>| fields.timestamp("f");
        refuses(r#"{"f":"today"}"#, moment, r#"f: found "today", allowed RFC 3339, such as 2026-01-01T00:00:00.000Z"#);

        let name = |fields: Fields<'_, '_>| fields.identifier("f");
        refuses(r#"{"f":"a b"}"#, name, r#"f: found "a b", allowed 1 to 64 characters of A-Z a-z 0-9 . _ : -"#);
    }

    #[test]
    fn a_field_that_stands_twice_is_refused_because_readers_disagree_about_which_counts() {
        refuses(
            r#"{"f":1,"f":2}"#,
            |fields| fields.integer("f", 1..=2),
            "f: found the field twice, allowed the field once",
        );
    }

    #[test]
    fn a_refusal_inside_a_list_names_the_element() {
        let list = |fields: Fields<'_, '_>| fields.list("f", 1..=2, |element| element.integer("n", 1..=9));
        refuses(r#"{"f":[{"n":1},{"n":0}]}"#, list, "f[1].n: found 0, allowed a whole number from 1 to 9");
        refuses(r#"{"f":[{"n":1},7]}"#, list, "f[1]: found 7, allowed an object");
        refuses(r#"{"f":[]}"#, list, "f: found 0 elements, allowed a list of 1 to 2 objects");
        refuses(r#"{"f":"x"}"#, list, r#"f: found "x", allowed a list of 1 to 2 objects"#);
    }

    #[test]
    fn what_is_no_json_object_is_refused_with_the_place() {
        let nothing = |_: Fields<'_, '_>| Ok(());
        refuses(
            "",
            nothing,
            "value: found invalid JSON (EOF while parsing a value at column 0), allowed a JSON object in UTF-8",
        );
        refuses("[1]", nothing, "value: found a list of 1, allowed a JSON object");
        refuses(
            "{} {}",
            nothing,
            "value: found invalid JSON (trailing characters at column 4), allowed a JSON object in UTF-8",
        );
        let error = Fields::read(b"{\"f\":\"\xff\"}", |_| Ok(())).unwrap_err().to_string();
        assert!(error.starts_with("value: found invalid JSON (invalid unicode code point"), "{error}");
    }

    #[test]
    fn a_value_over_the_size_limit_is_refused_before_it_is_read() {
        let large = vec![b' '; MAX_VALUE_BYTES + 1];
        assert_eq!(
            Fields::read(&large, |_| Ok(())).unwrap_err().to_string(),
            "value: found 65537 bytes, allowed 65536 bytes at most"
        );
    }

    #[test]
    fn json_nested_without_end_is_refused_and_does_not_exhaust_the_stack() {
        let deep = "[".repeat(MAX_VALUE_BYTES);
        let error = Fields::read(deep.as_bytes(), |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("recursion limit exceeded"), "{error}");
    }

    #[test]
    fn what_was_found_is_shortened_to_fit_a_log_line() {
        let error = DecodeError::new("f", "é".repeat(100), "less").to_string();
        assert_eq!(error, format!("f: found {}…, allowed less", "é".repeat(60)));
    }

    #[test]
    fn escaped_names_and_texts_are_understood_and_unknown_fields_passed_over() {
        let text = br#"{"new":{"deep":[null,true,1.5]},"\u0066":"\u0061b"}"#;
        assert_eq!(Fields::read(text, |fields| fields.identifier("f")).unwrap(), "ab");
    }
}
