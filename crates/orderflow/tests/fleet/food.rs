//! The food orders on their one host: from nothing to orders that are stored, and through what goes wrong.

use std::collections::BTreeSet;

use crate::ansible::Ansible;
use crate::fleet::Fleet;
use crate::until::until;
use crate::{DEADLINE, missing_root, ports};

const HOST: &str = "food-1";

/// What is killed, one after the other and all at once.
const UNITS: [&str; 5] =
    ["orderflow-food-consumer", "orderflow-food-producer", "postgresql@15-main", "kafka", "zookeeper"];

/// Of five seconds.
const ON_THEIR_WAY: u64 = 50;

/// Topic and table beside each other.
const AUDIT: &str =
    "set -a; . /etc/orderflow/food_consumer.env; . /etc/orderflow/admin.env; orderflow audit food | tail -n 1";

#[test]
#[ignore = "needs a fleet of its own: ci/test --full fleet"]
fn a_bare_host_takes_orders_of_food_and_stores_each_once_whatever_of_it_is_killed() {
    if let Some(reason) = missing_root() {
        eprintln!("not applicable: {reason}");
        return;
    }
    // Given a bare host to whose every port the network leads,
    let fleet = Fleet::up(&["--hosts", "ci/fleet.d/food-hosts", "--rules", "ci/fleet.d/food-rules.nft"]);
    let ansible = Ansible::of(&fleet, "food.example.ini");

    // when the playbook is played,
    ansible.plays("food.yml", &[]);

    // then orders flow, another time changes nothing,
    expect_orders(&fleet, "the first");
    let again = ansible.plays("food.yml", &[]);
    assert_eq!(again.changes(), 0, "{}", again.text);
    ansible.plays("verify.yml", &[]);

    // nobody is let in but by SSH,
    let open = ["controller", "stranger"].map(|from| format!("{from} -> {HOST}:22"));
    assert_eq!(ports::reached(&fleet, &["controller", "stranger"], &[HOST]), BTreeSet::from(open));

    // what is killed comes back, also all of it at once,
    let all = UNITS.join(" ");
    for units in UNITS.into_iter().chain([all.as_str()]) {
        fleet.tells(HOST, &format!("systemctl kill --kill-whom main --signal KILL {units}"));
        expect_orders(&fleet, units);
    }

    // so do a broker that Ansible restarts and a host that was lost,
    ansible.plays("rolling-restart.yml", &[]);
    expect_orders(&fleet, "a restart of the broker");
    fleet.call(&["stop", HOST]);
    fleet.call(&["start", HOST]);
    expect_orders(&fleet, "a loss of the host");
    assert_eq!(ansible.plays("food.yml", &[]).changes(), 0);

    // and each order that was placed is stored, once.
    let audited = fleet.tells(HOST, AUDIT);
    println!("{audited}");
    assert!(audited.starts_with("audit passed: ") && !audited.contains(" 0 accepted"), "{audited}");
}

/// Orders are stored, more than were on their way when it began.
#[track_caller]
fn expect_orders(fleet: &Fleet, after: &str) {
    // While the database is away nobody knows.
    let stored = || {
        let question = "cd /; runuser -u postgres -- psql -XAtc 'SELECT count(*) FROM food.orders' orderflow";
        let output = fleet.at(HOST, "sh").args(["-c", question]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().ok()
    };
    let mut before = None;
    until(DEADLINE, &format!("orders are stored after {after}"), || {
        let now = stored();
        before = before.or(now);
        now.zip(before).is_some_and(|(now, before)| now >= before + ON_THEIR_WAY)
    });
}
