use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_emulator::Outcome;
use serde_json::{Value, json};

use crate::fixture::{Fixture, ask, post, state_of, zip_of, zip_with};
use crate::mappings::{Kafka, PROVISIONED};

/// What AWS's clients sign with; nobody checks the signature.
pub(crate) const SIGNED: &str =
    "Authorization: AWS4-HMAC-SHA256 Credential=a/19700101/us-east-1/lambda/aws4_request\r\n";
const FUNCTIONS: &str = "/2015-03-31/functions";
const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

/// One call; gives its status, its error's type and its body.
fn call(address: SocketAddr, method: &str, path: &str, body: &Value) -> (u16, String, Value) {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let (head, body) = ask(address, method, path, SIGNED, &text);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("x-amzn-ErrorType: ")).unwrap_or_default();
    (status, kind.to_owned(), serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// A call that succeeds with this status.
#[track_caller]
fn done(address: SocketAddr, method: &str, path: &str, body: &Value, expected: u16) -> Value {
    let (status, kind, answer) = call(address, method, path, body);
    assert_eq!((status, kind.as_str()), (expected, ""), "{method} {path}: {answer}");
    answer
}

/// A call that is refused.
#[track_caller]
fn refused(address: SocketAddr, method: &str, path: &str, body: &Value) -> (u16, String) {
    let (status, kind, answer) = call(address, method, path, body);
    assert!(status >= 400, "{method} {path}: {answer}");
    assert!(answer["Message"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    (status, kind)
}

fn nothing() -> Value {
    Value::Null
}

/// The body that creates `f`, as an API call.
fn body(more: &Value) -> Value {
    let mut body = json!({"FunctionName": "f", "Runtime": "provided.al2023", "Handler": "some.handler", "Timeout": 5,
        "Role": "arn:aws:iam::000000000000:role/r", "Code": {"ZipFile": zip_of("bootstrap", 0o755)}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// An emulator whose one function was created over its API.
fn created(more: &Value) -> (Fixture, SocketAddr) {
    let fixture = Fixture::without_function();
    let address = fixture.server.address();
    done(address, "POST", FUNCTIONS, &body(more), 201);
    (fixture, address)
}

/// Another code than the tests' function: answers each event with this text.
fn answering(text: &str) -> String {
    let code = r#"#!/usr/bin/env python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    answer.read()
    path = "/2018-06-01/runtime/invocation/" + answer.headers["Lambda-Runtime-Aws-Request-Id"] + "/response"
    api.request("POST", path, '"TEXT"')
    api.getresponse().read()
"#;
    zip_with("bootstrap", 0o755, &code.replace("TEXT", text))
}

fn invoke(address: SocketAddr, name: &str) -> (String, String) {
    post(address, &format!("{FUNCTIONS}/{name}/invocations"), "", r#"{"do":"environment"}"#)
}

/// Lambda API, CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions: fields and defaults.
#[test]
fn a_function_is_told_as_it_was_created_and_with_awss_defaults() {
    let vpc = json!({"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]});
    let (_fixture, address) = created(&json!({"VpcConfig": vpc, "Tags": {"team": "shop"}, "Publish": false}));
    let told = done(address, "GET", &format!("{FUNCTIONS}/f"), &nothing(), 200);
    let configuration = &told["Configuration"];
    for (name, expected) in [
        ("FunctionArn", json!(ARN)),
        ("Handler", json!("some.handler")),
        ("Role", json!("arn:aws:iam::000000000000:role/r")),
        ("Timeout", json!(5)),
        ("MemorySize", json!(128)),
        ("Version", json!("$LATEST")),
        ("State", json!("Active")),
        ("LastUpdateStatus", json!("Successful")),
        ("PackageType", json!("Zip")),
        ("EphemeralStorage", json!({"Size": 512})),
        ("LoggingConfig", json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/f"})),
    ] {
        assert_eq!(configuration[name], expected, "{name}");
    }
    assert_eq!(configuration["VpcConfig"]["SubnetIds"], json!(["subnet-1"]));
    assert_eq!(configuration["CodeSha256"].as_str().unwrap().len(), 44);
    assert!(configuration["LastModified"].as_str().unwrap().ends_with("+0000"));
    assert_eq!((&told["Tags"], told.get("Concurrency")), (&json!({"team": "shop"}), None));
    let alone = done(address, "GET", &format!("{FUNCTIONS}/{ARN}/configuration"), &nothing(), 200);
    assert_eq!(&alone, configuration);
    let listed = done(address, "GET", FUNCTIONS, &nothing(), 200);
    assert_eq!(listed, json!({"Functions": [configuration]}));
}

/// Lambda API, common errors: the type stands in `x-amzn-ErrorType`; clients find a 404 by it.
#[test]
fn what_is_not_there_and_what_is_not_supported_is_refused_with_awss_error_type() {
    let (fixture, address) = created(&json!({}));
    let zip = fixture.path("f.zip");
    std::fs::write(&zip, STANDARD.decode(zip_of("bootstrap", 0o755)).unwrap()).unwrap();
    let invalid = (400, "InvalidParameterValueException".to_owned());
    let missing = (404, "ResourceNotFoundException".to_owned());
    for (method, path, given, expected) in [
        ("GET", "/g", nothing(), &missing),
        ("GET", "/f?Qualifier=7", nothing(), &missing),
        ("GET", "/g/configuration", nothing(), &missing),
        ("PUT", "/g/configuration", json!({"Timeout": 9}), &missing),
        ("PUT", "/g/code", json!({"ZipFile": zip_of("bootstrap", 0o755)}), &missing),
        ("DELETE", "/g", nothing(), &missing),
        ("GET", "/f/policy", nothing(), &missing),
        ("PUT", "/f/configuration", json!({"Timeout": 0}), &invalid),
        ("PUT", "/f/configuration", json!({"Layers": ["arn:aws:lambda:us-east-1:1:layer:l:1"]}), &invalid),
        ("PUT", "/f/configuration", json!({"Nonsense": 1}), &invalid),
        ("PUT", "/f/code", json!({"ImageUri": "i"}), &invalid),
        ("PUT", "/f/code", json!({"S3Bucket": "b", "S3Key": "k"}), &invalid), // nobody said where S3 is
        ("PUT", "/f/code", json!({"ZipFile": format!("fileb://{}", zip.display())}), &invalid), // no caller reads our files
        ("POST", "", body(&json!({"FunctionName": "g", "PackageType": "Image"})), &invalid),
        ("POST", "", body(&json!({})), &(409, "ResourceConflictException".to_owned())),
        ("PUT", "/f/configuration", json!({"RevisionId": "old"}), &(412, "PreconditionFailedException".to_owned())),
        ("GET", "/f/aliases", nothing(), &(404, "UnknownOperationException".to_owned())),
    ] {
        assert_eq!(
            &refused(address, method, &format!("{FUNCTIONS}{path}"), &given),
            expected,
            "{method} {path} {given}"
        );
    }
    assert_eq!(refused(address, "GET", &format!("{MAPPINGS}/none"), &nothing()), missing);
    let (head, _) = ask(address, "POST", FUNCTIONS, SIGNED, "{");
    assert!(head.contains("x-amzn-ErrorType: InvalidRequestContentException"), "{head}");
}

/// Nothing of AWS: there a right decides who may have code run, here who is on the machine and no page of a browser.
#[test]
fn nobody_from_another_machine_and_no_unsigned_caller_creates_a_function() {
    let fixture = Fixture::without_function();
    let (head, _) = post(fixture.server.address(), FUNCTIONS, "", &body(&json!({})).to_string());
    assert!(head.starts_with("HTTP/1.1 403 ") && head.contains("MissingAuthenticationTokenException"), "{head}");
    let open = fixture.emulator.serve(([0, 0, 0, 0], 0).into()).unwrap();
    let address = ([127, 0, 0, 1], open.address().port()).into();
    assert_eq!(refused(address, "POST", FUNCTIONS, &body(&json!({}))), (403, "AccessDeniedException".to_owned()));
    assert_eq!(fixture.emulator.functions(), []);
}

/// Lambda API, UpdateFunctionCode and UpdateFunctionConfiguration: the next invocation has it; what is under way ends as it began.
#[test]
fn an_update_holds_for_the_next_invocation_and_lets_what_is_under_way_end() {
    crate::needs_python!();
    let (fixture, address) = created(&json!({}));
    let (before, pid) = (fixture.answer(&json!({"do": "environment"})), fixture.answer(&json!({"do": "pid"})));
    assert_eq!(before.get("MODE"), None);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| fixture.answer(&json!({"do": "sleep", "seconds": 1})));
        fixture.until("its begin", || fixture.log().matches("START ").count() == 3);
        let changes = json!({"Environment": {"Variables": {"MODE": "new"}}, "MemorySize": 256, "Description": "d"});
        let told = done(address, "PUT", &format!("{FUNCTIONS}/f/configuration"), &changes, 200);
        assert_eq!(
            (&told["MemorySize"], &told["Description"], &told["Timeout"]),
            (&json!(256), &json!("d"), &json!(5))
        );
        let after = fixture.answer(&json!({"do": "environment"}));
        assert_eq!((&after["MODE"], &after["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]), (&json!("new"), &json!("256")));
        assert_eq!(slow.join().unwrap(), "slept");
    });
    fixture.until("the end of what was before", || state_of(pid.as_i64().unwrap()).is_none());

    let told = done(address, "PUT", &format!("{FUNCTIONS}/f/code"), &json!({"ZipFile": answering("two")}), 200);
    let code = &told["CodeSha256"];
    assert_eq!(invoke(address, "f").1, "\"two\"");
    assert_eq!(&done(address, "GET", &format!("{FUNCTIONS}/f"), &nothing(), 200)["Configuration"]["CodeSha256"], code);
    let dry = json!({"ZipFile": answering("three"), "DryRun": true});
    done(address, "PUT", &format!("{FUNCTIONS}/f/code"), &dry, 200);
    assert_eq!(invoke(address, "f").1, "\"two\"", "a dry run changes nothing");
}

/// Lambda API, PublishVersion, ListVersionsByFunction; developer guide, "Manage Lambda function versions": a version does not
/// change, and what has not changed is not published again.
#[test]
fn a_published_version_stays_as_it_was_and_is_invoked_by_its_number() {
    crate::needs_python!();
    let (fixture, address) = created(&json!({"Code": {"ZipFile": answering("one")}, "Publish": true}));
    let versions = format!("{FUNCTIONS}/f/versions");
    let again = done(address, "POST", &versions, &nothing(), 201);
    assert_eq!((&again["Version"], &again["FunctionArn"]), (&json!("1"), &json!(format!("{ARN}:1"))));
    done(address, "PUT", &format!("{FUNCTIONS}/f/code"), &json!({"ZipFile": answering("two")}), 200);
    for (name, expected) in
        [("f", "\"two\""), ("f?Qualifier=1", "\"one\""), ("f%3A1", "\"one\""), ("f?Qualifier=%24LATEST", "\"two\"")]
    {
        let (name, query) =
            name.split_once('?').map_or((name, String::new()), |(name, query)| (name, format!("?{query}")));
        let (head, answer) = post(address, &format!("{FUNCTIONS}/{name}/invocations{query}"), "", "{}");
        assert_eq!(answer, expected, "{name}{query}: {head}");
        let version = if expected == "\"one\"" { "1" } else { "$LATEST" };
        assert!(head.contains(&format!("X-Amz-Executed-Version: {version}")), "{head}");
    }
    for unknown in ["2", "live"] {
        let (head, _) = post(address, &format!("{FUNCTIONS}/f/invocations?Qualifier={unknown}"), "", "{}");
        assert!(head.contains("x-amzn-ErrorType: ResourceNotFoundException"), "{head}");
    }
    assert_eq!(done(address, "POST", &versions, &json!({"Description": "second"}), 201)["Version"], "2");
    let listed = done(address, "GET", &versions, &nothing(), 200);
    let numbers: Vec<&Value> = listed["Versions"].as_array().unwrap().iter().map(|one| &one["Version"]).collect();
    assert_eq!(numbers, ["$LATEST", "1", "2"]);
    assert_eq!(fixture.emulator.invoke("f:2", b"{}").unwrap(), Outcome::Answered(b"\"two\"".to_vec()));
    done(address, "DELETE", &format!("{FUNCTIONS}/f?Qualifier=1"), &nothing(), 204);
    assert_eq!(refused(address, "GET", &format!("{FUNCTIONS}/f?Qualifier=1"), &nothing()).0, 404);
}

/// Lambda API, DeleteFunction: nobody invokes it any more at once; what is under way ends, and then nothing of it is left.
#[test]
fn a_deleted_function_is_gone_at_once_and_what_is_under_way_ends() {
    crate::needs_python!();
    let (fixture, address) = created(&json!({}));
    let pid = fixture.answer(&json!({"do": "pid"})).as_i64().unwrap();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| fixture.answer(&json!({"do": "sleep", "seconds": 1})));
        fixture.until("its begin", || fixture.log().matches("START ").count() == 2);
        done(address, "DELETE", &format!("{FUNCTIONS}/f"), &nothing(), 204);
        assert_eq!(refused(address, "GET", &format!("{FUNCTIONS}/f"), &nothing()).0, 404);
        assert!(invoke(address, "f").0.contains("ResourceNotFoundException"));
        assert_eq!(slow.join().unwrap(), "slept");
    });
    fixture.until("its process' end", || state_of(pid).is_none());
    done(address, "POST", FUNCTIONS, &body(&json!({"Code": {"ZipFile": answering("anew")}})), 201);
    assert_eq!(invoke(address, "f").1, "\"anew\"");
}

/// README: at the end nothing of it is left, also of what is being deleted.
#[test]
fn an_emulator_that_ends_breaks_off_what_a_deleted_function_still_does() {
    crate::needs_python!();
    let (fixture, address) = created(&json!({"Timeout": 60}));
    let pid = fixture.answer(&json!({"do": "pid"})).as_i64().unwrap();
    let event = json!({"do": "sleep", "seconds": 50}).to_string();
    fixture.emulator.invoke_event("f", event.as_bytes()).unwrap();
    fixture.until("its begin", || fixture.log().matches("START ").count() == 2);
    done(address, "DELETE", &format!("{FUNCTIONS}/f"), &nothing(), 204);
    assert!(state_of(pid).is_some(), "it is under way");
    drop(fixture);
    assert_eq!(state_of(pid), None);
}

/// Lambda API, PutFunctionConcurrency: no more at once; with 0 nothing is invoked.
#[test]
fn reserved_concurrency_limits_how_many_run_at_once() {
    crate::needs_python!();
    let (fixture, address) = created(&json!({}));
    let concurrency = |version: &str| format!("/{version}/functions/f/concurrency");
    let reserve = |count: u64| {
        let told =
            done(address, "PUT", &concurrency("2017-10-31"), &json!({"ReservedConcurrentExecutions": count}), 200);
        assert_eq!(told, json!({"ReservedConcurrentExecutions": count}));
        assert_eq!(done(address, "GET", &concurrency("2019-09-30"), &nothing(), 200), told);
    };
    reserve(1);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| fixture.answer(&json!({"do": "sleep", "seconds": 1})));
        fixture.until("its begin", || fixture.log().matches("START ").count() == 1);
        assert!(invoke(address, "f").0.contains("TooManyRequestsException"));
        slow.join().unwrap();
    });
    reserve(0);
    assert!(invoke(address, "f").0.contains("TooManyRequestsException"));
    done(address, "DELETE", &concurrency("2017-10-31"), &nothing(), 204);
    assert_eq!(done(address, "GET", &concurrency("2019-09-30"), &nothing(), 200), json!({}));
    assert!(invoke(address, "f").0.starts_with("HTTP/1.1 200 "));
}

/// Lambda API, PutFunctionEventInvokeConfig: MaximumRetryAttempts.
#[test]
fn an_event_is_tried_as_often_as_the_invoke_config_says() {
    crate::needs_python!();
    let (fixture, address) = created(&json!({}));
    let path = "/2019-09-25/functions/f/event-invoke-config";
    assert_eq!(refused(address, "GET", path, &nothing()), (404, "ResourceNotFoundException".to_owned()));
    assert_eq!(refused(address, "POST", path, &json!({"MaximumRetryAttempts": 1})).0, 404);
    let destination = json!({"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:1:q"}}});
    assert_eq!(refused(address, "PUT", path, &destination).1, "InvalidParameterValueException");
    assert_eq!(refused(address, "PUT", path, &json!({"MaximumRetryAttempts": 3})).1, "InvalidParameterValueException");
    let told = done(address, "PUT", path, &json!({"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}), 200);
    assert_eq!((&told["MaximumRetryAttempts"], &told["FunctionArn"]), (&json!(0), &json!(format!("{ARN}:$LATEST"))));
    let told = done(address, "POST", path, &json!({"MaximumEventAgeInSeconds": 90}), 200);
    assert_eq!((&told["MaximumRetryAttempts"], &told["MaximumEventAgeInSeconds"]), (&json!(0), &json!(90)));
    fixture.emulator.invoke_event("f", br#"{"do":"error"}"#).unwrap();
    fixture.until("the end of its attempts", || fixture.log().contains("the event is given up after 1 attempts"));
    let listed = done(address, "GET", &format!("{path}/list"), &nothing(), 200);
    assert_eq!(listed["FunctionEventInvokeConfigs"][0]["MaximumEventAgeInSeconds"], 90);
    done(address, "DELETE", path, &nothing(), 204);
    assert_eq!(refused(address, "GET", path, &nothing()).0, 404);
}

/// Lambda API, AddPermission, GetPolicy, RemovePermission; ListTags, TagResource, UntagResource; GetFunctionCodeSigningConfig.
#[test]
fn permissions_and_tags_are_kept_and_told() {
    let (_fixture, address) = created(&json!({"Tags": {"a": "1"}}));
    let policy = format!("{FUNCTIONS}/f/policy");
    let permission =
        json!({"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "scheduler.amazonaws.com"});
    let told = done(address, "POST", &policy, &permission, 201);
    let statement: Value = serde_json::from_str(told["Statement"].as_str().unwrap()).unwrap();
    assert_eq!((&statement["Sid"], &statement["Resource"]), (&json!("s"), &json!(ARN)));
    assert_eq!(refused(address, "POST", &policy, &permission), (409, "ResourceConflictException".to_owned()));
    let told = done(address, "GET", &policy, &nothing(), 200);
    let kept: Value = serde_json::from_str(told["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(kept["Statement"], json!([statement]));
    done(address, "DELETE", &format!("{policy}/s"), &nothing(), 204);
    assert_eq!(refused(address, "DELETE", &format!("{policy}/s"), &nothing()).0, 404);
    assert_eq!(refused(address, "GET", &policy, &nothing()).0, 404);
    done(address, "POST", &format!("{FUNCTIONS}/f/versions"), &nothing(), 201);
    let told = done(address, "POST", &format!("{policy}?Qualifier=1"), &permission, 201);
    assert!(told["Statement"].as_str().unwrap().contains(&format!("{ARN}:1")), "a version has a policy of its own");
    assert_eq!(refused(address, "GET", &policy, &nothing()).0, 404);

    let tags = format!("/2017-03-31/tags/{}", ARN.replace(':', "%3A"));
    done(address, "POST", &tags, &json!({"Tags": {"b": "2", "c d": "3"}}), 204);
    done(address, "DELETE", &format!("{tags}?tagKeys=a&tagKeys=c%20d"), &nothing(), 204);
    assert_eq!(done(address, "GET", &tags, &nothing(), 200), json!({"Tags": {"b": "2"}}));
    let signing = done(address, "GET", "/2020-06-30/functions/f/code-signing-config", &nothing(), 200);
    assert_eq!(signing["CodeSigningConfigArn"], "");
}

/// The states of a mapping that tell that it is being changed.
fn settled(kafka: &Kafka, address: SocketAddr, path: &str) -> Value {
    let mut told = Value::Null;
    kafka.fixture.until("the end of the change", || {
        told = done(address, "GET", path, &nothing(), 200);
        matches!(told["State"].as_str(), Some("Enabled" | "Disabled"))
    });
    told
}

/// Lambda API, Create-, Get-, List-, Update- and DeleteEventSourceMapping: its fields, and its states from Creating to Deleting.
#[test]
fn a_mapping_is_created_changed_and_deleted_while_it_polls() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    let address = kafka.fixture.server.address();
    let created = done(address, "POST", MAPPINGS, &kafka.mapping(&json!({"Tags": {"a": "1"}, "BatchSize": 2})), 202);
    assert_eq!((&created["FunctionArn"], &created["BatchSize"]), (&json!(ARN), &json!(2)));
    let path = format!("{MAPPINGS}/{}", created["UUID"].as_str().unwrap());
    assert_eq!(settled(&kafka, address, &path)["State"], "Enabled");
    kafka.write(0..4);
    kafka.until_committed(4);
    assert!(kafka.offsets().iter().all(|(offsets, _)| offsets.len() <= 2));

    done(address, "PUT", &path, &json!({"Enabled": false}), 202);
    assert_eq!(settled(&kafka, address, &path)["State"], "Disabled");
    kafka.write(4..10);
    let provisioned =
        json!({"Enabled": true, "BatchSize": 6, "MaximumRetryAttempts": 1, PROVISIONED: {"MaximumPollers": 2}});
    done(address, "PUT", &path, &provisioned, 202);
    let told = settled(&kafka, address, &path);
    assert_eq!((&told["State"], &told["BatchSize"]), (&json!("Enabled"), &json!(6)));
    assert_eq!(told[PROVISIONED], json!({"MinimumPollers": 1, "MaximumPollers": 2}));
    kafka.until_committed(10);
    assert_eq!(kafka.offsets().last().unwrap().0, (4..10).collect::<Vec<i64>>());
    // As Terraform's provider ends provisioned mode.
    done(address, "PUT", &path, &json!({"MaximumRetryAttempts": -1, PROVISIONED: {}}), 202);
    let told = settled(&kafka, address, &path);
    assert_eq!((&told["BatchSize"], told.get(PROVISIONED)), (&json!(6), None));

    let listed = |query: &str| {
        let told = done(address, "GET", &format!("{MAPPINGS}?{query}"), &nothing(), 200);
        told["EventSourceMappings"].as_array().unwrap().len()
    };
    assert_eq!((listed("FunctionName=f"), listed("FunctionName=g"), listed("EventSourceArn=arn:x")), (1, 0, 0));
    let arn = told["EventSourceMappingArn"].as_str().unwrap().replace(':', "%3A");
    assert_eq!(done(address, "GET", &format!("/2017-03-31/tags/{arn}"), &nothing(), 200)["Tags"], json!({"a": "1"}));
    for (given, kind) in [
        (json!({"Topics": ["other"]}), "InvalidParameterValueException"),
        (json!({"BatchSize": 0}), "InvalidParameterValueException"),
        (json!({"FunctionName": "nobody"}), "ResourceNotFoundException"),
    ] {
        assert_eq!(refused(address, "PUT", &path, &given).1, kind, "{given}");
    }
    assert_eq!(done(address, "DELETE", &path, &nothing(), 202)["State"], "Deleting");
    kafka.fixture.until("its end", || call(address, "GET", &path, &nothing()).0 == 404);
    // Its group is free again.
    done(address, "POST", MAPPINGS, &kafka.mapping(&json!({})), 202);
}

/// Nothing of AWS's reference: there a mapping is enabled, too, and says why nothing comes; Terraform waits for that state.
#[test]
fn a_mapping_whose_brokers_cannot_be_reached_is_enabled_and_says_so() {
    let (fixture, address) = created(&json!({}));
    let nobody = json!({"FunctionName": "f", "Topics": ["t"], "StartingPosition": "LATEST",
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["127.0.0.1:1"]}}});
    let created = done(address, "POST", MAPPINGS, &nobody, 202);
    assert_eq!((&created["State"], &created["StateTransitionReason"]), (&json!("Creating"), &json!("USER_INITIATED")));
    let path = format!("{MAPPINGS}/{}", created["UUID"].as_str().unwrap());
    let told = || done(address, "GET", &path, &nothing(), 200);
    fixture.until("its state", || told()["State"] == "Enabled");
    let result = told()["LastProcessingResult"].as_str().unwrap().to_owned();
    assert!(result.starts_with("PROBLEM: 127.0.0.1:1: no answer within "), "{result}");
}

/// Lambda API, DeleteEventSourceMapping: "the mapping's State is Deleting"; a batch that is with the function is done and committed.
#[test]
fn a_deleted_mapping_finishes_and_commits_what_is_under_way_and_cannot_be_changed_meanwhile() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    let address = kafka.fixture.server.address();
    kafka.script(0, &["gate"]);
    kafka.write(0..3);
    let created = done(address, "POST", MAPPINGS, &kafka.mapping(&json!({})), 202);
    let path = format!("{MAPPINGS}/{}", created["UUID"].as_str().unwrap());
    kafka.fixture.until("its begin", || kafka.fixture.path("gate").exists());
    done(address, "DELETE", &path, &nothing(), 202);
    assert_eq!(done(address, "GET", &path, &nothing(), 200)["State"], "Deleting");
    assert_eq!(refused(address, "PUT", &path, &json!({"BatchSize": 9})), (400, "ResourceInUseException".to_owned()));
    std::fs::write(kafka.fixture.path("open"), "").unwrap();
    kafka.fixture.until("its end", || call(address, "GET", &path, &nothing()).0 == 404);
    assert_eq!(kafka.committed(), [3]);
}

/// A mapping invokes the function of a name, which is what was deployed last: also one that was created anew.
#[test]
fn a_mapping_invokes_what_was_deployed_last() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    let address = kafka.fixture.server.address();
    kafka.write(0..1);
    kafka.map(&json!({})).unwrap();
    kafka.until_committed(1);
    done(address, "PUT", &format!("{FUNCTIONS}/f/code"), &json!({"ZipFile": answering("other")}), 200);
    kafka.write(1..2);
    kafka.until_committed(2);
    assert_eq!(kafka.noted().len(), 1, "only the code before notes its batches");

    done(address, "DELETE", &format!("{FUNCTIONS}/f"), &nothing(), 204);
    kafka.write(2..3);
    let told = || done(address, "GET", MAPPINGS, &nothing(), 200)["EventSourceMappings"][0].clone();
    let result = "PROBLEM: Function was not called: ResourceNotFoundException: Function not found: ";
    kafka.fixture.until("its complaint", || told()["LastProcessingResult"].as_str().unwrap().starts_with(result));
    assert_eq!(told()["State"], "Enabled");
    done(address, "POST", FUNCTIONS, &body(&json!({"Code": {"ZipFile": answering("anew")}})), 201);
    kafka.until_committed(3);
}
