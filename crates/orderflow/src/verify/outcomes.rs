use serde_json::Value;
use shop::Rates;

/// So many standard deviations off, chance is no explanation: once in 16,000 runs.
const DEVIATIONS: f64 = 4.0;

/// How many orders ended in one way, against how many were to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    pub(super) count: u64,
    pub(super) of: u64,
    /// 0.0 to 1.0.
    pub(super) configured: f64,
}

/// The outcomes that an audit counted.
pub(super) fn of(audited: &Value, rates: Rates) -> Vec<Outcome> {
    let of = audited["orders"]["accepted"].as_u64().unwrap_or(0);
    let (paid, available) = (rates.success.as_f64(), rates.available.as_f64());
    let rows = [
        ("shipped", paid),
        ("payment_failed", 1.0 - paid),
        ("inventory_available", available),
        ("inventory_short", 1.0 - available),
    ];
    let count = |name: &str| audited["outcomes"][name].as_u64().unwrap_or(0);
    rows.map(|(name, configured)| Outcome { name, count: count(name), of, configured }).into()
}

impl Outcome {
    /// 0.0 to 1.0.
    pub(super) fn share(&self) -> f64 {
        self.count as f64 / self.of.max(1) as f64
    }

    /// Whether chance explains how far it is off.
    pub(super) fn is_likely(&self) -> bool {
        let of = self.of.max(1) as f64;
        let deviation = (self.configured * (1.0 - self.configured) / of).sqrt();
        (self.share() - self.configured).abs() <= DEVIATIONS * deviation + 1.0 / of
    }

    pub(super) fn unlikely(&self) -> String {
        let (share, configured) = (100.0 * self.share(), 100.0 * self.configured);
        format!(
            "{}: {share:.1} % of {} orders, {configured:.1} % configured: chance does not explain that",
            self.name, self.of
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let outcome = Outcome { name: "shipped", count, of, configured: 0.9 };
            assert_eq!(outcome.is_likely(), is_likely, "{count} of {of}");
        }
    }
}
