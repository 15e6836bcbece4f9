//! What things may be called. Each rule is written as the text that follows "allowed" in an error.

/// Kafka's rule for topics.
pub(crate) const TOPIC: &str = "1 to 249 of A-Z a-z 0-9 `.` `_` `-`, but neither `.` nor `..`";

/// Kafka takes any group; an AWS event source mapping takes 200 characters, and metrics suffer from the rest.
pub(crate) const GROUP: &str = "1 to 200 of A-Z a-z 0-9 `.` `_` `-`";

/// A service's name is also its function, file, user and part of its groups: 64 is the limit of AWS Lambda.
pub(crate) const SERVICE: &str = "lower snake_case, 1 to 64 of a-z 0-9 `_`";

/// A setting becomes an environment variable in upper case.
pub(crate) const SETTING: &str = SERVICE;

pub(crate) fn is_topic(name: &str) -> bool {
    is_kafka_name(name, 249) && name != "." && name != ".."
}

pub(crate) fn is_group(name: &str) -> bool {
    is_kafka_name(name, 200)
}

/// A letter first, then words of letters and digits joined by single underscores.
pub(crate) fn is_snake_case(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.len() <= 64 && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('_').all(is_word)
}

fn is_kafka_name(name: &str, max_len: usize) -> bool {
    (1..=max_len).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
