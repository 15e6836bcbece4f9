use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Nothing, refuse, updated, within};
use crate::AwsError;
use crate::function::RESERVED;

/// The body of `CreateFunction`. What it has beyond this is refused. Fields that are "kept" have no effect on this machine, and
/// are given back as they came.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct CreateFunction {
    /// Its name.
    pub function_name: String,
    /// `provided.al2023` or `provided.al2`: whatever the zip's `bootstrap` is.
    pub runtime: String,
    /// Passed on as `_HANDLER`.
    #[serde(default)]
    pub handler: String,
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
    /// Whether it gets a version number at once.
    #[serde(default)]
    pub publish: bool,
    /// By key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Kept.
    #[serde(default)]
    pub description: String,
    /// Kept: the process runs on this machine, whatever that is.
    #[serde(default = "default_architectures")]
    pub architectures: Vec<String>,
    /// Kept: there is one network here.
    #[serde(default)]
    pub vpc_config: VpcConfig,
    /// Kept: an event that is given up goes nowhere.
    #[serde(default)]
    pub dead_letter_config: DeadLetterConfig,
    /// Kept.
    #[serde(default, rename = "KMSKeyArn")]
    pub kms_key_arn: String,
    /// Kept.
    #[serde(default)]
    pub tracing_config: TracingConfig,
    /// Kept.
    #[serde(default)]
    pub ephemeral_storage: EphemeralStorage,
    /// Kept: the log is a file.
    #[serde(default)]
    pub logging_config: LoggingConfig,
    /// Only as it is without.
    #[serde(default)]
    pub snap_start: SnapStart,
    /// `Zip`.
    #[serde(default = "default_package_type")]
    pub package_type: String,
    /// None.
    #[serde(default)]
    pub layers: Vec<String>,
    /// None.
    #[serde(default)]
    pub file_system_configs: Vec<Nothing>,
    /// None: it belongs to images.
    #[serde(default)]
    pub image_config: Nothing,
}

/// The code of a function: a zip, or where in S3 it is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Code {
    /// The zip in base64, or `fileb://PATH`, as the `aws` command has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zip_file: Option<String>,
    /// With `S3Key`, where `AWS_ENDPOINT_URL` says where S3 is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_bucket: Option<String>,
    /// The object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_key: Option<String>,
    /// The newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_object_version: Option<String>,
}

/// Variables of a function. `Debug` has their names: values may be passwords.
#[derive(Clone, Default, Deserialize, Serialize)]
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

/// The networks that a function is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct VpcConfig {
    /// None: it is in no VPC.
    #[serde(default)]
    pub subnet_ids: Vec<String>,
    /// Those of the VPC.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// Whether it uses IPv6.
    #[serde(default)]
    pub ipv6_allowed_for_dual_stack: bool,
}

/// Where an event goes that was given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DeadLetterConfig {
    /// A queue's or topic's; empty for none.
    #[serde(default)]
    pub target_arn: String,
}

/// Whether X-Ray traces it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TracingConfig {
    /// `PassThrough` or `Active`.
    pub mode: String,
}

impl Default for TracingConfig {
    fn default() -> Self {
        Self { mode: "PassThrough".to_owned() }
    }
}

/// Its `/tmp`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct EphemeralStorage {
    /// In MiB, 512 to 10240.
    pub size: u64,
}

impl Default for EphemeralStorage {
    fn default() -> Self {
        Self { size: 512 }
    }
}

/// How it logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct LoggingConfig {
    /// `Text` if absent, or `JSON`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_format: Option<String>,
    /// With `JSON` `INFO` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_log_level: Option<String>,
    /// With `JSON` `INFO` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<String>,
    /// `/aws/lambda/NAME` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
}

/// Whether processes are restored from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SnapStart {
    /// `None`.
    pub apply_on: String,
}

impl Default for SnapStart {
    fn default() -> Self {
        Self { apply_on: "None".to_owned() }
    }
}

const fn default_timeout() -> u64 {
    3
}

const fn default_memory() -> u64 {
    128
}

fn default_architectures() -> Vec<String> {
    vec!["x86_64".to_owned()]
}

fn default_package_type() -> String {
    "Zip".to_owned()
}

impl CreateFunction {
    /// Looks whether the numbers and names are ones that Lambda takes.
    pub(crate) fn check(&self) -> Result<(), AwsError> {
        let name = &self.function_name;
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        if !(1..=64).contains(&name.len()) || !name.chars().all(is_allowed) {
            return refuse(format!("FunctionName: found {name:?}, allowed 1 to 64 of A-Z a-z 0-9 - _"));
        }
        one_of("Runtime", &self.runtime, &["provided.al2023", "provided.al2"])?;
        one_of("PackageType", &self.package_type, &["Zip"])?;
        one_of("SnapStart.ApplyOn", &self.snap_start.apply_on, &["None"])?;
        one_of("TracingConfig.Mode", &self.tracing_config.mode, &["PassThrough", "Active"])?;
        let [architecture] = &self.architectures[..] else {
            return refuse(format!("Architectures: found {}, allowed exactly 1", self.architectures.len()));
        };
        one_of("Architectures", architecture, &["x86_64", "arm64"])?;
        within("Timeout", self.timeout, 1, 900)?;
        within("MemorySize", self.memory_size, 128, 10_240)?;
        within("EphemeralStorage.Size", self.ephemeral_storage.size, 512, 10_240)?;
        within("Description", self.description.chars().count() as u64, 0, 256)?;
        self.logging_config.check()?;
        check_tags(&self.tags)?;
        if !self.layers.is_empty() || !self.file_system_configs.is_empty() {
            return refuse("Layers, FileSystemConfigs: this emulator has none; put the files into the zip".into());
        }
        match self.environment.variables.keys().find(|name| RESERVED.iter().any(|(reserved, _)| name == reserved)) {
            Some(name) => refuse(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {name}"
            )),
            None => Ok(()),
        }
    }

    /// With what `UpdateFunctionConfiguration` changes.
    pub(crate) fn updated(&self, changes: Map<String, Value>) -> Result<Self, AwsError> {
        let fixed = ["FunctionName", "Code", "Publish", "Tags", "Architectures", "PackageType"];
        let body: Self = updated(self, changes, &fixed)?;
        body.check()?;
        Ok(body)
    }

    /// What it tells of itself, as `FunctionConfiguration` has it: with AWS's defaults, and nothing where AWS tells nothing.
    pub(crate) fn configuration(&self) -> Value {
        let mut all = json!({
            "FunctionName": self.function_name, "Runtime": self.runtime, "Handler": self.handler, "Timeout": self.timeout,
            "MemorySize": self.memory_size, "Role": self.role.as_deref().unwrap_or_default(),
            "Description": self.description, "PackageType": self.package_type, "Architectures": self.architectures,
            "TracingConfig": self.tracing_config, "EphemeralStorage": self.ephemeral_storage,
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": self.logging_config.with_defaults(&self.function_name),
        });
        if !self.environment.variables.is_empty() {
            all["Environment"] = json!(self.environment);
        }
        if self.vpc_config != VpcConfig::default() {
            all["VpcConfig"] = json!(self.vpc_config);
            // AWS takes it from the subnets; nobody asks EC2 here.
            all["VpcConfig"]["VpcId"] = json!("vpc-emulated");
        }
        if !self.dead_letter_config.target_arn.is_empty() {
            all["DeadLetterConfig"] = json!(self.dead_letter_config);
        }
        if !self.kms_key_arn.is_empty() {
            all["KMSKeyArn"] = json!(self.kms_key_arn);
        }
        all
    }
}

impl LoggingConfig {
    fn check(&self) -> Result<(), AwsError> {
        let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
        for (name, found, allowed) in [
            ("LogFormat", &self.log_format, &["Text", "JSON"][..]),
            ("ApplicationLogLevel", &self.application_log_level, &levels),
            ("SystemLogLevel", &self.system_log_level, &["DEBUG", "INFO", "WARN"]),
        ] {
            if let Some(found) = found {
                one_of(&format!("LoggingConfig.{name}"), found, allowed)?;
            }
        }
        let has_level = self.application_log_level.is_some() || self.system_log_level.is_some();
        if has_level && self.log_format.as_deref() != Some("JSON") {
            return refuse("LoggingConfig: levels are for LogFormat JSON".into());
        }
        Ok(())
    }

    fn with_defaults(&self, name: &str) -> Value {
        let mut all = json!(self);
        let default = |all: &mut Value, field: &str, value: &str| {
            if all.get(field).is_none() {
                all[field] = json!(value);
            }
        };
        default(&mut all, "LogFormat", "Text");
        default(&mut all, "LogGroup", &format!("/aws/lambda/{name}"));
        if all["LogFormat"] == "JSON" {
            default(&mut all, "ApplicationLogLevel", "INFO");
            default(&mut all, "SystemLogLevel", "INFO");
        }
        all
    }
}

/// Changes tags, if they may be what they become.
pub(crate) fn change_tags(
    tags: &mut BTreeMap<String, String>,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), AwsError> {
    let mut changed = tags.clone();
    change(&mut changed);
    check_tags(&changed)?;
    *tags = changed;
    Ok(())
}

/// Looks whether a resource may have these tags.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    let is_too_long =
        |(key, value): (&String, &String)| !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256;
    if tags.len() > 50 || tags.iter().any(is_too_long) {
        return refuse("Tags: allowed 50, each a key of 1 to 128 characters and a value of 256 at most".into());
    }
    Ok(())
}

fn one_of(name: &str, found: &str, allowed: &[&str]) -> Result<(), AwsError> {
    if allowed.contains(&found) {
        Ok(())
    } else {
        refuse(format!("{name}: found {found:?}, this emulator takes {}", allowed.join(" and ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = r#"{"FunctionName":"f","Runtime":"provided.al2023","Code":{"ZipFile":""}}"#;

    fn parsed(from: &str, to: &str) -> Result<CreateFunction, String> {
        let body: CreateFunction =
            serde_json::from_str(&FUNCTION.replace(from, to)).map_err(|error| error.to_string())?;
        body.check().map_err(|error| error.to_string()).map(|()| body)
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
            ("\"Code\"", "\"CapacityProviderConfig\":{},\"Code\"", "unknown field `CapacityProviderConfig`"),
            ("\"Code\"", "\"VpcConfig\":{\"Subnets\":[]},\"Code\"", "unknown field `Subnets`"),
            ("\"Code\"", "\"Layers\":[\"arn:l\"],\"Code\"", "Layers, FileSystemConfigs: this emulator has none"),
            ("\"Code\"", "\"PackageType\":\"Image\",\"Code\"", "PackageType: found \"Image\""),
            ("\"Code\"", "\"SnapStart\":{\"ApplyOn\":\"PublishedVersions\"},\"Code\"", "SnapStart.ApplyOn: found"),
            (
                "\"Code\"",
                "\"LoggingConfig\":{\"SystemLogLevel\":\"WARN\"},\"Code\"",
                "LoggingConfig: levels are for LogFormat JSON",
            ),
        ] {
            let refused = parsed(from, to).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn what_has_no_effect_here_is_given_back_as_it_came_and_what_was_left_out_as_aws_defaults_it() {
        let plain = parsed("", "").unwrap().configuration();
        for (name, expected) in [
            ("Timeout", json!(3)),
            ("Description", json!("")),
            ("Architectures", json!(["x86_64"])),
            ("TracingConfig", json!({"Mode": "PassThrough"})),
            ("EphemeralStorage", json!({"Size": 512})),
            ("LoggingConfig", json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/f"})),
        ] {
            assert_eq!(plain[name], expected, "{name}");
        }
        for name in ["VpcConfig", "Environment", "DeadLetterConfig", "KMSKeyArn"] {
            assert_eq!(plain.get(name), None, "{name}");
        }
        let more = json!({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}, "KMSKeyArn": "arn:k",
            "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/own"}, "DeadLetterConfig": {"TargetArn": "arn:q"}});
        let Value::Object(more) = more else { unreachable!() };
        let full = parsed("", "").unwrap().updated(more).unwrap().configuration();
        assert_eq!(full["VpcConfig"]["SubnetIds"], json!(["subnet-1"]));
        assert_eq!((&full["KMSKeyArn"], &full["DeadLetterConfig"]["TargetArn"]), (&json!("arn:k"), &json!("arn:q")));
        let logging =
            json!({"LogFormat": "JSON", "LogGroup": "/own", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"});
        assert_eq!(full["LoggingConfig"], logging);
    }

    #[test]
    fn an_update_changes_what_it_names_and_refuses_what_no_update_changes() {
        let body = parsed("\"Code\"", "\"Handler\":\"h\",\"Timeout\":9,\"Code\"").unwrap();
        let update = |changes: Value| {
            let Value::Object(changes) = changes else { unreachable!() };
            body.updated(changes).map(|body| (body.handler, body.timeout)).map_err(|error| error.to_string())
        };
        assert_eq!(update(json!({"Timeout": 10})), Ok(("h".into(), 10)));
        for (changes, reason) in [
            (json!({"Timeout": 0}), "Timeout: found 0"),
            (json!({"Tags": {}}), "Tags: no update changes it"),
            (json!({"Nonsense": 1}), "unknown field `Nonsense`"),
        ] {
            let refused = update(changes).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
