//! From the tree to values: keys, types and ranges, each refusal with its path.
//!
//! A value that can't be read is reported and replaced by a stand-in, so that one run finds every problem.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::document::Node;
use crate::error::{Path, Problem};
use crate::nearest::nearest;

/// Collects what is wrong while values are read.
pub(crate) struct Reader<'p> {
    problems: &'p mut Vec<Problem>,
    /// False once a name or a list of names is lost: what the entries say of each other is then unknown.
    pub(crate) all_names_read: bool,
}

/// An object whose keys are known in advance.
pub(crate) struct Object<'n> {
    pub(crate) path: Path,
    entries: &'n [(String, Node)],
    /// Keys that stand there misspelt: they aren't reported as missing, too.
    misspelt: Vec<&'static str>,
}

impl<'p> Reader<'p> {
    pub(crate) fn new(problems: &'p mut Vec<Problem>) -> Self {
        Self { problems, all_names_read: true }
    }

    pub(crate) fn problem_count(&self) -> usize {
        self.problems.len()
    }

    pub(crate) fn refuse(&mut self, path: &Path, text: impl Into<String>) {
        self.problems.push(path.problem(text));
    }

    fn refuse_name(&mut self, path: &Path, text: impl Into<String>) {
        self.all_names_read = false;
        self.refuse(path, text);
    }

    /// The object at `path`; every key in it must be one of `keys`.
    pub(crate) fn object<'n>(&mut self, path: Path, node: &'n Node, keys: &[&'static str]) -> Option<Object<'n>> {
        let allowed = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let Node::Object(entries) = node else {
            self.refuse_name(&path, format!("found {node}, allowed an object with the keys {allowed}"));
            return None;
        };
        let mut misspelt = Vec::new();
        for (key, _) in entries.iter().filter(|(key, _)| !keys.contains(&key.as_str())) {
            let absent = keys.iter().copied().filter(|known| entries.iter().all(|(found, _)| found != known));
            let near = nearest(key, absent).and_then(|near| keys.iter().copied().find(|known| *known == near));
            match near {
                Some(near) => {
                    misspelt.push(near);
                    self.refuse(&path, format!("unknown key `{key}`, did you mean `{near}`? Allowed: {allowed}"));
                }
                None => self.refuse(&path, format!("unknown key `{key}`; allowed: {allowed}")),
            }
        }
        Some(Object { path, entries, misspelt })
    }

    /// The value of a key that must be there.
    pub(crate) fn value<'n>(&mut self, object: &Object<'n>, key: &str, allowed: &str) -> Option<&'n Node> {
        let value = object.entries.iter().find(|(found, _)| found == key).map(|(_, value)| value);
        if value.is_none() && !object.misspelt.contains(&key) {
            self.refuse(&object.path, format!("missing key `{key}`; allowed: {allowed}"));
        }
        value
    }

    /// An integer; the stand-in is the least one allowed.
    pub(crate) fn integer<T>(&mut self, object: &Object<'_>, key: &str, range: RangeInclusive<T>) -> T
    where
        T: Copy + Display + PartialOrd + TryFrom<i128>,
    {
        let least = *range.start();
        let allowed = format!("an integer from {least} to {}", range.end());
        let Some(node) = self.value(object, key, &allowed) else { return least };
        self.integer_of(&object.path.key(key), node, range)
    }

    /// An integer whose path and value are known; the stand-in is the least one allowed.
    pub(crate) fn integer_of<T>(&mut self, path: &Path, node: &Node, range: RangeInclusive<T>) -> T
    where
        T: Copy + Display + PartialOrd + TryFrom<i128>,
    {
        let least = *range.start();
        if let Node::Integer(found) = node
            && let Ok(value) = T::try_from(*found)
            && range.contains(&value)
        {
            return value;
        }
        self.refuse(path, format!("found {node}, allowed an integer from {least} to {}", range.end()));
        least
    }

    /// One of a few words; the stand-in is the first of them.
    pub(crate) fn word<T: Copy, const N: usize>(
        &mut self,
        object: &Object<'_>,
        key: &str,
        all: [T; N],
        as_str: fn(T) -> &'static str,
    ) -> T {
        let allowed = all.map(|one| format!("{:?}", as_str(one))).join(" or ");
        let Some(node) = self.value(object, key, &allowed) else { return all[0] };
        if let Node::Text(found) = node
            && let Some(one) = all.into_iter().find(|one| as_str(*one) == found)
        {
            return one;
        }
        self.refuse(&object.path.key(key), format!("found {node}, allowed {allowed}"));
        all[0]
    }

    /// A name; the stand-in is empty.
    pub(crate) fn name(&mut self, object: &Object<'_>, key: &str) -> String {
        let Some(node) = self.value(object, key, "a topic's name") else {
            self.all_names_read = false;
            return String::new();
        };
        self.name_of(&object.path.key(key), node)
    }

    /// A name, or null for none, which is what `for_null` says; the stand-in is none.
    pub(crate) fn name_or_null(&mut self, object: &Object<'_>, key: &str, for_null: &str) -> Option<String> {
        let allowed = format!("a topic's name, or null {for_null}");
        match self.value(object, key, &allowed) {
            Some(Node::Text(found)) => return Some(found.clone()),
            Some(Node::Null) => return None,
            Some(node) => self.refuse(&object.path.key(key), format!("found {node}, allowed {allowed}")),
            None => {}
        }
        self.all_names_read = false;
        None
    }

    /// A name whose path and value are known; the stand-in is empty.
    pub(crate) fn name_of(&mut self, path: &Path, node: &Node) -> String {
        let Node::Text(found) = node else {
            self.refuse_name(path, format!("found {node}, allowed a topic's name"));
            return String::new();
        };
        found.clone()
    }

    /// The entries of a list; `None` if there is none.
    pub(crate) fn list<'n>(&mut self, object: &Object<'n>, key: &str, of: &str) -> Option<&'n [Node]> {
        let allowed = format!("a list of {of}");
        match self.value(object, key, &allowed) {
            Some(Node::List(nodes)) => return Some(nodes),
            Some(node) => self.refuse(&object.path.key(key), format!("found {node}, allowed {allowed}")),
            None => {}
        }
        self.all_names_read = false;
        None
    }

    /// The entries of an object whose keys are names; the stand-in is empty.
    pub(crate) fn map<'n>(&mut self, object: &Object<'n>, key: &str, of: &str) -> &'n [(String, Node)] {
        let allowed = format!("an object of {of}");
        match self.value(object, key, &allowed) {
            Some(Node::Object(entries)) => return entries,
            Some(node) => self.refuse(&object.path.key(key), format!("found {node}, allowed {allowed}")),
            None => {}
        }
        self.all_names_read = false;
        &[]
    }
}
