use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_emulator::{CreateEventSourceMapping, CreateSchedule, Endpoints, Options};
use serde_json::{Value, json};

use crate::fixture::{Fixture, function, zip_of};
use crate::schedules::{BEGIN_MS, HandClock};

const LAMBDA: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

/// AWS's other services, as far as a test says: answers by method and path with its query, or by the action.
#[derive(Clone, Default)]
struct Elsewhere(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    answers: BTreeMap<String, (u16, Vec<u8>)>,
    /// The credential scopes of who asked.
    scopes: Vec<String>,
}

impl Elsewhere {
    fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (elsewhere, address) = (Self::default(), listener.local_addr().unwrap());
        let served = elsewhere.clone();
        // It ends with the tests' process: nothing of it is worth an end of its own.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let served = served.clone();
                std::thread::spawn(move || served.serve(&stream));
            }
        });
        (elsewhere, address)
    }

    fn tell(&self, call: &str, status: u16, body: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().answers.insert(call.to_owned(), (status, body.into()));
    }

    fn scopes(&self) -> Vec<String> {
        self.0.lock().unwrap().scopes.clone()
    }

    /// One request a connection.
    fn serve(&self, mut stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let (mut call, mut length) = (String::new(), 0);
        for (number, line) in
            reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).enumerate()
        {
            let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
            match name.to_ascii_lowercase().as_str() {
                _ if number == 0 => call = line.rsplit_once(' ').unwrap().0.to_owned(),
                "x-amz-target" => call = value.to_owned(),
                "content-length" => length = value.parse().unwrap(),
                "authorization" => self.0.lock().unwrap().scopes.push(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        if let Ok(Value::Object(body)) = serde_json::from_slice(&body) {
            call = format!("{call} {}", body["SecretId"].as_str().unwrap());
        }
        let missing = || (404, b"<Error><Code>NoSuchKey</Code><Message>no key</Message></Error>".to_vec());
        let (status, body) = self.0.lock().unwrap().answers.get(&call).cloned().unwrap_or_else(missing);
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).unwrap_or_default();
    }
}

fn fixture() -> (Fixture, Elsewhere, SocketAddr) {
    fixture_with(|_| ())
}

fn fixture_with(change: impl FnOnce(&mut Options)) -> (Fixture, Elsewhere, SocketAddr) {
    let (elsewhere, address) = Elsewhere::start();
    let endpoints = Endpoints::at(&format!("http://{address}"), "us-east-1").unwrap();
    let fixture = Fixture::with_options(|options| {
        options.endpoints = endpoints;
        change(options);
    });
    (fixture, elsewhere, address)
}

/// Lambda API, FunctionCode: S3Bucket, S3Key, S3ObjectVersion. SDKs reference, "Service-specific endpoints".
#[test]
fn a_functions_zip_comes_from_s3_where_the_environment_says_it_is() {
    crate::needs_python!();
    let (fixture, elsewhere, _) = fixture();
    elsewhere.tell("GET /code/of/f%201.zip?versionId=v%2B1", 200, STANDARD.decode(zip_of("bootstrap", 0o755)).unwrap());
    let code = |key: &str| json!({"Code": {"S3Bucket": "code", "S3Key": key, "S3ObjectVersion": "v+1"}});
    let refused = fixture.emulator.create_function(&function(&code("none"))).unwrap_err();
    assert_eq!(refused.kind, "InvalidParameterValueException");
    let expected = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: no key";
    assert!(refused.message.starts_with(expected), "{refused}");
    fixture.emulator.create_function(&function(&code("of/f 1.zip"))).unwrap();
    assert_eq!(fixture.answer(&json!({"do": "done"})), Value::Null);
    let scope = "Credential=emulated/19700101/us-east-1/s3/aws4_request";
    assert!(elsewhere.scopes().iter().any(|found| found.contains(scope)), "{:?}", elsewhere.scopes());
}

/// Lambda API, SourceAccessConfigurations; "Service-specific endpoints": a function's SDK finds the same Secrets Manager.
#[test]
fn secrets_come_from_where_the_environment_says_for_mappings_and_functions() {
    crate::needs_python!();
    let (fixture, elsewhere, address) = fixture();
    fixture.emulator.create_function(&function(&json!({}))).unwrap();
    let found = fixture.answer(&json!({"do": "environment"}));
    assert_eq!(found["AWS_ENDPOINT_URL_SECRETS_MANAGER"], format!("http://{address}"));
    let user = json!({"SecretString": r#"{"username":"shop","password":"hidden"}"#}).to_string();
    elsewhere.tell("secretsmanager.GetSecretValue user", 200, user);
    elsewhere.tell(
        "secretsmanager.GetSecretValue ca",
        200,
        json!({"SecretString": r#"{"certificate":"c"}"#}).to_string(),
    );
    elsewhere.tell("secretsmanager.GetSecretValue none", 400, r#"{"__type":"ResourceNotFoundException"}"#);
    let map = |user: &str, ca: &str| {
        let body = json!({"FunctionName": "f", "Topics": ["t"], "StartingPosition": "LATEST", "Enabled": false,
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:9093"]}},
            "SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": user},
                {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": ca}]});
        let body: CreateEventSourceMapping = serde_json::from_value(body).unwrap();
        fixture.emulator.create_event_source_mapping(body).map_err(|error| error.to_string())
    };
    map("user", "ca").unwrap();
    for (user, ca, reason) in [
        ("none", "ca", "secret none: http://"),
        ("user", "none", "ResourceNotFoundException"),
        ("ca", "ca", "secret ca: allowed {\"username\": .., \"password\": ..}"),
    ] {
        let refused = map(user, ca).unwrap_err();
        assert!(refused.starts_with("InvalidParameterValueException: ") && refused.contains(reason), "{refused}");
        assert!(!refused.contains("hidden"), "{refused}");
    }
}

/// EventBridge Scheduler API, ListSchedules and GetSchedule: created, changed and deleted elsewhere; other targets are left alone.
#[test]
fn schedules_of_another_scheduler_invoke_functions_as_long_as_they_are_there() {
    crate::needs_python!();
    let clock = Arc::new(HandClock(AtomicU64::new(BEGIN_MS)));
    let (fixture, elsewhere, _) = fixture_with(|options| options.clock = Arc::clone(&clock) as _);
    fixture.emulator.create_function(&function(&json!({}))).unwrap();
    let summary = |name: &str, target: &str| {
        json!({"Arn": format!("arn:aws:scheduler:us-east-1:1:schedule/default/{name}"), "Name": name, "GroupName": "default",
            "State": "ENABLED", "Target": {"Arn": target}})
    };
    let list = |all: &[Value]| {
        elsewhere.tell("GET /schedules?MaxResults=100", 200, json!({"Schedules": all, "NextToken": null}).to_string());
    };
    let body = |name: &str, text: &str| {
        json!({"Name": name, "ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": LAMBDA, "RoleArn": "arn:aws:iam::1:role/r",
                "Input": json!({"do": "print", "text": text}).to_string()}})
    };
    let schedule = |text: &str| {
        let mut told = summary("s", LAMBDA);
        told.as_object_mut().unwrap().extend(body("s", text).as_object().unwrap().clone());
        let more = json!({"ScheduleExpressionTimezone": "UTC", "CreationDate": 1.5, "Description": null,
            "ActionAfterCompletion": "NONE"});
        told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        told["Target"]["DeadLetterConfig"] = Value::Null;
        elsewhere.tell("GET /schedules/s?groupName=default", 200, told.to_string());
    };
    let printed = |text: &str| fixture.log().matches(&format!("{text}\n")).count();
    let other = summary("stop", "arn:aws:scheduler:::aws-sdk:ec2:stopInstances");
    schedule("first");
    list(&[other.clone(), summary("s", LAMBDA)]);
    fixture.until("its event", || printed("first") == 1);
    schedule("second");
    fixture.until("the changed one's event", || printed("second") == 1);

    list(&[other]);
    let asked = elsewhere.scopes().len();
    fixture.until("two looks", || elsewhere.scopes().len() >= asked + 2);
    clock.0.fetch_add(120_000, Ordering::AcqRel);
    // The emulator's own is looked at behind the others: once it has fired, they would have, too.
    fixture.emulator.create_schedule(&CreateSchedule::from_json(body("own", "third")).unwrap()).unwrap();
    fixture.until("its event", || printed("third") == 1);
    assert_eq!((printed("first"), printed("second"), fixture.log().matches("START ").count()), (1, 1, 3));
}
