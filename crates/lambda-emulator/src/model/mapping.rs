use std::collections::{BTreeMap, BTreeSet};

use kafka_transport::Connection;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::function::check_tags;
use super::{NoDestination, refuse, updated, within};
use crate::AwsError;
use crate::secrets::SecretsManager;

/// The body of `CreateEventSourceMapping`, as far as self-managed Kafka has it. What it has beyond this is refused.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_position_timestamp: Option<f64>,
    /// Records of a batch at most.
    #[serde(default = "default_batch_size")]
    pub batch_size: u64,
    /// How long a batch collects; half a second if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_batching_window_in_seconds: Option<u64>,
    /// -1 for ever.
    #[serde(default = "forever")]
    pub maximum_retry_attempts: i64,
    /// `ReportBatchItemFailures` or nothing.
    #[serde(default)]
    pub function_response_types: Vec<String>,
    /// Present in provisioned mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned_poller_config: Option<ProvisionedPollerConfig>,
    /// Whether it polls.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// By key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// -1: records of any age.
    #[serde(default = "forever")]
    pub maximum_record_age_in_seconds: i64,
    /// `false`: a failing batch comes again as it was.
    #[serde(default)]
    pub bisect_batch_on_function_error: bool,
    /// Only as it is without: records that are given up go nowhere.
    #[serde(default)]
    pub destination_config: NoDestination,
    /// Kept.
    #[serde(default, rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
}

/// Where the brokers are.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SelfManagedEventSource {
    /// Under `KAFKA_BOOTSTRAP_SERVERS`.
    pub endpoints: BTreeMap<String, Vec<String>>,
}

/// One of a mapping's credentials or networks.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct KafkaConfig {
    /// The mapping's UUID if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_group_id: Option<String>,
}

/// Pollers that are paid by the hour. They are not scaled here: from the first record on there are as many as there may be.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ProvisionedPollerConfig {
    /// 1 to 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_pollers: Option<u64>,
    /// 1 to 2000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_pollers: Option<u64>,
}

impl ProvisionedPollerConfig {
    fn with_defaults(&self) -> Value {
        let (least, most) = (self.minimum_pollers.unwrap_or(1), self.maximum_pollers.unwrap_or(DEFAULT_POLLERS));
        json!({"MinimumPollers": least, "MaximumPollers": most})
    }
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
        if self.maximum_record_age_in_seconds != -1 || self.bisect_batch_on_function_error {
            return refuse(
                "MaximumRecordAgeInSeconds, BisectBatchOnFunctionError: this emulator takes -1 and false".into(),
            );
        }
        check_tags(&self.tags)?;
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
    pub(crate) fn connection(&self, secrets: &SecretsManager) -> Result<Connection, AwsError> {
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

    /// With what `UpdateEventSourceMapping` changes.
    pub(crate) fn updated(&self, changes: Map<String, Value>) -> Result<Self, AwsError> {
        let fixed = [
            "Topics",
            "StartingPosition",
            "StartingPositionTimestamp",
            "SelfManagedEventSource",
            "SelfManagedKafkaEventSourceConfig",
            "Tags",
        ];
        let pollers = changes.get("ProvisionedPollerConfig").and_then(Value::as_object);
        let ends_provisioned_mode = pollers.is_some_and(Map::is_empty);
        let mut body = updated(self, changes, &fixed)?;
        // When a mapping is created, an empty one asks for all the defaults.
        if ends_provisioned_mode {
            body.provisioned_poller_config = None;
        }
        Ok(body)
    }

    /// What it tells of itself, as `EventSourceMappingConfiguration` has it, but for what changes while it works.
    pub(crate) fn configuration(&self, group: &str) -> Value {
        let mut all = json!({
            "BatchSize": self.batch_size, "StartingPosition": self.starting_position, "Topics": self.topics,
            "SelfManagedEventSource": self.self_managed_event_source, "FunctionResponseTypes": self.function_response_types,
            "SourceAccessConfigurations": self.source_access_configurations,
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group},
            "MaximumRetryAttempts": self.maximum_retry_attempts,
            "MaximumRecordAgeInSeconds": self.maximum_record_age_in_seconds,
            "BisectBatchOnFunctionError": self.bisect_batch_on_function_error, "DestinationConfig": {"OnFailure": {}},
        });
        for (name, value) in [
            ("StartingPositionTimestamp", self.starting_position_timestamp.map(|seconds| json!(seconds))),
            ("MaximumBatchingWindowInSeconds", self.maximum_batching_window_in_seconds.map(|seconds| json!(seconds))),
            ("KMSKeyArn", self.kms_key_arn.as_ref().map(|arn| json!(arn))),
            (
                "ProvisionedPollerConfig",
                self.provisioned_poller_config.as_ref().map(ProvisionedPollerConfig::with_defaults),
            ),
        ] {
            if let Some(value) = value {
                all[name] = value;
            }
        }
        all
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
fn secret<T: DeserializeOwned>(secrets: &SecretsManager, id: &str, form: &str) -> Result<T, AwsError> {
    let text = secrets.text(id)?;
    serde_json::from_str(&text).map_err(|_| AwsError::invalid_parameter(format!("secret {id}: allowed {form}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::secrets::Secrets;

    const MAPPING: &str = r#"{"FunctionName":"f","Topics":["t"],"StartingPosition":"TRIM_HORIZON",
        "SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["a:9092"]}}}"#;

    fn mapping(more: &str) -> Result<(), String> {
        let text = MAPPING.replacen('{', &format!("{{{more}"), 1);
        let body: CreateEventSourceMapping = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        body.check(&BTreeSet::from(["used".to_owned()])).map_err(|error| error.to_string())
    }

    #[test]
    fn what_lambda_takes_is_taken() {
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
    fn credentials_come_from_secrets_and_both_of_them_or_none() {
        let user = ("user".to_owned(), r#"{"username":"shop","password":"hidden"}"#.to_owned());
        let ca = ("ca".to_owned(), r#"{"certificate":"-----BEGIN CERTIFICATE-----"}"#.to_owned());
        let secrets = SecretsManager::Own(Arc::new(Secrets::new("us-east-1", BTreeMap::from([user, ca]))));
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
            (r#""BisectBatchOnFunctionError":true,"#, "BisectBatchOnFunctionError: this emulator takes -1 and false"),
            (r#""DestinationConfig":{"OnFailure":{"Destination":"arn:q"}},"#, "unknown field `Destination`"),
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
