use std::time::Instant;

/// What is kept of each kind.
const MAX_ENTRIES: usize = 240;

/// When what happened, in seconds from the first invocation.
#[derive(Debug)]
pub(super) struct Diary {
    begun: Instant,
    /// How many orders were placed by then.
    pub(super) placed: Entries<u64>,
    /// How many had come to their end, by a look of the audit.
    pub(super) ended: Entries<u64>,
    /// Invocations of order_generator that failed, and why.
    pub(super) failed: Entries<String>,
    /// Looks that the console host gave no answer to, and why.
    pub(super) unanswered: Entries<String>,
}

/// Of one kind. Once there are too many, each second one is left out.
#[derive(Debug)]
pub(super) struct Entries<T>(Vec<(f64, T)>);

impl Diary {
    pub(super) fn begin() -> Self {
        let (placed, ended) = (Entries(vec![(0.0, 0)]), Entries(vec![(0.0, 0)]));
        Self { begun: Instant::now(), placed, ended, failed: Entries(Vec::new()), unanswered: Entries(Vec::new()) }
    }

    pub(super) fn elapsed_s(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    pub(super) fn placed(&mut self, orders: u64) {
        self.placed.add(self.elapsed_s(), orders);
    }

    pub(super) fn ended(&mut self, orders: u64) {
        self.ended.add(self.elapsed_s(), orders);
    }

    pub(super) fn failed(&mut self, why: String) {
        self.failed.add(self.elapsed_s(), why);
    }

    pub(super) fn unanswered(&mut self, why: String) {
        self.unanswered.add(self.elapsed_s(), why);
    }
}

impl<T> Entries<T> {
    /// What is known afterwards, in the order of its time.
    pub(super) fn of(mut entries: Vec<(f64, T)>) -> Self {
        entries.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let mut kept = Self(Vec::new());
        entries.into_iter().for_each(|(at_s, what)| kept.add(at_s, what));
        kept
    }

    fn add(&mut self, at_s: f64, what: T) {
        if self.0.len() == MAX_ENTRIES {
            let mut index = 0;
            self.0.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        self.0.push((at_s, what));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (f64, &T)> {
        self.0.iter().map(|(at_s, what)| (*at_s, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_limit_and_its_first_and_last_stay() {
        let mut entries = Entries(Vec::new());
        (0..10_000).for_each(|n| entries.add(f64::from(n), n));
        let kept: Vec<i32> = entries.iter().map(|(_, n)| *n).collect();
        assert!(kept.len() <= MAX_ENTRIES && kept.is_sorted(), "{kept:?}");
        assert_eq!((kept.first(), kept.last()), (Some(&0), Some(&9_999)));
    }
}
