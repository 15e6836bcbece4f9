//! "Did you mean": the known name nearest to an unknown one.

/// The candidate with the smallest edit distance to `name`, the first of equals.
///
/// `None` if the nearest differs in more than a third of `name`, or in more than 3 characters: dead letters share
/// long endings, and a wrong guess misleads.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein: how many characters to insert, delete or replace to turn one into the other.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from_char) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to_char) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from_char != *to_char);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_insertions_deletions_and_replacements() {
        for (from, to, distance) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("order_place", "order_placed", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(edit_distance(from, to), distance, "{from} -> {to}");
        }
    }

    #[test]
    fn the_nearest_is_named_only_if_it_is_near() {
        let topics = ["order_placed", "order_shipped", "paid"];
        for (name, expected) in [
            ("order_place", Some("order_placed")),
            ("order_shippd", Some("order_shipped")),
            ("pa", None),
            ("payment_result", None),
            ("order_placed_later", None),
        ] {
            assert_eq!(nearest(name, topics), expected, "{name}");
        }
    }

    #[test]
    fn of_two_equally_near_the_first_is_named() {
        assert_eq!(nearest("topic_c", ["topic_a", "topic_b"]), Some("topic_a"));
    }
}
