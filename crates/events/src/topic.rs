use std::fmt;

/// The name of a topic.
///
/// A name lives as long as the program: topics are few and come from constants or from `topology.json`, read once at start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(&'static str);

impl Topic {
    /// A topic known when the program is built.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// A topic read at start, from `topology.json` or a command line. Its name is never freed: not for names that keep coming.
    pub fn named(name: &str) -> Self {
        Self(Box::leak(name.into()))
    }

    /// The name as Kafka knows it.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
