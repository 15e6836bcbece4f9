//! Functions and mappings, as the bodies of AWS's API describe them: the same for the file and for the API.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::AwsError;

mod function; // `CreateFunction`
mod invoke_config; // `PutFunctionEventInvokeConfig`
mod mapping; // `CreateEventSourceMapping`
mod permission; // `AddPermission`

pub(crate) use function::change_tags;
pub use function::{
    Code, CreateFunction, DeadLetterConfig, Environment, EphemeralStorage, LoggingConfig, SnapStart, TracingConfig,
    VpcConfig,
};
pub(crate) use invoke_config::EventInvokeConfig;
pub use mapping::{
    CreateEventSourceMapping, KafkaConfig, ProvisionedPollerConfig, SelfManagedEventSource, SourceAccessConfiguration,
};
pub(crate) use permission::AddPermission;

/// Where results of asynchronous invocations or failed batches go: nowhere here, so that only an empty one is taken.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct NoDestination {
    #[serde(default)]
    on_success: Nothing,
    #[serde(default)]
    on_failure: Nothing,
}

/// An object without fields.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A body. Whatever it has beyond the type is refused: it would have no effect.
pub(crate) fn parse<T: DeserializeOwned>(body: Value) -> Result<T, AwsError> {
    serde_json::from_value(body).map_err(|error| AwsError::invalid_parameter(error.to_string()))
}

/// A body with some of its fields changed, as an update names them. `fixed` are those that no update changes.
fn updated<T: Serialize + DeserializeOwned>(
    body: &T,
    changes: Map<String, Value>,
    fixed: &[&str],
) -> Result<T, AwsError> {
    if let Some(name) = changes.keys().find(|name| fixed.contains(&name.as_str())) {
        return Err(AwsError::invalid_parameter(format!("{name}: no update changes it")));
    }
    let mut all = serde_json::to_value(body).map_err(|error| AwsError::service(error.to_string()))?;
    if let Value::Object(all) = &mut all {
        all.extend(changes);
    }
    parse(all)
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
