use events::hash64_of;
use messaging::{Draw, Outgoing, Rate};

/// Which lines are broken, and which are written twice: a pure function of the seed and the line's number, so that the same seed does the
/// same to the same file again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) seed: u64,
    pub(super) corrupt: Rate,
    pub(super) duplicate: Rate,
}

impl Choice {
    /// Whether this line's record is broken.
    pub(super) fn corrupts(self, line: u64) -> bool {
        self.corrupt.includes(self.draw(line, "corrupt"))
    }

    /// How often this line's record is written.
    pub(super) fn copies(self, line: u64) -> usize {
        if self.duplicate.includes(self.draw(line, "duplicate")) { 2 } else { 1 }
    }

    fn draw(self, line: u64, decision: &str) -> Draw {
        Draw::from_bits(hash64_of(&[&self.seed.to_string(), decision, &line.to_string()]))
    }
}

/// Cuts the value off in its middle: the beginning of an object is no JSON, so no service can read it. By key and headers everybody still
/// knows which event it was.
pub(super) fn broken(mut event: Outgoing) -> Outgoing {
    event.value.truncate(event.value.len() / 2);
    event
}

#[cfg(test)]
mod tests {
    use events::shop::OrderPlaced;
    use events::{Event, Timestamp};
    use shop::order_generator::generate_order_event;

    use super::*;

    fn choice(seed: u64, corrupt: u64, duplicate: u64) -> Choice {
        let rate = |percent| Rate::from_percent(percent).unwrap();
        Choice { seed, corrupt: rate(corrupt), duplicate: rate(duplicate) }
    }

    fn corrupted(choice: Choice) -> Vec<u64> {
        (1..=1_000).filter(|&line| choice.corrupts(line)).collect()
    }

    fn doubled(choice: Choice) -> Vec<u64> {
        (1..=1_000).filter(|&line| choice.copies(line) == 2).collect()
    }

    #[test]
    fn the_same_seed_chooses_the_same_lines_and_another_one_others() {
        assert_eq!(corrupted(choice(7, 10, 20)), corrupted(choice(7, 10, 0)));
        assert_eq!(doubled(choice(7, 10, 20)), doubled(choice(7, 0, 20)));
        assert_ne!(corrupted(choice(7, 10, 0)), corrupted(choice(8, 10, 0)));
        assert_ne!(corrupted(choice(7, 20, 20)), doubled(choice(7, 20, 20)), "one has nothing to do with the other");
        // Written down, so that a change of the scheme is seen: a seed is to do the same again.
        assert_eq!(corrupted(choice(7, 1, 0))[..3], [64, 388, 389]);
    }

    #[test]
    fn about_so_many_of_a_hundred_lines_are_chosen() {
        for percent in [1, 10, 50, 99] {
            let (corrupted, doubled) = (corrupted(choice(7, percent, 0)).len(), doubled(choice(7, 0, percent)).len());
            for found in [corrupted, doubled] {
                assert!(found.abs_diff(percent as usize * 10) <= 45, "{percent} %: {found} of 1,000");
            }
        }
        assert_eq!((corrupted(choice(7, 0, 0)).len(), doubled(choice(7, 100, 0)).len()), (0, 0));
        assert_eq!((corrupted(choice(7, 100, 0)).len(), doubled(choice(7, 0, 100)).len()), (1_000, 1_000));
    }

    #[test]
    fn a_broken_event_is_none_any_more_and_keeps_its_key_and_its_id() {
        let event = Outgoing::of(&generate_order_event(7, Timestamp::BASE, 0));
        let broken = broken(event.clone());
        let error = OrderPlaced::decode(&broken.value).unwrap_err().to_string();
        assert!(error.starts_with("value: found invalid JSON"), "{error}");
        assert!(event.value.starts_with(&broken.value) && !broken.value.is_empty());
        assert_eq!(Outgoing { value: event.value.clone(), ..broken }, event);
    }
}
