use std::fs;
use std::path::Path;

use crate::call::orderflow;

/// J10: what a scenario prints, as the README shows it.
fn shown(scenario: u8) -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let (_, block) = readme.split_once(&format!("```console\n$ orderflow demo {scenario}\n")).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn j10_each_scenario_is_told_step_by_step_as_the_readme_shows_it() {
    for scenario in 1..=3 {
        let told = orderflow(&format!("demo {scenario}")).end().with_status(0).stdout;
        assert_eq!(told, shown(scenario));
    }
}

#[test]
fn another_scenario_is_refused() {
    let refused = orderflow("demo 4").end().with_status(2).stderr;
    assert!(refused.contains("4 is not in 1..=3"), "{refused}");
}
