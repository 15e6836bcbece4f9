//! Faults that the emulator causes itself, so that nobody has to plant any in a handler.

use std::fmt;

use events::hash64_of;
use messaging::{Draw, Rate};

/// How often it breaks what went well. What is hit is a pure function of the seed and of a count: the batches of a mapping's
/// partition, or the invocations of a function by hand. So a seed replays, however threads take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// What the draws start from.
    pub seed: u64,
    /// Of the batches: their successful answers become errors, although the function has done its work.
    pub fail: Rate,
    /// Of all invocations: the process is killed meanwhile, at a moment that the seed draws as well.
    pub kill: Rate,
    /// Of all invocations: the process stands still from such a moment on, until its time is over.
    pub hang: Rate,
}

/// What becomes of a process meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Kill,
    Hang,
}

/// Faults as a program takes them on its command line.
#[derive(Debug, clap::Args)]
pub struct FaultArgs {
    /// How many of the batches that went well are answered with an error all the same, such as 5%.
    #[arg(long, value_name = "SHARE", default_value_t)]
    fail: Rate,
    /// In how many invocations the function's process is killed (-9), at any moment, such as 1%.
    #[arg(long, value_name = "SHARE", default_value_t)]
    kill: Rate,
    /// In how many invocations the process stands still, at any moment, until its time is over, such as 0.1%.
    #[arg(long, value_name = "SHARE", default_value_t)]
    hang: Rate,
    /// The seed of what fails, is killed and hangs; random if absent, and printed.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

impl FaultArgs {
    /// With the seed that was given, or a random one: whoever calls it prints it.
    pub fn faults(&self) -> Faults {
        let seed = self.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32); // short enough to be typed
        Faults { seed, fail: self.fail, kill: self.kill, hang: self.hang }
    }
}

impl Faults {
    /// Whether anything is ever hit.
    pub fn is_any(&self) -> bool {
        [self.fail, self.kill, self.hang].into_iter().any(|rate| rate > Rate::default())
    }

    /// Whether the answer to this batch is turned into an error.
    pub(crate) fn fails(&self, whose: &str, count: u64) -> bool {
        self.fail.includes(self.draw("fail", whose, count))
    }

    /// What the process of this invocation suffers, and where: the moment, as a share of the time that one may take.
    pub(crate) fn strikes(&self, whose: &str, count: u64) -> Option<(Blow, Draw)> {
        let blows = [("kill", self.kill, Blow::Kill), ("hang", self.hang, Blow::Hang)];
        let struck = blows.into_iter().find(|(name, rate, _)| rate.includes(self.draw(name, whose, count)));
        struck.map(|(_, _, blow)| (blow, self.draw("moment", whose, count)))
    }

    fn draw(&self, what: &str, whose: &str, count: u64) -> Draw {
        Draw::from_bits(hash64_of(&[&self.seed.to_string(), what, whose, &count.to_string()]))
    }
}

/// As they are given on a command line.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--fail {} --kill {} --hang {} --seed {}", self.fail, self.kill, self.hang, self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hit_follows_from_seed_and_count_and_is_about_the_share() {
        let share = |text: &str| text.parse().unwrap();
        let faults = |seed| Faults { seed, fail: share("5%"), kill: share("1%"), hang: share("2%") };
        let failed =
            |faults: Faults, whose| (0..10_000).filter(|&count| faults.fails(whose, count)).collect::<Vec<_>>();
        let hit = failed(faults(7), "g/0");
        assert_eq!(failed(faults(7), "g/0"), hit);
        assert_ne!(failed(faults(8), "g/0"), hit);
        assert_ne!(failed(faults(7), "g/1"), hit);
        assert!((400..600).contains(&hit.len()), "{}", hit.len());
        let struck = |wanted| {
            let blow = |count| faults(7).strikes("g/0", count).map(|(blow, _)| blow);
            (0..10_000).filter(|&count| blow(count) == Some(wanted)).count()
        };
        assert!((60..140).contains(&struck(Blow::Kill)), "{}", struck(Blow::Kill));
        assert!((140..260).contains(&struck(Blow::Hang)), "{}", struck(Blow::Hang));
    }

    #[test]
    fn without_a_share_nothing_is_hit_and_with_all_of_it_everything() {
        assert!((0..1_000).all(|count| !Faults::default().fails("g", count)));
        let all = Faults { fail: "100%".parse().unwrap(), ..Faults::default() };
        assert!((0..1_000).all(|count| all.fails("g", count) && all.strikes("g", count).is_none()));
        assert!(all.is_any() && !Faults { seed: 7, ..Faults::default() }.is_any());
    }
}
