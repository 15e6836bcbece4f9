use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::fixture::{Fixture, function, post};

const USER: &str = r#"{"username":"shop","password":"hidden"}"#;

fn fixture() -> Fixture {
    Fixture::with_secrets(BTreeMap::from([("shop/user".to_owned(), USER.to_owned())]))
}

/// Asks as an SDK does; gives status and body.
#[track_caller]
fn ask(address: SocketAddr, action: &str, body: &Value) -> (String, Value) {
    let headers = format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: {action}\r\n");
    let (head, body) = post(address, "/", &headers, &body.to_string());
    assert!(head.contains("\r\nContent-Type: application/x-amz-json-1.1"), "{head}");
    (head.split(' ').nth(1).unwrap().to_owned(), serde_json::from_str(&body).unwrap())
}

fn get(address: SocketAddr, body: &Value) -> (String, Value) {
    ask(address, "secretsmanager.GetSecretValue", body)
}

/// Secrets Manager API, "GetSecretValue": the response's fields; by name and by ARN, and the current version by its label.
#[test]
fn a_secret_is_answered_with_its_text_and_its_version() {
    let fixture = fixture();
    let address = fixture.server.address();
    let (status, answer) = get(address, &json!({"SecretId": "shop/user"}));
    assert_eq!((status.as_str(), &answer["SecretString"]), ("200", &json!(USER)));
    assert_eq!((&answer["Name"], &answer["VersionStages"]), (&json!("shop/user"), &json!(["AWSCURRENT"])));
    let arn = answer["ARN"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:shop/user-"), "{arn}");
    assert!(answer["VersionId"].as_str().unwrap().len() >= 32 && answer["CreatedDate"].is_number());
    for more in [json!({"VersionStage": "AWSCURRENT"}), json!({"VersionId": answer["VersionId"]}), json!({})] {
        let mut body = json!({"SecretId": arn});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(get(address, &body), ("200".to_owned(), answer.clone()), "{body}");
    }
}

/// Secrets Manager API, "Common errors" and those of GetSecretValue: status 400, the type in `__type`.
#[test]
fn what_is_not_there_or_not_known_is_refused_with_awss_error_type() {
    let fixture = fixture();
    let address = fixture.server.address();
    let cannot = "Secrets Manager can't find the specified secret";
    for (body, kind, message) in [
        (json!({"SecretId": "none"}), "ResourceNotFoundException", format!("{cannot}.")),
        (
            json!({"SecretId": "shop/user", "VersionStage": "AWSPREVIOUS"}),
            "ResourceNotFoundException",
            format!("{cannot} value for staging label: AWSPREVIOUS"),
        ),
        (
            json!({"SecretId": "shop/user", "VersionId": "1"}),
            "ResourceNotFoundException",
            format!("{cannot} value for VersionId: 1"),
        ),
        (json!({}), "ValidationException", "SecretId: found none, allowed a secret's name or ARN".to_owned()),
    ] {
        assert_eq!(get(address, &body), ("400".to_owned(), json!({"__type": kind, "Message": message})), "{body}");
    }
    assert_eq!(get(address, &json!([])).1["__type"], "SerializationException");
    for action in ["secretsmanager.PutSecretValue", "secretsmanager.ListSecrets", "AWSLambda.Invoke"] {
        let (status, answer) = ask(address, action, &json!({"SecretId": "shop/user"}));
        assert_eq!((status.as_str(), &answer["__type"]), ("400", &json!("UnknownOperationException")), "{action}");
    }
}

/// SDKs reference, "Service-specific endpoints"; developer guide, "Defined runtime environment variables".
#[test]
fn a_functions_sdk_finds_the_endpoint_and_keys_in_its_environment_where_there_are_secrets() {
    let fixture = fixture();
    fixture.emulator.create_function(&function(&json!({}))).unwrap();
    let found = fixture.answer(&json!({"do": "environment"}));
    for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assert!(found[name].is_string(), "{name}");
    }
    let endpoint = found["AWS_ENDPOINT_URL_SECRETS_MANAGER"].as_str().unwrap();
    let address = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
    assert_eq!(get(address, &json!({"SecretId": "shop/user"})).1["SecretString"], USER);
    assert!(!fixture.log().contains("hidden"), "{}", fixture.log());

    let without = Fixture::with(&json!({}));
    assert_eq!(without.answer(&json!({"do": "environment"})).get("AWS_ENDPOINT_URL_SECRETS_MANAGER"), None);
}

/// A function's own variables go before those of the emulator, but for what Lambda keeps for itself.
#[test]
fn a_function_may_be_told_another_endpoint_and_no_other_keys() {
    let fixture = fixture();
    let own = json!({"Environment": {"Variables": {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://own:1"}}});
    fixture.emulator.create_function(&function(&own)).unwrap();
    assert_eq!(fixture.answer(&json!({"do": "environment"}))["AWS_ENDPOINT_URL_SECRETS_MANAGER"], "http://own:1");
    let keys = json!({"FunctionName": "g", "Environment": {"Variables": {"AWS_SESSION_TOKEN": "x"}}});
    let refused = fixture.emulator.create_function(&function(&keys)).unwrap_err();
    assert!(refused.message.ends_with("Reserved keys used in this request: AWS_SESSION_TOKEN"), "{refused}");
}

/// Nothing of AWS: there a right decides, here that nobody else is on the machine.
#[test]
fn who_may_come_from_another_machine_is_told_no_secret() {
    let fixture = fixture();
    let open = fixture.emulator.serve(([0, 0, 0, 0], 0).into()).unwrap();
    let headers = "X-Amz-Target: secretsmanager.GetSecretValue\r\n";
    let address = ([127, 0, 0, 1], open.address().port()).into();
    let (head, body) = post(address, "/", headers, r#"{"SecretId":"shop/user"}"#);
    assert!(head.starts_with("HTTP/1.1 404 ") && !body.contains("hidden"), "{head}\n{body}");
}
