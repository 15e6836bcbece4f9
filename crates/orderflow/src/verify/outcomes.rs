use serde_json::Value;
use shop::Rates;

use crate::share::Share;

/// The outcomes that an audit counted, by their names in its document.
pub(super) fn of(audited: &Value, rates: Rates) -> Vec<Share> {
    let of = audited["orders"]["accepted"].as_u64().unwrap_or(0);
    let (paid, available) = (rates.success.as_f64(), rates.available.as_f64());
    let rows = [
        ("shipped", paid),
        ("payment_failed", 1.0 - paid),
        ("inventory_available", available),
        ("inventory_short", 1.0 - available),
    ];
    let given_up = audited["audit"]["dead_lettered"].as_u64().unwrap_or(0);
    let count = |name: &str| audited["outcomes"][name].as_u64().unwrap_or(0);
    rows.map(|(name, configured)| Share { name, count: count(name), of, given_up, configured: Some(configured) }).into()
}
