use events::Event;
use events::shop::OrderPlaced;

use crate::call::orderflow;

#[test]
fn the_help_of_every_command_shows_an_example() {
    for command in [
        "",
        "run",
        "generate",
        "inject",
        "simulate",
        "audit",
        "trace",
        "dead-letters",
        "dead-letters list",
        "dead-letters show",
        "dead-letters redrive",
        "dead-letters discard",
        "work",
        "health",
        "monitor",
        "metrics",
        "metrics alerts",
        "metrics dashboard",
        "doctor",
        "topology",
        "topology check",
        "topology show",
        "cluster",
        "cluster up",
        "cluster down",
        "cluster status",
        "topics",
        "topics create",
        "topics diff",
        "reset",
        "cost",
        "inventory",
        "deploy",
        "destroy",
        "completions",
        "man",
    ] {
        for help in [format!("{command} --help"), format!("{command} -h"), format!("help {command}")] {
            let ended = orderflow(&help).end().with_status(0);
            assert!(ended.stdout.contains("Example"), "{help}: {}", ended.stdout);
            assert!(ended.stdout.contains("orderflow"), "{help}: {}", ended.stdout);
        }
    }
}

#[test]
fn the_help_of_run_shows_an_input_line_that_decodes() {
    let help = orderflow("run --help").end().with_status(0).stdout;
    let (_, from) = help.split_once("writes them: ").unwrap();
    let (line, _) = from.split_once("\n").unwrap();
    OrderPlaced::decode(line.trim_end_matches('.').as_bytes()).unwrap();
}
