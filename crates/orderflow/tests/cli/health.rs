use crate::call::orderflow;

#[test]
fn what_does_not_answer_is_named_and_the_status_says_so() {
    let call = orderflow("health --brokers 127.0.0.1:1 --worker 127.0.0.1:1")
        .env("DATABASE_URL", "postgres://somebody@127.0.0.1:1/orders");
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
}

#[test]
fn for_a_program_it_is_one_document() {
    let ended = orderflow("health --brokers 127.0.0.1:1 --format json").end().with_status(1);
    let document = ended.document();
    assert_eq!((&document["healthy"], &document["parts"]["kafka"]["healthy"]), (&false.into(), &false.into()));
}

#[test]
fn a_file_dot_env_is_read_and_what_is_set_goes_before_it() {
    let call = || orderflow("history 7f3a").file(".env", "# ours\nDATABASE_URL=postgres://a@127.0.0.1:1/of-the-file\n");
    let ended = call().end().with_status(2);
    assert!(ended.stderr.contains("127.0.0.1:1/of-the-file: connection refused"), "{}", ended.stderr);
    let ended = call().env("DATABASE_URL", "postgres://a@127.0.0.1:1/of-the-environment").end().with_status(2);
    assert!(ended.stderr.contains("127.0.0.1:1/of-the-environment: connection refused"), "{}", ended.stderr);
    let broken = orderflow("topology check").file(".env", "this is no variable\n").end().with_status(2);
    assert!(broken.stderr.starts_with("error: .env: "), "{}", broken.stderr);
}
