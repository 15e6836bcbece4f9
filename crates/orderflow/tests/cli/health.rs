use std::thread;

use crate::call::orderflow;

#[test]
fn what_does_not_answer_is_named_and_the_status_says_so() {
    let call = orderflow("health --brokers 127.0.0.1:1 --worker 127.0.0.1:1")
        .env("DATABASE_URL", "postgres://somebody@127.0.0.1:1/orders");
    let for_a_program = orderflow("health --brokers 127.0.0.1:1 --format json");
    let for_a_program = thread::spawn(|| for_a_program.end().with_status(1).document());
    let ended = call.end().with_status(1);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let expected = [
        "kafka               ILL   127.0.0.1:1",
        "database            ILL   DATABASE_URL: 127.0.0.1:1/orders: connection refused; is PostgreSQL running",
        "worker 127.0.0.1:1  ILL   ",
    ];
    assert_eq!(lines.len(), expected.len(), "{}", ended.stdout);
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    let document = for_a_program.join().unwrap();
    assert_eq!((&document["healthy"], &document["parts"]["kafka"]["healthy"]), (&false.into(), &false.into()));
}

#[test]
fn a_file_dot_env_is_read_and_what_is_set_goes_before_it() {
    let call = || orderflow("history 7f3a").file(".env", "# ours\nDATABASE_URL=postgres://a@127.0.0.1:1/of-the-file\n");
    let ended = call().end().with_status(1);
    assert!(ended.stderr.contains("127.0.0.1:1/of-the-file: connection refused"), "{}", ended.stderr);
    let ended = call().env("DATABASE_URL", "postgres://a@127.0.0.1:1/of-the-environment").end().with_status(1);
    assert!(ended.stderr.contains("127.0.0.1:1/of-the-environment: connection refused"), "{}", ended.stderr);
}

#[test]
fn a_line_of_dot_env_that_cannot_be_read_is_told_by_its_place_and_name_and_never_by_its_value() {
    let check = |text: &str, expected: &str| {
        let broken = orderflow("topology check").file(".env", text).end().with_status(2);
        let allowed = "allowed is NAME=VALUE; put one with blanks, quotes, $ or # into '...'";
        assert_eq!(broken.stderr, format!("error: .env:{expected} cannot be read: {allowed}\n"));
    };
    check("# ours\nthis is no variable\n", "2: the value");
    check("KAFKA_USERNAME=a\nKAFKA_PASSWORD=my secret word\n", "2: the value of KAFKA_PASSWORD");
    check("postgres://me:secret@db/orders?sslmode=require a\n", "1: the value");
    check("c2Vj cm/V0cGFzcw==\n", "1: the value");
}

#[test]
fn help_is_given_whatever_stands_in_dot_env() {
    let help = orderflow("--help").file(".env", "this is no variable\n").end().with_status(0);
    assert!(help.stdout.contains("Usage: orderflow"), "{}", help.stdout);
}
