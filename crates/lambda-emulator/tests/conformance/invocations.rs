use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use lambda_emulator::Outcome;
use serde_json::json;

use crate::fixture::{DEADLINE, Fixture, ask, function, post, state_of, zip_of, zip_with};

/// Runtime API: the event is the body of `next`, the answer that of `response`.
#[test]
fn an_event_comes_as_it_was_sent_and_its_answer_goes_back() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let event = json!({"do": "echo", "text": "\u{fc}\"", "number": 1.5});
    assert_eq!(fixture.answer(&event), event);
}

/// Ours: what functions did, for Prometheus and `orderflow monitor`.
#[test]
fn metrics_tell_what_a_function_did() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    fixture.answer(&json!({"do": "echo"}));
    let (head, metrics) = ask(fixture.server.address(), "GET", "/metrics", "", "");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("application/openmetrics-text"), "{head}");
    for series in ["lambda_invocations_total{function=\"f\"} 1\n", "lambda_errors_total{function=\"f\"} 0\n"] {
        assert!(metrics.contains(series), "{metrics}");
    }
}

/// Runtime API: the headers of `next`.
#[test]
fn next_names_the_request_its_deadline_and_the_function() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let context = fixture.answer(&json!({"do": "context"}));
    assert_eq!(context["lambda-runtime-aws-request-id"].as_str().unwrap().len(), 36);
    assert_eq!(context["lambda-runtime-invoked-function-arn"], "arn:aws:lambda:us-east-1:000000000000:function:f");
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let deadline_ms: i64 = context["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    assert!((1..=5_000).contains(&(deadline_ms - now_ms)), "{deadline_ms}");
}

/// Developer guide, "Defined runtime environment variables".
#[test]
fn the_environment_is_what_lambda_documents_and_nothing_of_ours() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({"MemorySize": 256, "Environment": {"Variables": {"OWN": "value"}}}));
    let found = fixture.answer(&json!({"do": "environment"}));
    for (name, value) in [
        ("_HANDLER", "some.handler"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        ("OWN", "value"),
    ] {
        assert_eq!(found[name], value, "{name}");
    }
    assert!(found.get("HOME").is_none() && found.get("CARGO").is_none(), "{found}");
}

/// Ours: functions need not be whoever runs the emulator.
#[test]
fn functions_run_as_the_user_that_is_named() {
    crate::needs_python!();
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("not applicable: only root may start processes of other users");
        return;
    }
    let fixture = Fixture::with_options(|options| options.user = Some(61_000));
    fixture.emulator.create_function(&function(&json!({}))).unwrap();
    let pid = fixture.answer(&json!({"do": "pid"}));
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(line("Uid:"), ["61000"; 4].join("\t"));
    assert_eq!((line("Gid:"), line("Groups:")), (["61000"; 4].join("\t"), String::new()));
}

/// Runtime API, "Invocation error".
#[test]
fn an_error_of_the_function_is_its_outcome_and_the_environment_stays() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let pid = fixture.answer(&json!({"do": "pid"}));
    let failure = fixture.failure(&json!({"do": "error", "text": "pool empty"}));
    assert_eq!(failure, ("ValueError".into(), "pool empty".into()));
    assert_eq!(fixture.answer(&json!({"do": "pid"})), pid);
}

/// Developer guide, "Execution environment lifecycle": it is frozen between invocations, and reused.
#[test]
fn between_two_events_the_process_is_stopped() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let pid = fixture.answer(&json!({"do": "pid"})).as_i64().unwrap();
    fixture.until("stopped", || state_of(pid) == Some('T'));
    assert_eq!(fixture.answer(&json!({"do": "pid"})), pid);
}

/// Developer guide, "Timeout": the environment ends, and the next event finds a new one.
#[test]
fn a_function_over_its_time_is_ended_and_started_anew() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({"Timeout": 1}));
    let pid = fixture.answer(&json!({"do": "pid"})).as_i64().unwrap();
    let begun = Instant::now();
    let (kind, text) = fixture.failure(&json!({"do": "sleep", "seconds": 30}));
    assert_eq!(kind, "Sandbox.Timedout");
    assert!(text.ends_with("Error: Task timed out after 1.00 seconds"), "{text}");
    fixture.until("the report", || fixture.log().contains("MB\tStatus: timeout\n"));
    assert!((1.0..5.0).contains(&begun.elapsed().as_secs_f64()));
    assert_eq!(state_of(pid), None);
    assert_ne!(fixture.answer(&json!({"do": "pid"})), pid);
}

/// Developer guide, "Failures during the invoke phase": `Runtime.ExitError`.
#[test]
fn a_process_that_ends_is_an_error_and_the_next_event_finds_a_new_one() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    for (how, text) in [("exit", "exit status: 3"), ("kill", "signal: 9 (SIGKILL)")] {
        let (kind, found) = fixture.failure(&json!({"do": how}));
        assert_eq!(kind, "Runtime.ExitError");
        assert!(found.contains(text), "{found}");
        assert_eq!(fixture.answer(&json!({"do": "echo"})), json!({"do": "echo"}));
    }
}

/// Developer guide, "Failures during the init phase": what was reported is the outcome, after a second try.
#[test]
fn an_error_of_init_is_tried_once_more_and_is_the_outcome_then() {
    crate::needs_python!();
    for (mode, kind, text) in [
        ("error", "Init.Broken", "no configuration"),
        ("exit", "Runtime.ExitError", "Error: Runtime exited with error: exit status: 7"),
    ] {
        let fixture = Fixture::with(&json!({"Environment": {"Variables": {"INIT": mode}}}));
        assert_eq!(fixture.failure(&json!({})), (kind.into(), text.into()));
        assert_eq!(fixture.log().matches("INIT_REPORT").count(), 2);
        // Who has reported an error ends by himself, and says so before.
        assert_eq!(fixture.log().matches("the last words").count(), if mode == "error" { 2 } else { 0 });

        let once = fixture.path("once").display().to_string();
        let fixture = Fixture::with(&json!({"Environment": {"Variables": {"INIT": format!("{mode},{once}")}}}));
        assert_eq!(fixture.answer(&json!({"do": "echo"})), json!({"do": "echo"}), "the second try succeeds");
    }
}

/// Developer guide, "Failures during the init phase": the second INIT takes its time from the invocation's.
#[test]
fn what_a_second_init_takes_is_not_left_for_the_event() {
    crate::needs_python!();
    let once = Fixture::without_function();
    let mode = format!("exit,{}", once.path("once").display());
    let variables = json!({"Environment": {"Variables": {"INIT": mode, "SECOND_INIT": "1"}}, "Timeout": 3});
    let context = Fixture::with(&variables).answer(&json!({"do": "context"}));
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let deadline_ms: i64 = context["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    assert!(deadline_ms - now_ms <= 2_000, "{} ms left of three seconds", deadline_ms - now_ms);
}

/// Runtime API, response streaming: an error behind the body is the outcome, not the half that came.
#[test]
fn a_streamed_response_that_fails_halfway_is_an_error() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let pid = fixture.answer(&json!({"do": "pid"}));
    assert_eq!(fixture.failure(&json!({"do": "stream", "text": "pool empty"})), ("Half".into(), "pool empty".into()));
    assert_eq!(fixture.answer(&json!({"do": "pid"})), pid);
}

/// Bad input of the issue: a function that never asks for an event.
#[test]
fn a_function_that_never_asks_for_an_event_is_told_after_init_and_its_own_time() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({"Timeout": 1, "Environment": {"Variables": {"INIT": "hang"}}}));
    let (kind, text) = fixture.failure(&json!({}));
    assert_eq!(kind, "Sandbox.Timedout");
    assert_eq!(text, "Error: INIT did not ask for its first event within 1 s");
}

/// Bad input of the issue: a function that answers and never comes back.
#[test]
fn an_answer_stands_although_the_function_never_asks_again_and_its_environment_ends() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({"Timeout": 1}));
    let event = json!({"do": "pid", "then": "hang"});
    let pid = fixture.answer(&event).as_i64().unwrap();
    fixture.until("its end", || state_of(pid).is_none());
}

/// Runtime API: an answer to an invocation that is not under way is refused.
#[test]
fn a_second_answer_is_refused_and_logged() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let event = json!({"do": "echo", "twice": true});
    assert_eq!(fixture.answer(&event), event);
    fixture.until("the refusal", || fixture.log().contains("the second answer: 400"));
    assert!(fixture.log().contains("answered twice, or not under way"));
}

/// Developer guide, "Memory".
#[test]
fn a_function_over_its_memory_is_ended() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let (kind, text) = fixture.failure(&json!({"do": "eat", "mib": 200}));
    assert_eq!(kind, "Runtime.OutOfMemory");
    assert!(text.ends_with("128 MB allowed)"), "{text}");
}

/// Lambda quotas: 6 MB each for request and response.
#[test]
fn payloads_have_a_limit() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let (kind, _) = fixture.failure(&json!({"do": "large", "bytes": 6 * 1024 * 1024}));
    assert_eq!(kind, "Function.ResponseSizeTooLarge");
    assert_eq!(fixture.answer(&json!({"do": "large", "bytes": 6_000_000})).as_str().unwrap().len(), 6_000_000);
    let event = format!("\"{}\"", "x".repeat(6_291_556));
    assert_eq!(fixture.emulator.invoke("f", event.as_bytes()).unwrap_err().kind, "RequestTooLargeException");
}

/// Bad input of the issue: a function that prints megabytes.
#[test]
fn what_a_function_prints_is_in_its_log_between_start_and_report() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    fixture.answer(&json!({"do": "print", "text": "printed text", "bytes": 5_000_000}));
    fixture.until("the text", || fixture.log().len() > 5_000_000);
    let log = fixture.log();
    let position = |what: &str| log.find(what).unwrap_or_else(|| panic!("{what}"));
    assert!(position("START RequestId: ") < position("printed text"));
    assert!(position("START RequestId: ") < position("END RequestId: "));
    let report = &log[position("REPORT RequestId: ")..];
    for part in ["Duration: ", "Billed Duration: ", "Memory Size: 128 MB", "Max Memory Used: ", "Init Duration: "] {
        assert!(report.contains(part), "{part}");
    }
}

/// Bad input of the issue: a function that forks.
#[test]
fn what_a_function_has_forked_ends_with_its_environment() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let pid = fixture.answer(&json!({"do": "fork"})).as_i64().unwrap();
    assert!(state_of(pid).is_some());
    drop(fixture);
    assert_eq!(state_of(pid), None);
}

/// Developer guide, "Concurrency": an environment has one event at a time; beyond the limit callers are throttled.
#[test]
fn more_events_at_once_get_more_environments_up_to_the_limit() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let sleep = json!({"do": "sleep", "seconds": 1.0}).to_string();
    let emulator = &fixture.emulator;
    let outcomes = std::thread::scope(|scope| {
        let invoke = || emulator.invoke("f", sleep.as_bytes());
        let calls: Vec<_> = (0..5).map(|_| scope.spawn(invoke)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect::<Vec<_>>()
    });
    let answered = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Outcome::Answered(_)))).count();
    let throttled =
        outcomes.iter().filter(|outcome| outcome.as_ref().is_err_and(|error| error.kind == "TooManyRequestsException"));
    assert_eq!((answered, throttled.count()), (4, 1));
}

/// Invoke API: status, headers and errors as the clients read them.
#[test]
fn the_invoke_api_answers_as_awss_clients_expect() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let post = |path: &str, headers: &str, body: &str| post(fixture.server.address(), path, headers, body);
    let invoke = "/2015-03-31/functions/f/invocations";
    let (head, body) = post(invoke, "X-Amz-Log-Type: Tail\r\n", r#"{"do":"echo"}"#);
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("X-Amz-Log-Result: ") && !head.contains("Function-Error"),
        "{head}"
    );
    assert_eq!(body, r#"{"do": "echo"}"#);
    let (head, body) = post(invoke, "", r#"{"do":"error"}"#);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("X-Amz-Function-Error: Unhandled"), "{head}");
    assert_eq!(body, r#"{"errorType": "ValueError", "errorMessage": "asked for", "stackTrace": []}"#);
    let (head, _) =
        post("/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations", "", "");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    for (path, headers, body, status, kind) in [
        ("/2015-03-31/functions/g/invocations", "", "{}", 404, "ResourceNotFoundException"),
        (invoke, "", "{", 400, "InvalidRequestContentException"),
        (invoke, "X-Amz-Invocation-Type: Some\r\n", "{}", 400, "InvalidParameterValueException"),
        ("/2018-10-31/layers", "", "{}", 404, "UnknownOperationException"),
    ] {
        let (head, _) = post(path, headers, body);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")) && head.contains(&format!("x-amzn-ErrorType: {kind}")),
            "{head}"
        );
    }
    let (head, _) = post(invoke, "X-Amz-Invocation-Type: DryRun\r\n", "{}");
    assert!(head.starts_with("HTTP/1.1 204 "), "{head}");
}

/// Developer guide, "Asynchronous invocation": two retries, and the request id stays.
#[test]
fn an_asynchronous_event_is_tried_three_times_with_one_request_id() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let headers = "X-Amz-Invocation-Type: Event\r\n";
    let path = "/2015-03-31/functions/f/invocations";
    let (head, body) = post(fixture.server.address(), path, headers, r#"{"do":"error"}"#);
    assert!(head.starts_with("HTTP/1.1 202 ") && body.is_empty(), "{head}");
    fixture.until("the last attempt", || fixture.log().contains("is given up after 3 attempts"));
    let log = fixture.log();
    let ids: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix("START RequestId: ")).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]));
}

/// Lambda quotas: 1 MB for an asynchronous event; as many as wait here are told at once.
#[test]
fn asynchronous_events_have_a_limit_each_and_together() {
    crate::needs_python!();
    let fixture = Fixture::with_options(|options| options.max_environments = 1);
    fixture.emulator.create_function(&function(&json!({"Timeout": 60}))).unwrap();
    let large = json!("x".repeat(1024 * 1024)).to_string();
    let headers = "X-Amz-Invocation-Type: Event\r\n";
    let (head, _) = post(fixture.server.address(), "/2015-03-31/functions/f/invocations", headers, &large);
    assert!(head.starts_with("HTTP/1.1 413 ") && head.contains("RequestTooLargeException"), "{head}");
    let sleep = json!({"do": "sleep", "seconds": 30}).to_string();
    let refused = (0..200).find_map(|_| fixture.emulator.invoke_event("f", sleep.as_bytes()).err()).unwrap();
    assert_eq!(refused.kind, "TooManyRequestsException");
}

/// README: the emulator ends while somebody is answered, and leaves nothing.
#[test]
fn an_emulator_that_ends_breaks_off_what_is_under_way_and_leaves_no_process_and_no_file() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({"Timeout": 60}));
    let (address, environment) = (fixture.server.address(), fixture.answer(&json!({"do": "environment"})));
    let pid = fixture.answer(&json!({"do": "pid"})).as_i64().unwrap();
    let code = std::path::PathBuf::from(environment["LAMBDA_TASK_ROOT"].as_str().unwrap());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let sleep = r#"{"do":"sleep","seconds":50}"#;
        let asking = scope.spawn(move || post(address, "/2015-03-31/functions/f/invocations", "", sleep));
        fixture.emulator.invoke_event("f", sleep.as_bytes()).unwrap();
        fixture.until("both", || fixture.log().matches("START ").count() == 4);
        drop(fixture);
        let (head, body) = asking.join().unwrap();
        assert!(head.contains("X-Amz-Function-Error") && body.contains("because the emulator ends"), "{head}\n{body}");
    });
    assert!(begun.elapsed() < DEADLINE);
    assert_eq!(state_of(pid), None);
    assert!(!code.exists(), "{}", code.display());
}

/// Bad input of the issue: zips that cannot be run.
#[test]
fn a_zip_that_cannot_be_run_is_refused() {
    let fixture = Fixture::without_function();
    for (zip, reason) in [
        (zip_of("main", 0o755), "the zip has no `bootstrap` at its root"),
        (zip_of("bootstrap", 0o644), "`bootstrap` is not executable"),
        ("bm9uZQ==".into(), "Could not unzip uploaded file"),
        ("?".into(), "Code.ZipFile"),
        ("fileb:///nowhere.zip".into(), "/nowhere.zip: No such file"),
    ] {
        let error = fixture.emulator.create_function(&function(&json!({"Code": {"ZipFile": zip}}))).unwrap_err();
        assert_eq!(error.kind, "InvalidParameterValueException");
        assert!(error.message.contains(reason), "{}", error.message);
    }
    fixture.emulator.create_function(&function(&json!({}))).unwrap();
    assert_eq!(fixture.emulator.create_function(&function(&json!({}))).unwrap_err().kind, "ResourceConflictException");
}

/// Error types of the runtime: Runtime.InvalidEntrypoint where the entrypoint cannot be executed.
#[test]
fn a_bootstrap_that_is_no_program_for_this_machine_is_told_so() {
    let fixture = Fixture::without_function();
    let zip = zip_with("bootstrap", 0o755, "#!/no/such/interpreter\n");
    fixture.emulator.create_function(&function(&json!({"Code": {"ZipFile": zip}}))).unwrap();
    let (kind, text) = fixture.failure(&json!({}));
    assert_eq!(kind, "Runtime.InvalidEntrypoint");
    assert!(text.starts_with("Error: `bootstrap` cannot be executed"), "{text}");
}

/// Developer guide, "Defined runtime environment variables": PATH is the function's to change.
#[test]
fn a_function_may_have_a_path_of_its_own() {
    crate::needs_python!();
    let python = ["/usr/local/bin", "/usr/bin", "/bin"].map(|folder| format!("{folder}/python3"));
    let python = python.iter().find(|file| std::path::Path::new(file).exists()).unwrap();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/function.py")).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    let zip = zip_with("bootstrap", 0o755, &format!("#!{python}\n{rest}"));
    let fixture = Fixture::with(&json!({"Code": {"ZipFile": zip}, "Environment": {"Variables": {"PATH": "/nowhere"}}}));
    assert_eq!(fixture.answer(&json!({"do": "echo"})), json!({"do": "echo"}));
}

/// Runtime API: an invocation ends with an answer, and before the next event is asked for.
#[test]
fn a_function_that_asks_for_the_next_event_without_an_answer_has_failed_and_goes_on() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let pid = fixture.answer(&json!({"do": "pid"}));
    let (kind, text) = fixture.failure(&json!({"do": "forget"}));
    assert_eq!(kind, "Runtime.InvalidNextRequest");
    assert!(text.ends_with("the runtime asked for the next event without an answer"), "{text}");
    assert_eq!(fixture.answer(&json!({"do": "pid"})), pid);
}

/// Developer guide, "Execution environment lifecycle": whoever is frozen does not see its connections die. What a broker does to a
/// client that is idle for too long, the peer does here.
#[test]
fn a_function_that_thaws_finds_its_connection_dead_and_makes_a_new_one() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let peer = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let event = json!({"do": "ask", "port": peer.local_addr().unwrap().port()});
    let serve = |times: usize| {
        let (mut connection, _) = peer.accept().unwrap();
        for _ in 0..times {
            connection.read_exact(&mut [0]).unwrap();
            connection.write_all(b"!").unwrap();
        }
    };
    let answers = std::thread::scope(|scope| {
        let first = scope.spawn(|| serve(2)); // then it hangs up
        let warm = [fixture.answer(&event), fixture.answer(&event)];
        let pid = fixture.answer(&json!({"do": "pid"}));
        first.join().unwrap();
        fixture.until("frozen", || state_of(pid.as_i64().unwrap()) == Some('T'));
        scope.spawn(|| serve(1));
        let thawed = fixture.answer(&event);
        assert_eq!(fixture.answer(&json!({"do": "pid"})), pid, "the same process");
        [warm[0].clone(), warm[1].clone(), thawed]
    });
    assert_eq!(answers, [1, 1, 2], "the first try finds it dead");
}

/// Extensions API: register, event/next, SHUTDOWN. Developer guide, "Shutdown phase": SIGTERM for processes with an extension, which
/// is what lambda_runtime's graceful shutdown registers one for.
#[test]
fn an_extension_hears_of_the_end_and_its_process_has_time_for_it() {
    crate::needs_python!();
    let notes = tempfile::NamedTempFile::new().unwrap();
    let variables = json!({"EXTENSION": notes.path()});
    let fixture = Fixture::with_options(|options| options.shutdown = DEADLINE);
    fixture.emulator.create_function(&function(&json!({"Environment": {"Variables": variables}}))).unwrap();
    let pid = fixture.answer(&json!({"do": "pid"})).as_i64().unwrap();
    drop(fixture);
    assert_eq!(state_of(pid), None);
    let text = std::fs::read_to_string(notes.path()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let registered: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(registered, json!({"functionName": "f", "functionVersion": "$LATEST", "handler": "some.handler"}));
    let end: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!((&end["eventType"], &end["shutdownReason"]), (&json!("SHUTDOWN"), &json!("spindown")));
    assert!(end["deadlineMs"].is_u64());
    assert_eq!(lines[2..], ["SIGTERM"]);
}

/// Extensions API, errors, as AWS's own emulator has them (internal/lambda/rapi/handler).
#[test]
fn an_extension_without_a_name_or_unknown_or_with_other_events_is_refused() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let api =
        fixture.answer(&json!({"do": "environment"}))["AWS_LAMBDA_RUNTIME_API"].as_str().unwrap().parse().unwrap();
    let named = "Lambda-Extension-Name: x\r\n";
    for (method, path, headers, body, kind) in [
        ("POST", "register", "", r#"{"events":[]}"#, "Extension.InvalidExtensionName"),
        ("POST", "register", named, "{", "InvalidRequestFormat"),
        ("POST", "register", named, r#"{"events":["INVOKE"]}"#, "Extension.InvalidEventType"),
        ("GET", "event/next", "", "", "Extension.MissingExtensionIdentifier"),
        ("GET", "event/next", "Lambda-Extension-Identifier: y\r\n", "", "Extension.UnknownExtensionIdentifier"),
    ] {
        let (head, answer) = ask(api, method, &format!("/2020-01-01/extension/{path}"), headers, body);
        assert!(head.starts_with("HTTP/1.1 403 ") && answer.contains(kind), "{head}\n{answer}");
    }
}

/// README, `--attach`: the emulator starts nothing, waits for whoever asks for events, and has no timeout for him.
#[test]
fn an_attached_function_is_a_process_that_somebody_else_starts() {
    crate::needs_python!();
    let fixture = Fixture::with_options(|options| options.attach = ["f".to_owned()].into());
    fixture.emulator.create_function(&function(&json!({"Timeout": 1}))).unwrap();
    let variables = fixture.emulator.attached_variables("f").unwrap();
    let start = || {
        let script = format!("{}/bootstrap", variables.iter().find(|(name, _)| name == "LAMBDA_TASK_ROOT").unwrap().1);
        let child = Command::new("python3").arg(script).envs(variables.clone()).stderr(Stdio::null()).spawn();
        Started(child.unwrap())
    };
    std::thread::scope(|scope| {
        // The event is there before anybody is.
        let waiting = scope.spawn(|| fixture.answer(&json!({"do": "pid"})));
        let first = start();
        assert_eq!(waiting.join().unwrap(), first.0.id());
        assert_eq!(fixture.answer(&json!({"do": "sleep", "seconds": 1.2})), "slept", "longer than its timeout");
        assert_ne!(state_of(first.0.id().into()), Some('T'), "it is not frozen");
        let echoed = json!({"do": "echo", "twice": true});
        assert_eq!(fixture.answer(&echoed), echoed);
        drop(first);
        let second = start();
        assert_eq!(fixture.answer(&json!({"do": "pid"})), second.0.id());
    });
    assert!(fixture.emulator.attached_variables("g").is_none());
}

/// Whoever waits for a process that nobody starts does not keep the emulator from its end.
#[test]
fn an_emulator_ends_although_nobody_has_attached() {
    let fixture = Fixture::with_options(|options| options.attach = ["f".to_owned()].into());
    fixture.emulator.create_function(&function(&json!({}))).unwrap();
    fixture.emulator.invoke_event("f", b"{}").unwrap();
    fixture.until("the invocation", || fixture.log().contains("START RequestId: "));
    let begun = Instant::now();
    drop(fixture);
    assert!(begun.elapsed() < DEADLINE);
}

/// A process of the test's, ended with it.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
