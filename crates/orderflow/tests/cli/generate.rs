use std::io::{BufRead, BufReader};

use events::Event;
use events::shop::OrderPlaced;

use crate::call::{orderflow, orders};

#[test]
fn the_same_seed_gives_the_same_bytes_and_each_line_decodes() {
    let lines = orders(200, 7);
    assert_eq!(lines, orders(200, 7));
    assert_ne!(lines, orders(200, 8));
    assert_eq!(lines.lines().count(), 200);
    for line in lines.lines() {
        OrderPlaced::decode(line.as_bytes()).unwrap();
    }
}

#[test]
fn more_orders_of_a_seed_begin_with_the_same_ones() {
    assert!(orders(200, 7).starts_with(&orders(50, 7)));
}

#[test]
fn a_random_seed_is_printed_beside_the_data() {
    let ended = orderflow("generate --orders 20").end().with_status(0);
    let seed = ended.stderr.trim_end().strip_prefix("seed ").unwrap().parse().unwrap();
    assert_eq!(ended.stdout, orders(20, seed));
    assert_eq!(orderflow("generate --orders 20 --seed 7").end().stderr, "");
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let (mut child, _folder) = orderflow("generate --orders 1000000 --seed 7").start();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap(); // and the pipe closes
    assert_eq!(first, orders(1, 7));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}
