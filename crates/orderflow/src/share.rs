//! How many orders ended in one way, against how many were to.

use crate::counted;

/// So many standard deviations off, chance is no explanation: once in 16,000 runs.
const DEVIATIONS: f64 = 4.0;

/// How many orders ended in one way, against how many were to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) name: &'static str,
    pub(crate) count: u64,
    pub(crate) of: u64,
    /// Orders among them of which a record was given up: each may be missing here.
    pub(crate) given_up: u64,
    /// 0.0 to 1.0; `None` where nothing is configured.
    pub(crate) configured: Option<f64>,
}

impl Share {
    /// 0.0 to 1.0.
    pub(crate) fn share(&self) -> f64 {
        self.count as f64 / self.of.max(1) as f64
    }

    /// Whether chance explains how far it is off, together with what was given up.
    pub(crate) fn is_likely(&self) -> bool {
        let missing = |configured| self.is_within(configured, (1 + self.given_up) as f64 / self.of.max(1) as f64);
        self.configured.is_none_or(missing)
    }

    /// Whether it is off by no more than chance explains, and this beside.
    fn is_within(&self, configured: f64, beside: f64) -> bool {
        (self.share() - configured).abs() <= DEVIATIONS * self.deviation(configured) + beside
    }

    /// What is wrong with one that is not.
    pub(crate) fn unlikely(&self) -> Option<String> {
        let configured = self.configured.filter(|_| !self.is_likely())?;
        let (share, configured) = (100.0 * self.share(), 100.0 * configured);
        Some(format!(
            "{}: {share:.1} % of {} orders, {configured:.1} % configured: chance does not explain that",
            self.name, self.of
        ))
    }

    /// How far it is off, and what to think of that.
    pub(crate) fn told(&self) -> Option<String> {
        let configured = self.configured?;
        let off = self.share() - configured;
        let deviations = off.abs() / self.deviation(configured);
        let text = format!("configured {:.1} %, {:+.2} points off", 100.0 * configured, 100.0 * off).replace('-', "−");
        Some(match self.is_likely() {
            true if !self.is_within(configured, 1.0 / self.of.max(1) as f64) => {
                format!("{text}: by the {} that were given up", counted(self.given_up, "order"))
            }
            _ if self.of == 0 => format!("configured {:.1} %", 100.0 * configured),
            true if deviations.is_finite() => format!("{text}: {deviations:.1} standard deviations, by chance"),
            true => text,
            false => format!("{text}: chance does not explain that"),
        })
    }

    /// One standard deviation of such a share.
    fn deviation(&self, configured: f64) -> f64 {
        (configured * (1.0 - configured) / self.of.max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(count: u64, of: u64) -> Share {
        Share { name: "shipped", count, of, given_up: 0, configured: Some(0.9) }
    }

    #[test]
    fn a_share_that_chance_explains_is_likely() {
        for (count, of, is_likely) in [
            (900, 1_000, true),
            (870, 1_000, true),
            (850, 1_000, false),
            (1_000, 1_000, false),
            (1, 1, true),
            (0, 1, true),
            (0, 2, true),
            (0, 100, false),
        ] {
            assert_eq!(shipped(count, of).is_likely(), is_likely, "{count} of {of}");
        }
    }

    #[test]
    fn how_far_it_is_off_is_told_with_what_to_think_of_it() {
        let told = shipped(870, 1_000).told().unwrap();
        assert_eq!(told, "configured 90.0 %, −3.00 points off: 3.2 standard deviations, by chance");
        let told = shipped(850, 1_000).told().unwrap();
        assert_eq!(told, "configured 90.0 %, −5.00 points off: chance does not explain that");
        let given_up = Share { given_up: 60, ..shipped(850, 1_000) };
        assert_eq!(
            given_up.told().unwrap(),
            "configured 90.0 %, −5.00 points off: by the 60 orders that were given up"
        );
        assert_eq!((given_up.unlikely(), Share { given_up: 2, ..given_up.clone() }.is_likely()), (None, false));
        assert_eq!(shipped(0, 0).told().unwrap(), "configured 90.0 %");
        assert_eq!(Share { configured: None, ..shipped(1, 2) }.told(), None);
    }
}
