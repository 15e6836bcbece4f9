//! Lambda's API beside Invoke: what creates, changes, tells of and deletes functions and mappings. A thin layer of routes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::Target;
use crate::emulator::Inner;
use crate::functions::{Functions, Name, UpdateCode};
use crate::http::{Request, Response};
use crate::mappings::Mappings;
use crate::model::{EventInvokeConfig, parse};
use crate::{AwsError, Code, CreateFunction};

/// The largest body with code, as Lambda says it: a zip of 50 MB in base64.
pub(crate) const MAX_CODE_BYTES: usize = 69_905_067;

/// As many as a list names where nobody says otherwise.
const PAGE: usize = 50;

/// Where the one resource is that is known by its ARN alone.
const TAGS: &str = "2017-03-31";

/// Whether there is something at a path at all, with whatever method.
pub(crate) fn is_known(target: &Target) -> bool {
    matches!(
        target.path()[..],
        [_, "functions" | "event-source-mappings" | "tags", ..] | ["2016-08-19", "account-settings"]
    )
}

/// What is told of a path or a method that this emulator does not know.
pub(crate) fn unknown(request: &Request) -> AwsError {
    let (method, path) = (&request.method, &request.path);
    let message = format!("{method} {path}: this emulator does not support this operation of Lambda's API");
    AwsError { kind: "UnknownOperationException", status: 404, message }
}

/// Carries out one operation.
///
/// # Errors
/// As AWS refuses it.
pub(crate) fn answer(emulator: &Inner, target: &Target, request: &Request) -> Result<Response, AwsError> {
    if request.is_too_large {
        return Err(AwsError {
            kind: "RequestEntityTooLargeException",
            status: 413,
            message: format!("Request must be smaller than {MAX_CODE_BYTES} bytes for this operation"),
        });
    }
    let (functions, mappings) = (&*emulator.functions, &emulator.mappings);
    let call = Call { target, request };
    match (request.method.as_str(), &target.path()[..]) {
        ("POST", ["2015-03-31", "functions"]) => {
            let body: CreateFunction = parse(call.body()?)?;
            refuse_paths(body.code.zip_file.as_deref())?;
            Ok(told(201, &functions.create(&body)?))
        }
        ("GET", ["2015-03-31", "functions"]) => {
            call.page("Functions", functions.list(target.parameter("FunctionVersion") == Some("ALL")))
        }
        (_, [version, "functions", name, rest @ ..]) => {
            let name = Name::parse(name).with(target.parameter("Qualifier"))?;
            let operation = Operation { version, rest };
            call.function(emulator, name, &operation)
        }
        ("POST", ["2015-03-31", "event-source-mappings"]) => {
            let mapping = mappings.create(parse(call.body()?)?)?;
            Ok(told(202, &mappings.configuration(&mapping)))
        }
        ("GET", ["2015-03-31", "event-source-mappings"]) => {
            // A cluster of one's own has no ARN.
            let all = match target.parameter("EventSourceArn") {
                Some(_) => Vec::new(),
                None => mappings.list(target.parameter("FunctionName")),
            };
            call.page("EventSourceMappings", all)
        }
        (method, ["2015-03-31", "event-source-mappings", uuid]) => match method {
            "GET" => Ok(told(200, &mappings.configuration(&*mappings.find(uuid)?))),
            "PUT" => Ok(told(202, &mappings.update(uuid, call.fields()?)?)),
            "DELETE" => Ok(told(202, &mappings.delete(uuid)?)),
            _ => Err(unknown(request)),
        },
        (_, [TAGS, "tags", arn]) => call.tags(functions, mappings, arn),
        ("GET", ["2016-08-19", "account-settings"]) => Ok(told(200, &account(functions))),
        _ => Err(unknown(request)),
    }
}

/// One request.
struct Call<'r> {
    target: &'r Target,
    request: &'r Request,
}

/// What is asked of one function.
struct Operation<'r> {
    version: &'r str,
    rest: &'r [&'r str],
}

impl Call<'_> {
    fn function(&self, emulator: &Inner, name: Name<'_>, operation: &Operation<'_>) -> Result<Response, AwsError> {
        let functions = &emulator.functions;
        match (self.request.method.as_str(), operation.version, operation.rest) {
            ("GET", "2015-03-31", []) => Ok(told(200, &functions.get(name)?)),
            ("DELETE", "2015-03-31", []) => functions.delete(name).map(|()| Response::empty(204)),
            ("GET", "2015-03-31", ["configuration"]) => Ok(told(200, &functions.configuration(name)?)),
            ("PUT", "2015-03-31", ["configuration"]) => {
                Ok(told(200, &functions.update_configuration(name, self.fields()?)?))
            }
            ("PUT", "2015-03-31", ["code"]) => {
                let body: UpdateFunctionCode = parse(self.body()?)?;
                refuse_paths(body.zip_file.as_deref())?;
                Ok(told(200, &functions.update_code(name, body.into())?))
            }
            ("GET", "2015-03-31", ["versions"]) => self.page("Versions", functions.versions(name)?),
            ("POST", "2015-03-31", ["versions"]) => {
                let PublishVersion { description, code_sha256, revision_id } = parse(self.body()?)?;
                let (sha256, revision) = (code_sha256.as_deref(), revision_id.as_deref());
                Ok(told(201, &functions.publish(name, description, sha256, revision)?))
            }
            (_, "2015-03-31", ["policy", ..]) => self.policy(functions, name, operation),
            (_, "2019-09-25", ["event-invoke-config", ..]) => self.invoke_config(functions, name, operation),
            ("PUT", "2017-10-31", ["concurrency"]) => {
                let PutConcurrency { reserved_concurrent_executions: reserved } = parse(self.body()?)?;
                functions.reserve(name, Some(reserved))?;
                Ok(told(200, &concurrency(Some(reserved))))
            }
            ("DELETE", "2017-10-31", ["concurrency"]) => functions.reserve(name, None).map(|()| Response::empty(204)),
            ("GET", "2019-09-30", ["concurrency"]) => Ok(told(200, &concurrency(functions.reserved(name)?))),
            // Code is not signed here.
            ("GET", "2020-06-30", ["code-signing-config"]) => {
                functions.find(name)?;
                Ok(told(200, &json!({"FunctionName": name.function, "CodeSigningConfigArn": ""})))
            }
            _ => Err(unknown(self.request)),
        }
    }

    fn policy(&self, functions: &Functions, name: Name<'_>, operation: &Operation<'_>) -> Result<Response, AwsError> {
        match (self.request.method.as_str(), operation.rest) {
            ("POST", ["policy"]) => {
                let mut fields = self.fields()?;
                fields.remove("RevisionId"); // nobody else changes policies here at the same time
                let statement = functions.add_permission(name, &parse(fields.into())?)?;
                Ok(told(201, &json!({"Statement": statement.to_string()})))
            }
            ("GET", ["policy"]) => {
                let (policy, revision_id) = functions.policy(name)?;
                Ok(told(200, &json!({"Policy": policy, "RevisionId": revision_id})))
            }
            ("DELETE", ["policy", id]) => functions.remove_permission(name, id).map(|()| Response::empty(204)),
            _ => Err(unknown(self.request)),
        }
    }

    fn invoke_config(
        &self,
        functions: &Functions,
        name: Name<'_>,
        operation: &Operation<'_>,
    ) -> Result<Response, AwsError> {
        let missing = || {
            let name = functions.arn(name.function);
            AwsError::not_found(format!("The function {name} doesn't have an EventInvokeConfig"))
        };
        let read = || functions.invoke_config(name)?.ok_or_else(missing);
        match (self.request.method.as_str(), operation.rest) {
            ("PUT", ["event-invoke-config"]) => {
                let body: EventInvokeConfig = parse(self.body()?)?;
                functions.set_invoke_config(name, |_| Ok(Some(body)))?;
                Ok(told(200, &read()?))
            }
            ("POST", ["event-invoke-config"]) => {
                let body: EventInvokeConfig = parse(self.body()?)?;
                functions.set_invoke_config(name, |before| Ok(Some(before.ok_or_else(missing)?.updated(body))))?;
                Ok(told(200, &read()?))
            }
            ("GET", ["event-invoke-config"]) => Ok(told(200, &read()?)),
            ("DELETE", ["event-invoke-config"]) => {
                functions.set_invoke_config(name, |before| before.map(|_| None).ok_or_else(missing))?;
                Ok(Response::empty(204))
            }
            ("GET", ["event-invoke-config", "list"]) => {
                self.page("FunctionEventInvokeConfigs", functions.invoke_configs(name)?)
            }
            _ => Err(unknown(self.request)),
        }
    }

    /// Of a function or a mapping, by its ARN.
    fn tags(&self, functions: &Functions, mappings: &Mappings, arn: &str) -> Result<Response, AwsError> {
        let uuid = arn.split_once(":event-source-mapping:").map(|(_, uuid)| uuid);
        if uuid.is_none() && !arn.contains(":function:") {
            return Err(AwsError::invalid_parameter(format!(
                "Resource: found {arn}, this emulator has tags of functions and mappings"
            )));
        }
        let change = |change: &dyn Fn(&mut BTreeMap<String, String>)| match uuid {
            Some(uuid) => mappings.set_tags(uuid, change),
            None => functions.set_tags(Name::parse(arn), change),
        };
        match self.request.method.as_str() {
            "GET" => {
                let tags = match uuid {
                    Some(uuid) => mappings.find(uuid)?.settings().body.tags,
                    None => functions.tags(Name::parse(arn))?,
                };
                Ok(told(200, &json!({"Tags": tags})))
            }
            "POST" => {
                let TagResource { tags } = parse(self.body()?)?;
                change(&|all| all.extend(tags.clone()))?;
                Ok(Response::empty(204))
            }
            "DELETE" => {
                change(&|all| all.retain(|key, _| self.target.parameters("tagKeys").all(|gone| gone != key)))?;
                Ok(Response::empty(204))
            }
            _ => Err(unknown(self.request)),
        }
    }

    fn body(&self) -> Result<Value, AwsError> {
        let mut body = serde_json::from_slice(self.request.json()).map_err(|error| AwsError::no_json(&error))?;
        drop_nulls(&mut body);
        Ok(body)
    }

    /// The body of an update: what it does not name stays.
    fn fields(&self) -> Result<Map<String, Value>, AwsError> {
        match self.body()? {
            Value::Object(fields) => Ok(fields),
            _ => Err(AwsError::invalid_parameter("the body: allowed a JSON object")),
        }
    }

    /// A part of a list, and where the next one begins.
    fn page(&self, name: &str, all: Vec<Value>) -> Result<Response, AwsError> {
        let number = |parameter: &str, default: usize| match self.target.parameter(parameter) {
            Some(text) => text.parse().map_err(|_| AwsError::invalid_parameter(format!("{parameter}: found {text:?}"))),
            None => Ok(default),
        };
        let (first, count) = (number("Marker", 0)?, number("MaxItems", PAGE)?.max(1));
        let next = first.saturating_add(count);
        let mut answer = json!({});
        if next < all.len() {
            answer["NextMarker"] = json!(next.to_string());
        }
        answer[name] = all.into_iter().skip(first).take(count).collect();
        Ok(told(200, &answer))
    }
}

/// The body of `UpdateFunctionCode`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateFunctionCode {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    architectures: Option<Vec<String>>,
    #[serde(default)]
    publish: bool,
    #[serde(default)]
    dry_run: bool,
    revision_id: Option<String>,
}

impl From<UpdateFunctionCode> for UpdateCode {
    fn from(body: UpdateFunctionCode) -> Self {
        let UpdateFunctionCode { zip_file, s3_bucket, s3_key, s3_object_version, .. } = body;
        Self {
            code: Code { zip_file, s3_bucket, s3_key, s3_object_version },
            architectures: body.architectures,
            publish: body.publish,
            dry_run: body.dry_run,
            revision_id: body.revision_id,
        }
    }
}

/// The body of `PublishVersion`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PublishVersion {
    description: Option<String>,
    code_sha256: Option<String>,
    revision_id: Option<String>,
}

/// The body of `PutFunctionConcurrency`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutConcurrency {
    reserved_concurrent_executions: usize,
}

/// The body of `TagResource`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TagResource {
    tags: BTreeMap<String, String>,
}

/// # Errors
/// Where a caller names a file: the configuration file may, a caller has no files of this machine.
fn refuse_paths(zip_file: Option<&str>) -> Result<(), AwsError> {
    match zip_file {
        Some(text) if text.starts_with("fileb://") => Err(AwsError::invalid_parameter("ZipFile: allowed base64")),
        _ => Ok(()),
    }
}

fn concurrency(reserved: Option<usize>) -> Value {
    reserved.map_or_else(|| json!({}), |reserved| json!({"ReservedConcurrentExecutions": reserved}))
}

/// `GetAccountSettings`, with the quotas of a new account.
fn account(functions: &Functions) -> Value {
    let (count, bytes) = functions.usage();
    json!({"AccountLimit": {"TotalCodeSize": 80_530_636_800_u64, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": 1_000, "UnreservedConcurrentExecutions": 1_000},
        "AccountUsage": {"TotalCodeSize": bytes, "FunctionCount": count}})
}

/// `null` is what AWS's clients leave out.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(all) => all.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn told(status: u16, body: &Value) -> Response {
    Response::json(status, body.to_string())
}
