use serde_json::Value;

use crate::call::{orderflow, stock_is_checked_by_nobody};

#[test]
fn every_kind_of_fault_strikes_and_every_schedule_passes() {
    for (system, schedules) in [("shop", 200), ("saga", 50)] {
        let arguments = format!("simulate {system} --seeds 0..{schedules} --orders 50 --format json");
        let document = orderflow(&arguments).end().with_status(0).document();
        assert_eq!((&document["passed"], &document["failed"]), (&schedules.into(), &0.into()));
        let faults = document["faults"].as_object().unwrap();
        assert_eq!((faults.len(), document["crashes"].as_object().unwrap().len()), (13, 7), "{document}");
        for (fault, count) in faults {
            // The shop has no store.
            let can_strike = system != "shop" || fault != "store_failure";
            assert_eq!(count.as_u64() > Some(0), can_strike, "{system}: {fault}: {count}");
        }
        assert_eq!((&document["digest"], &document["failures"]), (&Value::Null, &serde_json::json!([])));
    }
}

#[test]
fn the_text_tells_the_schedules_what_struck_and_the_verdict() {
    let ended = orderflow("simulate --seeds 0..20 --orders 20 --faults crash,slow").end().with_status(0);
    assert_eq!(ended.stderr, "");
    assert!(ended.stdout.starts_with("shop: schedules 0..20, orders in each: 20, of seed 0\n"), "{}", ended.stdout);
    let struck: Vec<&str> = ended.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(struck.contains(&"crash") && struck.contains(&"slow"), "{}", ended.stdout);
    assert!(!struck.contains(&"duplicate"), "{}", ended.stdout);
    let last = ended.stdout.lines().last().unwrap();
    assert!(last.starts_with("simulation passed: 20 schedules passed, 0 failed;"), "{last}");
}

#[test]
fn a_failure_tells_its_schedule_in_words_and_the_command_that_replays_it() {
    let simulate = |arguments: &str| orderflow(arguments).topology(stock_is_checked_by_nobody).end().with_status(1);
    let campaign = simulate("simulate --seeds 3..5 --orders 20 --seed 7 --faults slow,crash");
    assert!(campaign.stdout.contains("simulation FAILED: 0 schedules passed, 2 failed"), "{}", campaign.stdout);
    assert!(campaign.stdout.contains("schedule 3: audit FAILED: 20 accepted"), "{}", campaign.stdout);
    assert!(campaign.stdout.contains(" ms: payment_processor.order_placed/"), "{}", campaign.stdout);
    let replays: Vec<&str> =
        campaign.stdout.lines().filter_map(|line| line.trim().strip_prefix("replay: orderflow ")).collect();
    assert_eq!(
        replays,
        [
            "simulate shop --seeds 3..4 --orders 20 --faults crash,slow --seed 7 --topology topology.json",
            "simulate shop --seeds 4..5 --orders 20 --faults crash,slow --seed 7 --topology topology.json",
        ]
    );
    let told = |stdout: &str| stdout.split("\n\n").find(|part| part.contains("schedule 4: ")).map(ToOwned::to_owned);
    let replayed = simulate(replays[1].trim_end_matches(" --topology topology.json"));
    assert!(
        told(&replayed.stdout).is_some_and(|failure| told(&campaign.stdout) == Some(failure)),
        "{}",
        replayed.stdout
    );
    let document = simulate("simulate --seeds 3..5 --orders 20 --format json").document();
    assert_eq!((&document["failed"], document["failures"].as_array().unwrap().len()), (&2.into(), 2));
}

#[test]
fn the_last_of_all_schedules_is_one_like_the_others() {
    let ended =
        orderflow("simulate --seeds 18446744073709551613..18446744073709551615 --orders 2").end().with_status(0);
    assert!(ended.stdout.contains("2 schedules passed, 0 failed"), "{}", ended.stdout);
}

#[test]
fn faults_and_seeds_that_make_no_sense_are_refused_with_what_is_allowed() {
    for (arguments, reason) in [
        ("--faults crahs", "no fault `crahs`, did you mean `crash`?"),
        ("--faults all,crash", "allowed: all, none, or a comma list of crash, duplicate, reorder"),
        ("--faults=", "allowed: all, none, or a comma list of crash, duplicate, reorder"),
        ("--seeds 5..5", "allowed FROM..TO with FROM below TO, such as 0..1000"),
        ("--seeds 9..5", "allowed FROM..TO with FROM below TO, such as 0..1000"),
        ("--seeds 5", "allowed FROM..TO with FROM below TO, such as 0..1000"),
        ("--seeds a..b", "allowed FROM..TO with FROM below TO, such as 0..1000"),
        ("--seeds=-1..5", "allowed FROM..TO with FROM below TO, such as 0..1000"),
    ] {
        let ended = orderflow(&format!("simulate {arguments}")).end().with_status(2);
        assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains(reason), "{arguments}: {}", ended.stderr);
    }
}
