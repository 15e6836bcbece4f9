use crate::call::orderflow;

#[test]
fn without_a_terminal_it_says_how_a_script_looks() {
    let ended = orderflow("monitor --brokers 127.0.0.1:1").end().with_status(2);
    let told = "error: stdout is no terminal: `orderflow monitor --once` prints, with --format text or json, and --listen shows a page\n";
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", told));
}

#[test]
fn what_does_not_serve_is_refused_before_anything_is_asked() {
    let check = |arguments: &str, reason: &str| {
        let ended = orderflow(arguments).end().with_status(2);
        assert!(ended.stderr.contains(reason), "{arguments}: {}", ended.stderr);
    };
    check("monitor --once --interval 100ms --brokers a:1", "allowed 250ms to 60s");
    check("monitor --once --interval 2m --brokers a:1", "allowed 250ms to 60s");
    check("monitor --once --system shopp --brokers a:1", "'shopp' for '--system");
    check(&format!("monitor --once --brokers a:1{}", " --worker b:1".repeat(33)), "33 of them, allowed 32");
    check("monitor --format json --brokers a:1", "--once");
    check("monitor --once", "KAFKA_BROKERS   missing");
}
