use std::fmt::Display;
use std::io::Write as _;

use crate::Timestamp;
use crate::identity::is_identifier;

/// Writes one JSON object: fields in the order of the calls, no blanks.
///
/// Texts are identifiers and fixed words, which need no escapes; what a person wrote is [escaped](Writer::escaped).
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty object.
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(320);
        bytes.push(b'{');
        Self(bytes)
    }

    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// Adds an identifier or a fixed word.
    #[must_use]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        debug_assert!(is_identifier(text), "{name}: {text:?} would need escapes");
        self.name(name);
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
        self
    }

    /// Adds a text that a person wrote.
    #[must_use]
    pub fn escaped(mut self, name: &str, text: &str) -> Self {
        self.name(name);
        // Writing a text to memory does not fail.
        let _ = serde_json::to_writer(&mut self.0, text);
        self
    }

    /// Adds the word that stands for a value, as [`super::Fields::one_of`] reads it; none where the table lacks it, and each lists all.
    #[must_use]
    pub fn one_of<T: Copy + PartialEq>(self, name: &str, words: &[(&str, T)], value: T) -> Self {
        let word = words.iter().find(|(_, meaning)| *meaning == value).map_or("", |(word, _)| word);
        self.text(name, word)
    }

    /// Adds a number: a whole one, or an amount of money.
    #[must_use]
    pub fn number(mut self, name: &str, number: impl Display) -> Self {
        self.name(name);
        self.display(number);
        self
    }

    /// Adds a moment.
    #[must_use]
    pub fn timestamp(mut self, name: &str, moment: Timestamp) -> Self {
        self.name(name);
        self.0.push(b'"');
        self.display(moment);
        self.0.push(b'"');
        self
    }

    /// Adds a list of objects, each written by `write`.
    #[must_use]
    pub fn list<T>(mut self, name: &str, elements: &[T], write: impl Fn(Self, &T) -> Self) -> Self {
        self.name(name);
        self.0.push(b'[');
        for (index, element) in elements.iter().enumerate() {
            self.0.extend_from_slice(if index == 0 { b"{" } else { b",{" });
            self = write(self, element);
            self.0.push(b'}');
        }
        self.0.push(b']');
        self
    }

    /// The object's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn display(&mut self, value: impl Display) {
        // Writing to memory does not fail.
        let _ = write!(self.0, "{value}");
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}
