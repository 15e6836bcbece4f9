use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{NoDestination, within};
use crate::AwsError;
use crate::function::Asynchronous;

/// The body of `PutFunctionEventInvokeConfig` and `UpdateFunctionEventInvokeConfig`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct EventInvokeConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum_retry_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum_event_age_in_seconds: Option<u64>,
    #[serde(default)]
    destination_config: NoDestination,
}

impl EventInvokeConfig {
    pub(crate) fn check(&self) -> Result<(), AwsError> {
        within("MaximumRetryAttempts", self.maximum_retry_attempts.unwrap_or(0).into(), 0, 2)?;
        within("MaximumEventAgeInSeconds", self.maximum_event_age_in_seconds.unwrap_or(60), 60, 21_600)
    }

    /// With what an update names.
    pub(crate) fn updated(self, changes: Self) -> Self {
        Self {
            maximum_retry_attempts: changes.maximum_retry_attempts.or(self.maximum_retry_attempts),
            maximum_event_age_in_seconds: changes.maximum_event_age_in_seconds.or(self.maximum_event_age_in_seconds),
            destination_config: changes.destination_config,
        }
    }

    pub(crate) fn asynchronous(&self) -> Asynchronous {
        let default = Asynchronous::default();
        Asynchronous {
            retries: self.maximum_retry_attempts.unwrap_or(default.retries),
            max_age: self.maximum_event_age_in_seconds.map_or(default.max_age, Duration::from_secs),
        }
    }
}
