use crate::call::orderflow;

const COMMANDS: [&str; 3] = ["topics create", "topics diff", "reset --yes"];

#[test]
fn settings_that_do_not_serve_are_told_before_anything_starts() {
    for command in COMMANDS {
        let ended = orderflow(command).end().with_status(2);
        let missing = "error: 1 setting is wrong\n  KAFKA_BROKERS   missing: set HOST:PORT,HOST:PORT\n";
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", missing), "{command}");

        let call = orderflow(&format!("{command} --brokers localhost:9093")).env("KAFKA_USERNAME", "admin");
        let ended = call.end().with_status(2);
        assert!(ended.stderr.contains("KAFKA_PASSWORD  missing: KAFKA_USERNAME is set"), "{}", ended.stderr);
    }
}

#[test]
fn a_reset_that_nobody_can_confirm_is_refused() {
    let ended = orderflow("reset --brokers 127.0.0.1:1").end().with_status(2);
    assert_eq!(ended.stderr, "error: nobody can be asked here: confirm on a terminal, or say --yes\n");
}
