//! What the mapping reads. It has two modes, and whoever takes one for the other loses records.

use std::fmt;

use serde::Serialize;

/// How a function tells that records are to come again.
///
/// It has to be what the mapping was configured for: a mapping without `ReportBatchItemFailures` takes a partial batch response
/// for success, commits, and the records are lost. So [`AnswerMode::Whole`] is the one that is safe with every mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerMode {
    /// An error for the whole batch: all of it comes again.
    #[default]
    Whole,
    /// A partial batch response, for a mapping with `ReportBatchItemFailures`: each partition comes again from where it stopped.
    Partial,
}

impl AnswerMode {
    /// Reads `whole` or `partial`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "whole" => Some(Self::Whole),
            "partial" => Some(Self::Partial),
            _ => None,
        }
    }
}

/// A record's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// `topic-partition`, as the event names it.
    pub partition: String,
    /// The offset.
    pub offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition, self.offset)
    }
}

/// The partial batch response: where each partition stopped that did not come to its end. Empty for a batch that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

/// One of its items. For Kafka the identifier is an object, not the string that queues have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: Position,
}

/// A batch that has to come again as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch comes again: {}", list(.0))]
pub struct BatchFailed(pub Vec<(Position, String)>);

fn list(stopped: &[(Position, String)]) -> String {
    let each: Vec<String> = stopped.iter().map(|(position, reason)| format!("{position}: {reason}")).collect();
    each.join("; ")
}

impl AnswerMode {
    /// The answer for partitions that stopped, each at its first failure.
    ///
    /// # Errors
    /// [`BatchFailed`] in the mode [`AnswerMode::Whole`], if there is any.
    pub fn answer(self, stopped: Vec<(Position, String)>) -> Result<BatchResponse, BatchFailed> {
        match self {
            Self::Whole if !stopped.is_empty() => Err(BatchFailed(stopped)),
            Self::Whole | Self::Partial => {
                let failure = |(item_identifier, _)| Failure { item_identifier };
                Ok(BatchResponse { batch_item_failures: stopped.into_iter().map(failure).collect() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped() -> Vec<(Position, String)> {
        let at = |partition: &str, offset| Position { partition: partition.into(), offset };
        vec![(at("order_placed-0", 42), "broker away".into()), (at("order_placed-2", 7), "pool empty".into())]
    }

    /// The answer as the mapping reads it, or the error's text.
    fn answer(mode: AnswerMode, stopped: Vec<(Position, String)>) -> Result<String, String> {
        let json = |response: BatchResponse| serde_json::to_string(&response).unwrap();
        mode.answer(stopped).map(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_partial_answer_names_the_first_record_of_each_partition_that_comes_again() {
        let json = concat!(
            r#"{"batchItemFailures":[{"itemIdentifier":{"partition":"order_placed-0","offset":42}},"#,
            r#"{"itemIdentifier":{"partition":"order_placed-2","offset":7}}]}"#
        );
        assert_eq!(answer(AnswerMode::Partial, stopped()), Ok(json.into()));
    }

    #[test]
    fn the_whole_batch_comes_again_by_an_error_that_says_where_it_stopped_and_why() {
        let text = "the batch comes again: order_placed-0@42: broker away; order_placed-2@7: pool empty";
        assert_eq!(answer(AnswerMode::Whole, stopped()), Err(text.into()));
    }

    #[test]
    fn a_batch_that_succeeded_is_answered_alike_in_both_modes() {
        for mode in [AnswerMode::Whole, AnswerMode::Partial] {
            assert_eq!(answer(mode, vec![]), Ok(r#"{"batchItemFailures":[]}"#.into()));
        }
    }

    #[test]
    fn a_mode_is_read_from_its_word_and_without_one_it_is_the_safe_one() {
        let read = ["whole", "partial", "Partial", ""].map(AnswerMode::parse);
        assert_eq!(read, [Some(AnswerMode::Whole), Some(AnswerMode::Partial), None, None]);
        assert_eq!(AnswerMode::default(), AnswerMode::Whole);
    }
}
