use std::time::Instant;

use simulation::{Faults, Simulation};

use crate::{orders, shop};

/// `cargo test --release -p simulation --test shop speed -- --ignored --nocapture`
#[test]
#[ignore = "measures; run it in release mode, alone"]
#[expect(clippy::disallowed_methods, reason = "a measurement, not a part of any run")]
fn a_seed_takes_a_few_milliseconds() {
    let shop = shop();
    for (count, seeds, faults) in
        [(200, 0..1_000, Faults::ALL), (200, 0..1_000, Faults::NONE), (20_000, 0..1, Faults::NONE)]
    {
        let orders = orders(1, count);
        let started = Instant::now();
        let (mut failed, mut slowest_ms, mut virtual_ms) = (0, 0, 0);
        for seed in seeds.clone() {
            let seed_started = Instant::now();
            let report = Simulation::new(&shop, &orders).schedule(seed).faults(faults).run().unwrap();
            slowest_ms = slowest_ms.max(seed_started.elapsed().as_millis());
            virtual_ms += report.virtual_ms;
            failed += u64::from(!report.passed());
            if !report.passed() {
                println!("{report}");
            }
        }
        let (seeds, total_ms) = (seeds.end, started.elapsed().as_secs_f64() * 1_000.0);
        println!(
            "{count} orders, faults {faults}: {:.2} ms a seed (slowest {slowest_ms} ms), {} virtual ms a seed, {failed} of {seeds} failed",
            total_ms / seeds as f64,
            virtual_ms / seeds
        );
    }
}
