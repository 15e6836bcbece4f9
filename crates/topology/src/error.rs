//! What is wrong with a topology file: every problem at once, each with its place and its cure.

use std::fmt;

/// Every problem of one file; there is at least one.
///
/// Displayed one a line, each as `FILE: PATH: TEXT`, in an order that depends on the file alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.file, .problems))]
pub struct Error {
    file: String,
    problems: Vec<Problem>,
}

impl Error {
    pub(crate) fn one(file: &str, problem: Problem) -> Self {
        Self { file: file.to_owned(), problems: vec![problem] }
    }

    /// Refuses a file that has problems, and is content with one that has none.
    pub(crate) fn refuse_any(file: &str, problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { file: file.to_owned(), problems }) }
    }

    /// The problems, one or more.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

fn lines(file: &str, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("{file}: {problem}")).collect();
    lines.join("\n")
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `services.payment_processor.consumes[0]`, `line 3, column 5` or `top level`.
    pub path: String,
    /// What was found, and what is allowed or what to do.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// A place in the file, written the way `jq` and Terraform address it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(String);

impl Path {
    /// The outermost object.
    pub(crate) fn top() -> Self {
        Self::default()
    }

    /// The value of a key: `topics.order_placed`, or `topics["orders.created"]` where a dot would mislead.
    pub(crate) fn key(&self, key: &str) -> Self {
        let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        Self(match (plain, self.0.as_str()) {
            (true, "") => key.to_owned(),
            (true, path) => format!("{path}.{key}"),
            (false, path) => format!("{path}[{key:?}]"),
        })
    }

    /// An entry of a list, counted from 0: `consumes[0]`.
    pub(crate) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// A problem at this place.
    pub(crate) fn problem(&self, text: impl Into<String>) -> Problem {
        let path = if self.0.is_empty() { "top level".to_owned() } else { self.0.clone() };
        Problem { path, text: text.into() }
    }
}
