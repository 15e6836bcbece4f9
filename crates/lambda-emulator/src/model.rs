//! Functions and mappings, as the bodies of AWS's API describe them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kafka_transport::Connection;
use serde::Deserialize;

use crate::AwsError;
use crate::secrets::Secrets;

/// The body of `CreateFunction`. What it has beyond this is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct CreateFunction {
    /// Its name.
    pub function_name: String,
    /// `provided.al2023` or `provided.al2`: whatever the zip's `bootstrap` is.
    pub runtime: String,
    /// Passed on as `_HANDLER`.
    #[serde(default)]
    pub handler: String,
    /// Not looked at.
    #[serde(default)]
    pub role: Option<String>,
    /// Where its zip is.
    pub code: Code,
    /// In seconds, 1 to 900.
    #[serde(default = "default_timeout")]
    pub timeout: u64,
    /// In MiB, 128 to 10240.
    #[serde(default = "default_memory")]
    pub memory_size: u64,
    /// Its own variables.
    #[serde(default)]
    pub environment: Environment,
}

/// The code of a function.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Code {
    /// The zip in base64, or `fileb://PATH`, as the `aws` command has it.
    pub zip_file: String,
}

/// Variables of a function. `Debug` has their names: values may be passwords.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Environment {
    /// By name.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

const fn default_timeout() -> u64 {
    3
}

const fn default_memory() -> u64 {
    128
}

/// Names that Lambda keeps for itself.
const RESERVED: [&str; 16] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
];

impl CreateFunction {
    /// Looks whether the numbers and names are ones that Lambda takes.
    pub(crate) fn check(&self) -> Result<(), AwsError> {
        let name = &self.function_name;
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        if !(1..=64).contains(&name.len()) || !name.chars().all(is_allowed) {
            return refuse(format!("FunctionName: found {name:?}, allowed 1 to 64 of A-Z a-z 0-9 - _"));
        }
        if !matches!(self.runtime.as_str(), "provided.al2023" | "provided.al2") {
            let found = &self.runtime;
            return refuse(format!("Runtime: found {found:?}, this emulator runs provided.al2023 and provided.al2"));
        }
        within("Timeout", self.timeout, 1, 900)?;
        within("MemorySize", self.memory_size, 128, 10_240)?;
        match self.environment.variables.keys().find(|name| RESERVED.contains(&name.as_str())) {
            Some(name) => refuse(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {name}"
            )),
            None => Ok(()),
        }
    }
}

/// The body of `CreateEventSourceMapping`, as far as self-managed Kafka has it. What it has beyond this is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct CreateEventSourceMapping {
    /// Whom it invokes.
    pub function_name: String,
    /// Exactly one topic.
    pub topics: Vec<String>,
    /// The brokers.
    pub self_managed_event_source: SelfManagedEventSource,
    /// The group.
    #[serde(default)]
    pub self_managed_kafka_event_source_config: KafkaConfig,
    /// Who we are to the brokers and whom we trust: `SASL_SCRAM_512_AUTH` and `SERVER_ROOT_CA_CERTIFICATE`, each with the id
    /// of a secret; the VPC's are not looked at.
    #[serde(default)]
    pub source_access_configurations: Vec<SourceAccessConfiguration>,
    /// `TRIM_HORIZON`, `LATEST` or `AT_TIMESTAMP`.
    pub starting_position: String,
    /// In seconds since 1970, for `AT_TIMESTAMP`.
    #[serde(default)]
    pub starting_position_timestamp: Option<f64>,
    /// Records of a batch at most.
    #[serde(default = "default_batch_size")]
    pub batch_size: u64,
    /// How long a batch collects; half a second if absent.
    #[serde(default)]
    pub maximum_batching_window_in_seconds: Option<u64>,
    /// -1 for ever.
    #[serde(default = "forever")]
    pub maximum_retry_attempts: i64,
    /// `ReportBatchItemFailures` or nothing.
    #[serde(default)]
    pub function_response_types: Vec<String>,
    /// Present in provisioned mode.
    #[serde(default)]
    pub provisioned_poller_config: Option<ProvisionedPollerConfig>,
    /// Whether it polls.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

/// Where the brokers are.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SelfManagedEventSource {
    /// Under `KAFKA_BOOTSTRAP_SERVERS`.
    pub endpoints: BTreeMap<String, Vec<String>>,
}

/// One of a mapping's credentials or networks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceAccessConfiguration {
    /// What it is.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The id of a secret, or a subnet or security group.
    #[serde(rename = "URI")]
    pub uri: String,
}

/// The mapping's group.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct KafkaConfig {
    /// The mapping's UUID if absent.
    #[serde(default)]
    pub consumer_group_id: Option<String>,
}

/// Pollers that are paid by the hour. They are not scaled here: from the first record on there are as many as there may be.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ProvisionedPollerConfig {
    /// 1 to 200.
    #[serde(default)]
    pub minimum_pollers: Option<u64>,
    /// 1 to 2000.
    #[serde(default)]
    pub maximum_pollers: Option<u64>,
}

/// Where nobody says how many pollers there may be.
const DEFAULT_POLLERS: u64 = 200;

const fn default_batch_size() -> u64 {
    100
}

const fn forever() -> i64 {
    -1
}

const fn enabled() -> bool {
    true
}

impl CreateEventSourceMapping {
    /// Looks whether it is a mapping that AWS would take. `groups` are those of the other Kafka mappings.
    pub(crate) fn check(&self, groups: &BTreeSet<String>) -> Result<(), AwsError> {
        if self.topics.len() != 1 {
            return refuse(format!("Topics: found {}, allowed exactly 1", self.topics.len()));
        }
        if !is_topic(&self.topics[0]) {
            let found = &self.topics[0];
            return refuse(format!("Topics: found {found:?}, allowed 1 to 249 of A-Z a-z 0-9 . _ -, and no dot first"));
        }
        let brokers = self.brokers();
        if let Some(found) = brokers.iter().find(|broker| !is_endpoint(broker)) {
            return refuse(format!("SelfManagedEventSource.Endpoints: found {found:?}, allowed HOST:PORT"));
        }
        if !(1..=10).contains(&brokers.len()) || self.self_managed_event_source.endpoints.len() != 1 {
            return refuse(
                "SelfManagedEventSource.Endpoints: allowed KAFKA_BOOTSTRAP_SERVERS with 1 to 10 host:port".into(),
            );
        }
        if let Some(group) = &self.self_managed_kafka_event_source_config.consumer_group_id {
            if !(1..=200).contains(&group.len()) {
                return refuse("ConsumerGroupId: allowed 1 to 200 characters".into());
            }
            if groups.contains(group) {
                return Err(AwsError::conflict(format!(
                    "ConsumerGroupId {group} is used by another Kafka event source mapping"
                )));
            }
        }
        match (self.starting_position.as_str(), self.starting_position_timestamp) {
            ("TRIM_HORIZON" | "LATEST", None) | ("AT_TIMESTAMP", Some(_)) => {}
            (found, _) => {
                return refuse(format!(
                    "StartingPosition: found {found}, allowed TRIM_HORIZON, LATEST, or AT_TIMESTAMP with StartingPositionTimestamp"
                ));
            }
        }
        within("BatchSize", self.batch_size, 1, 10_000)?;
        within("MaximumBatchingWindowInSeconds", self.maximum_batching_window_in_seconds.unwrap_or(0), 0, 300)?;
        if !(-1..=10_000).contains(&self.maximum_retry_attempts) {
            let found = self.maximum_retry_attempts;
            return refuse(format!("MaximumRetryAttempts: found {found}, allowed -1 to 10000"));
        }
        if self.function_response_types.iter().any(|found| found != "ReportBatchItemFailures") {
            return refuse("FunctionResponseTypes: allowed ReportBatchItemFailures".into());
        }
        if let Some(pollers) = &self.provisioned_poller_config {
            within("MinimumPollers", pollers.minimum_pollers.unwrap_or(1), 1, 200)?;
            within("MaximumPollers", pollers.maximum_pollers.unwrap_or(DEFAULT_POLLERS), 1, 2_000)?;
            let (least, most) = (pollers.minimum_pollers.unwrap_or(1), self.pollers().unwrap_or(DEFAULT_POLLERS));
            if least > most {
                return refuse(format!("MinimumPollers: found {least}, allowed no more than MaximumPollers, {most}"));
            }
        } else if !self.function_response_types.is_empty() || self.maximum_retry_attempts != -1 {
            return refuse("FunctionResponseTypes and MaximumRetryAttempts are for mappings with ProvisionedPollerConfig: on-demand mode retries a failing batch for ever".into());
        }
        Ok(())
    }

    /// How the brokers are reached: in plaintext, or behind TLS with the user and the CA that `secrets` hold by their ids.
    pub(crate) fn connection(&self, secrets: &Secrets) -> Result<Connection, AwsError> {
        #[derive(Deserialize)]
        struct User {
            username: String,
            password: String,
        }
        #[derive(Deserialize)]
        struct Ca {
            certificate: String,
        }
        let mut user: Option<User> = None;
        let mut ca: Option<Ca> = None;
        for SourceAccessConfiguration { kind, uri } in &self.source_access_configurations {
            match kind.as_str() {
                "SASL_SCRAM_512_AUTH" => user = Some(secret(secrets, uri, "{\"username\": .., \"password\": ..}")?),
                "SERVER_ROOT_CA_CERTIFICATE" => ca = Some(secret(secrets, uri, "{\"certificate\": ..}")?),
                "VPC_SUBNET" | "VPC_SECURITY_GROUP" => {} // there is one network here
                found => {
                    let known = "SASL_SCRAM_512_AUTH, SERVER_ROOT_CA_CERTIFICATE, VPC_SUBNET and VPC_SECURITY_GROUP";
                    return Err(AwsError::invalid_parameter(format!(
                        "SourceAccessConfigurations: found {found}, this emulator takes {known}"
                    )));
                }
            }
        }
        let brokers = self.brokers().join(",");
        match (user, ca) {
            (None, None) => Ok(Connection::plaintext(&brokers)),
            (Some(User { username, password }), Some(Ca { certificate })) => {
                Ok(Connection::sasl_ssl(&brokers, &username, &password, kafka_transport::Ca::Pem(certificate)))
            }
            _ => Err(AwsError::invalid_parameter(
                "SourceAccessConfigurations: SASL_SCRAM_512_AUTH is for TLS only, and here the brokers' CA is a private one: give \
                 SERVER_ROOT_CA_CERTIFICATE beside it, or neither",
            )),
        }
    }

    pub(crate) fn brokers(&self) -> &[String] {
        self.self_managed_event_source.endpoints.get("KAFKA_BOOTSTRAP_SERVERS").map_or(&[], Vec::as_slice)
    }

    /// How many pollers there may be; `None` in on-demand mode.
    pub(crate) fn pollers(&self) -> Option<u64> {
        let provisioned = self.provisioned_poller_config.as_ref();
        provisioned.map(|pollers| pollers.maximum_pollers.unwrap_or(DEFAULT_POLLERS))
    }

    /// Whether it reads partial batch responses.
    pub(crate) fn reports_failures(&self) -> bool {
        !self.function_response_types.is_empty()
    }
}

/// As the API's reference has a topic.
fn is_topic(name: &str) -> bool {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    (1..=249).contains(&name.len()) && !name.starts_with('.') && name.chars().all(is_allowed)
}

/// As the API's reference has a broker: 300 characters at most, host and port.
fn is_endpoint(broker: &str) -> bool {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
    broker.len() <= 300
        && broker.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && host.chars().all(is_allowed) && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
}

/// The content of a secret. What is in it is never told.
fn secret<'s, T: Deserialize<'s>>(secrets: &'s Secrets, id: &str, form: &str) -> Result<T, AwsError> {
    let text = secrets.text(id).ok_or_else(|| AwsError::invalid_parameter(format!("there is no secret {id}")))?;
    serde_json::from_str(text).map_err(|_| AwsError::invalid_parameter(format!("secret {id}: allowed {form}")))
}

fn refuse(message: String) -> Result<(), AwsError> {
    Err(AwsError::invalid_parameter(message))
}

fn within(name: &str, found: u64, least: u64, most: u64) -> Result<(), AwsError> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        refuse(format!("{name}: found {found}, allowed {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = r#"{"FunctionName":"f","Runtime":"provided.al2023","Code":{"ZipFile":""}}"#;
    const MAPPING: &str = r#"{"FunctionName":"f","Topics":["t"],"StartingPosition":"TRIM_HORIZON",
        "SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["a:9092"]}}}"#;

    fn function(from: &str, to: &str) -> Result<(), String> {
        let body: CreateFunction =
            serde_json::from_str(&FUNCTION.replace(from, to)).map_err(|error| error.to_string())?;
        body.check().map_err(|error| error.to_string())
    }

    fn mapping(more: &str) -> Result<(), String> {
        let text = MAPPING.replacen('{', &format!("{{{more}"), 1);
        let body: CreateEventSourceMapping = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        body.check(&BTreeSet::from(["used".to_owned()])).map_err(|error| error.to_string())
    }

    #[test]
    fn what_lambda_takes_is_taken() {
        assert_eq!(function("", ""), Ok(()));
        for more in [
            "",
            r#""BatchSize":10000,"MaximumBatchingWindowInSeconds":300,"#,
            r#""ProvisionedPollerConfig":{},"FunctionResponseTypes":["ReportBatchItemFailures"],"MaximumRetryAttempts":3,"#,
            r#""SelfManagedKafkaEventSourceConfig":{"ConsumerGroupId":"free"},"#,
        ] {
            assert_eq!(mapping(more), Ok(()), "{more}");
        }
    }

    #[test]
    fn a_functions_variables_are_told_by_their_names_alone() {
        let text = FUNCTION.replace("\"Code\"", r#""Environment":{"Variables":{"KAFKA_PASSWORD":"hidden"}},"Code""#);
        let body: CreateFunction = serde_json::from_str(&text).unwrap();
        let told = format!("{body:?}");
        assert!(told.contains("KAFKA_PASSWORD") && !told.contains("hidden"), "{told}");
    }

    #[test]
    fn a_function_that_lambda_refuses_is_refused() {
        for (from, to, reason) in [
            ("\"f\"", "\"a b\"", "FunctionName: found \"a b\""),
            ("provided.al2023", "python3.13", "Runtime: found \"python3.13\""),
            ("\"Code\"", "\"Timeout\":901,\"Code\"", "Timeout: found 901, allowed 1 to 900"),
            ("\"Code\"", "\"MemorySize\":64,\"Code\"", "MemorySize: found 64, allowed 128 to 10240"),
            ("\"Code\"", "\"Environment\":{\"Variables\":{\"_HANDLER\":\"x\"}},\"Code\"", "reserved keys"),
            ("\"Code\"", "\"VpcConfig\":{},\"Code\"", "unknown field `VpcConfig`"),
        ] {
            let refused = function(from, to).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn credentials_come_from_secrets_and_both_of_them_or_none() {
        let user = ("user".to_owned(), r#"{"username":"shop","password":"hidden"}"#.to_owned());
        let ca = ("ca".to_owned(), r#"{"certificate":"-----BEGIN CERTIFICATE-----"}"#.to_owned());
        let secrets = Secrets::new("us-east-1", BTreeMap::from([user, ca]));
        let connection = |configurations: &[(&str, &str)]| {
            let mut body: CreateEventSourceMapping = serde_json::from_str(MAPPING).unwrap();
            let of = |&(kind, uri): &(&str, &str)| SourceAccessConfiguration { kind: kind.into(), uri: uri.into() };
            body.source_access_configurations = configurations.iter().map(of).collect();
            body.connection(&secrets).map(|connection| format!("{connection:?}")).map_err(|error| error.message)
        };
        let (scram, root) = ("SASL_SCRAM_512_AUTH", "SERVER_ROOT_CA_CERTIFICATE");
        assert_eq!(connection(&[]), Ok("a:9092 in plaintext".into()));
        assert_eq!(
            connection(&[(scram, "user"), (root, "ca"), ("VPC_SUBNET", "subnet:1")]),
            Ok("a:9092 as shop".into())
        );
        for (configurations, reason) in [
            (&[(scram, "user")][..], "SASL_SCRAM_512_AUTH is for TLS only"),
            (&[(scram, "none"), (root, "ca")], "there is no secret none"),
            (&[(scram, "ca"), (root, "ca")], "secret ca: allowed {\"username\": .., \"password\": ..}"),
            (&[("BASIC_AUTH", "user")], "found BASIC_AUTH"),
        ] {
            let refused = connection(configurations).unwrap_err();
            assert!(refused.contains(reason) && !refused.contains("hidden"), "{refused}");
        }
    }

    #[test]
    fn a_mapping_that_aws_refuses_is_refused() {
        for (more, reason) in [
            (r#""BatchSize":10001,"#, "BatchSize: found 10001, allowed 1 to 10000"),
            (r#""FunctionResponseTypes":["ReportBatchItemFailures"],"#, "ProvisionedPollerConfig"),
            (r#""MaximumRetryAttempts":2,"#, "ProvisionedPollerConfig"),
            (
                r#""ProvisionedPollerConfig":{"MinimumPollers":3,"MaximumPollers":2},"#,
                "MinimumPollers: found 3, allowed no more than MaximumPollers, 2",
            ),
            (r#""FunctionResponseTypes":["Other"],"#, "FunctionResponseTypes"),
            (r#""SelfManagedKafkaEventSourceConfig":{"ConsumerGroupId":"used"},"#, "ResourceConflictException"),
            (r#""StartingPositionTimestamp":1,"#, "StartingPosition"),
            (r#""FilterCriteria":{},"#, "unknown field `FilterCriteria`"),
            (r#""BisectBatchOnFunctionError":true,"#, "unknown field `BisectBatchOnFunctionError`"),
            (r#""ParallelizationFactor":2,"#, "unknown field `ParallelizationFactor`"),
        ] {
            let refused = mapping(more).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        for (from, to, reason) in [
            (r#"["t"]"#, r#"["t","u"]"#, "Topics: found 2, allowed exactly 1"),
            (r#"["t"]"#, r#"[""]"#, "Topics: found \"\", allowed 1 to 249"),
            ("a:9092", "a", "SelfManagedEventSource.Endpoints: found \"a\", allowed HOST:PORT"),
            ("a:9092", "a:99999", "SelfManagedEventSource.Endpoints: found \"a:99999\""),
        ] {
            let body: CreateEventSourceMapping = serde_json::from_str(&MAPPING.replace(from, to)).unwrap();
            let refused = body.check(&BTreeSet::new()).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
