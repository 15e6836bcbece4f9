use kafka_cluster::faults::{Case, System, Target, table};

/// Plays cases one after the other, tells their table, and asserts that each of them holds and was struck.
pub(crate) fn play<'a>(
    title: &str,
    cases: impl IntoIterator<Item = &'a Case>,
    target: &dyn Target,
    system: &System<'_>,
    seed: u64,
) {
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    for (number, case) in (0..).zip(cases) {
        let played = case.play(target, system, seed + number);
        eprintln!("{played:?}");
        match played {
            Ok(row) => {
                broken.extend((!row.holds() || row.faults == 0).then(|| format!("{row:?}")));
                rows.push(row);
            }
            Err(error) => broken.push(format!("{} could not be played: {error}", case.name)),
        }
    }
    println!("{title} with seed {seed}:\n\n{}", table(&rows));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
