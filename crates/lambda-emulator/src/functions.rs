//! Functions by name, with what AWS keeps of each: its versions, tags, rights and limits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use events::Timestamp;
use nursery::Nursery;
use serde_json::{Map, Value, json};

use crate::archive::Unpacked;
use crate::function::{Configuration, Ending, Function, Host, LATEST, Revision, arn, not_found, now_ms};
use crate::log::FunctionLog;
use crate::model::{AddPermission, EventInvokeConfig, change_tags};
use crate::tally::Tally;
use crate::{AwsError, Code, CreateFunction, FunctionStatus, Options};

/// A name as it is asked for: alone, with a version behind it, or as an ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'n> {
    pub(crate) function: &'n str,
    pub(crate) qualifier: Option<&'n str>,
}

impl<'n> Name<'n> {
    pub(crate) fn parse(text: &'n str) -> Self {
        let behind = text.split_once(":function:").map(|(_, rest)| rest).or_else(|| text.strip_prefix("function:"));
        let rest = behind.unwrap_or(text);
        match rest.split_once(':') {
            Some((function, qualifier)) => Self { function, qualifier: Some(qualifier) },
            None => Self { function: rest, qualifier: None },
        }
    }

    /// With the qualifier that stands beside it.
    ///
    /// # Errors
    /// Where the two are not the same.
    pub(crate) fn with(self, qualifier: Option<&'n str>) -> Result<Self, AwsError> {
        match (self.qualifier, qualifier) {
            (Some(own), Some(other)) if own != other => Err(AwsError::invalid_parameter(
                "The derived qualifier from the function name does not match the specified qualifier.",
            )),
            (own, other) => Ok(Self { qualifier: own.or(other), ..self }),
        }
    }
}

/// All functions.
pub(crate) struct Functions {
    options: Options,
    nursery: Arc<Nursery>,
    /// Where functions find Secrets Manager, if there is one.
    secrets: Option<String>,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    by_name: BTreeMap<String, Deployed>,
    /// Deleted ones that have something under way.
    leaving: Vec<Arc<Function>>,
    /// The emulator ends: nothing is added.
    is_closed: bool,
}

impl All {
    fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        let deployed = self.by_name.values().flat_map(Deployed::versions).map(|version| &version.function);
        deployed.chain(&self.leaving)
    }
}

/// One of them.
struct Deployed {
    host: Host,
    latest: Version,
    published: BTreeMap<u64, Version>,
    /// How many numbers were given out: one is not given out again.
    numbers: u64,
    tags: BTreeMap<String, String>,
    reserved: Option<usize>,
    /// `RevisionId` of $LATEST when it was published last.
    published_of: Option<String>,
}

/// What can be invoked under one qualifier.
struct Version {
    body: CreateFunction,
    code: Arc<Unpacked>,
    modified_ms: u64,
    revision_id: String,
    invoke_config: Option<(EventInvokeConfig, u64)>,
    /// Of its policy, by their id.
    statements: BTreeMap<String, Value>,
    function: Arc<Function>,
}

impl Version {
    fn new(body: CreateFunction, code: Arc<Unpacked>, function: Arc<Function>) -> Self {
        let (modified_ms, revision_id, statements) = (now_ms(), revision_id(), BTreeMap::new());
        Self { body, code, modified_ms, revision_id, invoke_config: None, statements, function }
    }

    /// What it tells of itself; `arn` is the function's without a version.
    fn configuration(&self, arn: &str, is_qualified: bool) -> Value {
        let version = self.function.version();
        let mut all = self.body.configuration();
        all["FunctionArn"] = json!(if is_qualified { format!("{arn}:{version}") } else { arn.to_owned() });
        all["Version"] = json!(version);
        all["CodeSha256"] = json!(self.code.sha256);
        all["CodeSize"] = json!(self.code.bytes);
        all["LastModified"] = json!(last_modified(self.modified_ms));
        all["RevisionId"] = json!(self.revision_id);
        all["State"] = json!("Active");
        all["LastUpdateStatus"] = json!("Successful");
        all
    }

    /// # Errors
    /// Where somebody else has changed it meanwhile.
    fn expect(&self, revision_id: Option<&str>) -> Result<(), AwsError> {
        match revision_id {
            Some(expected) if expected != self.revision_id => Err(AwsError {
                kind: "PreconditionFailedException",
                status: 412,
                message: format!("The RevisionId provided does not match the latest one, {}", self.revision_id),
            }),
            _ => Ok(()),
        }
    }

    fn changed(&mut self) {
        (self.modified_ms, self.revision_id) = (now_ms(), revision_id());
    }
}

impl Deployed {
    fn version(&self, qualifier: Option<&str>) -> Option<&Version> {
        match qualifier {
            None | Some(LATEST) => Some(&self.latest),
            Some(number) => self.published.get(&number.parse().ok()?),
        }
    }

    fn version_mut(&mut self, qualifier: Option<&str>) -> Option<&mut Version> {
        match qualifier {
            None | Some(LATEST) => Some(&mut self.latest),
            Some(number) => self.published.get_mut(&number.parse().ok()?),
        }
    }

    fn versions(&self) -> impl Iterator<Item = &Version> {
        std::iter::once(&self.latest).chain(self.published.values())
    }
}

impl Functions {
    pub(crate) fn new(options: Options, nursery: Arc<Nursery>, secrets: Option<String>) -> Self {
        Self { options, nursery, secrets, all: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn arn(&self, name: &str) -> String {
        arn(&self.options.region, name)
    }

    /// A function, or one version of it.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn find(&self, name: Name<'_>) -> Result<Arc<Function>, AwsError> {
        self.with(name, |_, version| Arc::clone(&version.function))
    }

    fn not_found(&self, Name { function, qualifier }: Name<'_>) -> AwsError {
        let qualified = qualifier.map(|qualifier| format!("{function}:{qualifier}"));
        not_found(&self.options.region, qualified.as_deref().unwrap_or(function))
    }

    fn with<T>(&self, name: Name<'_>, look: impl FnOnce(&Deployed, &Version) -> T) -> Result<T, AwsError> {
        let all = self.lock();
        let found =
            all.by_name.get(name.function).and_then(|deployed| Some((deployed, deployed.version(name.qualifier)?)));
        found.map(|(deployed, version)| look(deployed, version)).ok_or_else(|| self.not_found(name))
    }

    fn change<T>(
        &self,
        name: Name<'_>,
        change: impl FnOnce(&mut Deployed) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut all = self.lock();
        if all.is_closed {
            return Err(AwsError::ends());
        }
        let deployed = all.by_name.get_mut(name.function).filter(|deployed| deployed.version(name.qualifier).is_some());
        deployed.ok_or_else(|| self.not_found(name)).and_then(change)
    }

    fn change_version<T>(
        &self,
        name: Name<'_>,
        change: impl FnOnce(&mut Version) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        self.change(name, |deployed| {
            let version = deployed.version_mut(name.qualifier);
            version.ok_or_else(|| self.not_found(name)).and_then(change)
        })
    }

    /// `CreateFunction`.
    pub(crate) fn create(&self, body: &CreateFunction) -> Result<Value, AwsError> {
        let configuration = self.configure(body, LATEST)?;
        let name = &body.function_name;
        let taken = || AwsError::conflict(format!("Function already exist: {name}"));
        if self.lock().by_name.contains_key(name) {
            return Err(taken());
        }
        let code = Arc::new(self.fetch(&body.code)?);
        let mut all = self.lock();
        if all.by_name.contains_key(name) {
            return Err(taken());
        }
        if all.is_closed {
            return Err(AwsError::ends());
        }
        let Options { logs, is_on_terminal, faults, .. } = &self.options;
        let failed = |error: std::io::Error| AwsError::service(error.to_string());
        let host = Host {
            log: Arc::new(FunctionLog::open(logs, name, *is_on_terminal).map_err(failed)?),
            tally: Arc::new(Tally::of(name).map_err(failed)?),
            nursery: Arc::clone(&self.nursery),
            faults: *faults,
        };
        let revision = Revision { configuration, code: Arc::clone(&code) };
        let function = Function::new(revision, self.options.max_environments, host.clone());
        let is_attached = self.options.attach.contains(name);
        let function = Arc::new(if is_attached { function.attach().map_err(failed)? } else { function });
        let publishes = body.publish;
        let body = CreateFunction { code: Code::default(), publish: false, ..body.clone() };
        let tags = body.tags.clone();
        let latest = Version::new(body, code, function);
        let published = BTreeMap::new();
        let mut deployed = Deployed { host, latest, published, numbers: 0, tags, reserved: None, published_of: None };
        let arn = self.arn(name);
        let told =
            if publishes { self.publish_one(&mut deployed, None)? } else { deployed.latest.configuration(&arn, false) };
        all.by_name.insert(name.clone(), deployed);
        Ok(told)
    }

    fn configure(&self, body: &CreateFunction, version: &str) -> Result<Configuration, AwsError> {
        Configuration::new(body, version, &self.options, self.secrets.clone())
    }

    /// The code, from wherever it is.
    fn fetch(&self, code: &Code) -> Result<Unpacked, AwsError> {
        Unpacked::new(&self.zip(code)?)
    }

    fn zip(&self, code: &Code) -> Result<Vec<u8>, AwsError> {
        let refuse = |message: String| Err(AwsError::invalid_parameter(message));
        match code {
            Code { zip_file: Some(text), s3_bucket: None, s3_key: None, s3_object_version: None } => {
                match text.strip_prefix("fileb://") {
                    Some(path) => std::fs::read(path).or_else(|error| refuse(format!("{path}: {error}"))),
                    None => STANDARD.decode(text).or_else(|error| refuse(format!("Code.ZipFile: {error}"))),
                }
            }
            Code { zip_file: None, s3_bucket: Some(bucket), s3_key: Some(key), s3_object_version } => {
                let Some(s3) = &self.options.endpoints.s3 else {
                    return refuse(
                        "Code.S3Bucket: nobody says where S3 is: start the emulator with AWS_ENDPOINT_URL_S3=http://HOST:PORT".into(),
                    );
                };
                s3.object(bucket, key, s3_object_version.as_deref())
            }
            _ => refuse("Code: allowed ZipFile alone, or S3Bucket with S3Key and perhaps S3ObjectVersion".into()),
        }
    }

    /// `GetFunctionConfiguration`.
    pub(crate) fn configuration(&self, name: Name<'_>) -> Result<Value, AwsError> {
        let arn = self.arn(name.function);
        self.with(name, |_, version| version.configuration(&arn, name.qualifier.is_some()))
    }

    /// `GetFunction`.
    pub(crate) fn get(&self, name: Name<'_>) -> Result<Value, AwsError> {
        let arn = self.arn(name.function);
        self.with(name, |deployed, version| {
            let configuration = version.configuration(&arn, name.qualifier.is_some());
            let mut all = json!({"Configuration": configuration, "Code": {"RepositoryType": "S3"}});
            if name.qualifier.is_none() {
                if !deployed.tags.is_empty() {
                    all["Tags"] = json!(deployed.tags);
                }
                if let Some(reserved) = deployed.reserved {
                    all["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
                }
            }
            all
        })
    }

    /// `ListFunctions`; with all versions of each where somebody asks for them.
    pub(crate) fn list(&self, has_versions: bool) -> Vec<Value> {
        let all = self.lock();
        let told = all.by_name.iter().flat_map(|(name, deployed)| {
            let count = if has_versions { usize::MAX } else { 1 };
            let arn = self.arn(name);
            deployed.versions().take(count).map(move |version| version.configuration(&arn, has_versions))
        });
        told.collect()
    }

    /// `ListVersionsByFunction`: `$LATEST` first.
    pub(crate) fn versions(&self, name: Name<'_>) -> Result<Vec<Value>, AwsError> {
        let arn = self.arn(name.function);
        self.with(name, |deployed, _| deployed.versions().map(|version| version.configuration(&arn, true)).collect())
    }

    /// `UpdateFunctionConfiguration`: holds from the next invocation on.
    pub(crate) fn update_configuration(
        &self,
        name: Name<'_>,
        mut changes: Map<String, Value>,
    ) -> Result<Value, AwsError> {
        let name = latest_of(name)?;
        let expected = changes.remove("RevisionId");
        self.change(name, |deployed| {
            deployed.latest.expect(expected.as_ref().and_then(Value::as_str))?;
            let body = deployed.latest.body.updated(changes)?;
            let configuration = self.configure(&body, LATEST)?;
            let latest = &mut deployed.latest;
            latest.function.update(Revision { configuration, code: Arc::clone(&latest.code) })?;
            latest.body = body;
            latest.changed();
            Ok(latest.configuration(&self.arn(name.function), false))
        })
    }

    /// `UpdateFunctionCode`: holds from the next invocation on.
    pub(crate) fn update_code(&self, name: Name<'_>, update: UpdateCode) -> Result<Value, AwsError> {
        let name = latest_of(name)?;
        self.find(name)?;
        let code = Arc::new(self.fetch(&update.code)?);
        self.change(name, |deployed| {
            deployed.latest.expect(update.revision_id.as_deref())?;
            let mut body = deployed.latest.body.clone();
            if let Some(architectures) = update.architectures {
                body.architectures = architectures;
            }
            let configuration = self.configure(&body, LATEST)?;
            let arn = self.arn(name.function);
            if update.dry_run {
                return Ok(deployed.latest.configuration(&arn, false));
            }
            let latest = &mut deployed.latest;
            latest.function.update(Revision { configuration, code: Arc::clone(&code) })?;
            (latest.body, latest.code) = (body, code);
            latest.changed();
            if update.publish {
                self.publish_one(deployed, None)
            } else {
                Ok(deployed.latest.configuration(&arn, false))
            }
        })
    }

    /// `PublishVersion`.
    pub(crate) fn publish(
        &self,
        name: Name<'_>,
        description: Option<String>,
        sha256: Option<&str>,
        revision_id: Option<&str>,
    ) -> Result<Value, AwsError> {
        self.change(latest_of(name)?, |deployed| {
            deployed.latest.expect(revision_id)?;
            let found = &deployed.latest.code.sha256;
            if sha256.is_some_and(|expected| expected != found) {
                return Err(AwsError::invalid_parameter(format!("CodeSha256: that of $LATEST is {found}")));
            }
            self.publish_one(deployed, description)
        })
    }

    /// What has not changed since it was published last gets no number of its own.
    fn publish_one(&self, deployed: &mut Deployed, description: Option<String>) -> Result<Value, AwsError> {
        let Deployed { host, latest, published, numbers, reserved, published_of, .. } = deployed;
        let arn = self.arn(&latest.body.function_name);
        if let Some((_, last)) = published.last_key_value()
            && published_of.as_ref() == Some(&latest.revision_id)
        {
            return Ok(last.configuration(&arn, true));
        }
        let number = *numbers + 1;
        let mut body = latest.body.clone();
        if let Some(description) = description {
            body.description = description;
        }
        let configuration = self.configure(&body, &number.to_string())?;
        let revision = Revision { configuration, code: Arc::clone(&latest.code) };
        let function = Arc::new(Function::new(revision, self.limit(*reserved), host.clone()));
        let version = Version::new(body, Arc::clone(&latest.code), function);
        let told = version.configuration(&arn, true);
        published.insert(number, version);
        (*numbers, *published_of) = (number, Some(latest.revision_id.clone()));
        Ok(told)
    }

    /// `DeleteFunction`, or one of its versions: nobody invokes it any more; what is under way ends.
    pub(crate) fn delete(self: &Arc<Self>, name: Name<'_>) -> Result<(), AwsError> {
        let mut all = self.lock();
        if all.is_closed {
            return Err(AwsError::ends());
        }
        let gone: Vec<Version> = match name.qualifier {
            None => {
                let found = all.by_name.remove(name.function);
                let Deployed { latest, published, .. } = found.ok_or_else(|| self.not_found(name))?;
                std::iter::once(latest).chain(published.into_values()).collect()
            }
            Some(LATEST) => {
                return Err(AwsError::invalid_parameter(
                    "$LATEST version cannot be deleted without deleting the function.",
                ));
            }
            Some(number) => {
                let deployed = all.by_name.get_mut(name.function);
                let found = deployed.and_then(|deployed| deployed.published.remove(&number.parse().ok()?));
                vec![found.ok_or_else(|| self.not_found(name))?]
            }
        };
        all.leaving.retain(|function| !function.has_ended());
        for Version { function, .. } in gone {
            all.leaving.push(Arc::clone(&function));
            // Whoever deletes it does not wait, as on AWS.
            let end = move || function.close(Ending::InPeace);
            let spawned = std::thread::Builder::new().name("function's end".into()).spawn(end);
            spawned.map_err(|error| AwsError::service(error.to_string()))?;
        }
        Ok(())
    }

    /// Environments of a version at most.
    fn limit(&self, reserved: Option<usize>) -> usize {
        let most = self.options.max_environments;
        reserved.map_or(most, |reserved| reserved.min(most))
    }

    /// `PutFunctionConcurrency`, and with nothing `DeleteFunctionConcurrency`.
    pub(crate) fn reserve(&self, name: Name<'_>, reserved: Option<usize>) -> Result<(), AwsError> {
        self.change(latest_of(name)?, |deployed| {
            deployed.reserved = reserved;
            deployed.versions().for_each(|version| version.function.set_limit(self.limit(reserved)));
            Ok(())
        })
    }

    /// `GetFunctionConcurrency`.
    pub(crate) fn reserved(&self, name: Name<'_>) -> Result<Option<usize>, AwsError> {
        self.with(name, |deployed, _| deployed.reserved)
    }

    /// `PutFunctionEventInvokeConfig`, `Update..` and, with nothing, `Delete..`: `change` makes of what is there what is to be.
    pub(crate) fn set_invoke_config(
        &self,
        name: Name<'_>,
        change: impl FnOnce(Option<EventInvokeConfig>) -> Result<Option<EventInvokeConfig>, AwsError>,
    ) -> Result<(), AwsError> {
        self.change_version(name, |version| {
            let before = version.invoke_config.as_ref().map(|(config, _)| config.clone());
            let config = change(before)?;
            config.as_ref().map_or(Ok(()), EventInvokeConfig::check)?;
            version.function.set_asynchronous(config.clone().unwrap_or_default().asynchronous());
            version.invoke_config = config.map(|config| (config, now_ms()));
            Ok(())
        })
    }

    /// `GetFunctionEventInvokeConfig`; nothing where there is none.
    pub(crate) fn invoke_config(&self, name: Name<'_>) -> Result<Option<Value>, AwsError> {
        let arn = self.arn(name.function);
        self.with(name, |_, version| {
            version.invoke_config.as_ref().map(|(config, modified_ms)| {
                let mut all = json!(config);
                all["FunctionArn"] = json!(format!("{arn}:{}", version.function.version()));
                all["LastModified"] = json!(*modified_ms / 1_000);
                all
            })
        })
    }

    /// `ListFunctionEventInvokeConfigs`.
    pub(crate) fn invoke_configs(&self, name: Name<'_>) -> Result<Vec<Value>, AwsError> {
        let qualifiers: Vec<String> = self.with(name, |deployed, _| {
            deployed.versions().map(|version| version.function.version().to_owned()).collect()
        })?;
        let of = |qualifier: &String| {
            self.invoke_config(Name { function: name.function, qualifier: Some(qualifier) }).ok().flatten()
        };
        Ok(qualifiers.iter().filter_map(of).collect())
    }

    /// `AddPermission`; gives the statement. Each qualifier has a policy of its own.
    pub(crate) fn add_permission(&self, name: Name<'_>, body: &AddPermission) -> Result<Value, AwsError> {
        body.check()?;
        let id = &body.statement_id;
        let of =
            name.qualifier.map_or_else(|| name.function.to_owned(), |version| format!("{}:{version}", name.function));
        let statement = body.statement(&self.arn(&of));
        self.change_version(name, |version| {
            if version.statements.contains_key(id) {
                return Err(AwsError::conflict(format!(
                    "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
                )));
            }
            version.statements.insert(id.clone(), statement.clone());
            Ok(statement)
        })
    }

    /// `RemovePermission`.
    pub(crate) fn remove_permission(&self, name: Name<'_>, id: &str) -> Result<(), AwsError> {
        let missing = || AwsError::not_found(format!("Statement {id} is not found in resource policy."));
        self.change_version(name, |version| version.statements.remove(id).map(drop).ok_or_else(missing))
    }

    /// `GetPolicy`: its text and its revision.
    pub(crate) fn policy(&self, name: Name<'_>) -> Result<(String, String), AwsError> {
        let found = self.with(name, |_, Version { statements, revision_id, .. }| {
            let all: Vec<&Value> = statements.values().collect();
            let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": all});
            (!all.is_empty()).then(|| (policy.to_string(), revision_id.clone()))
        })?;
        found.ok_or_else(|| AwsError::not_found("The resource you requested does not exist."))
    }

    /// `ListTags`.
    pub(crate) fn tags(&self, name: Name<'_>) -> Result<BTreeMap<String, String>, AwsError> {
        self.with(name, |deployed, _| deployed.tags.clone())
    }

    /// `TagResource` and `UntagResource`.
    pub(crate) fn set_tags(
        &self,
        name: Name<'_>,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), AwsError> {
        self.change(name, |deployed| change_tags(&mut deployed.tags, change))
    }

    /// The environment of a function whose process somebody else starts.
    pub(crate) fn attached_variables(&self, name: &str) -> Option<Vec<(String, String)>> {
        self.find(Name::parse(name)).ok()?.attached_variables()
    }

    /// What each has done.
    pub(crate) fn status(&self) -> Vec<FunctionStatus> {
        self.lock().by_name.values().map(|deployed| deployed.host.tally.status()).collect()
    }

    /// How many there are, and how many bytes their zips have.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let all = self.lock();
        (all.by_name.len(), all.by_name.values().flat_map(Deployed::versions).map(|version| version.code.bytes).sum())
    }

    /// Nobody waits for a process any more that somebody else would have to start.
    pub(crate) fn give_up_attached(&self) {
        self.lock().functions().for_each(|function| function.give_up_attached());
    }

    /// Ends them all, and waits for the end. None is added from now on.
    pub(crate) fn stop(&self) {
        let functions: Vec<Arc<Function>> = {
            let mut all = self.lock();
            all.is_closed = true;
            all.functions().cloned().collect()
        };
        functions.iter().for_each(|function| function.close(Ending::Now));
        *self.lock() = All { is_closed: true, ..All::default() }; // their code goes with them
    }
}

/// What `UpdateFunctionCode` says.
pub(crate) struct UpdateCode {
    pub(crate) code: Code,
    pub(crate) architectures: Option<Vec<String>>,
    pub(crate) publish: bool,
    pub(crate) dry_run: bool,
    pub(crate) revision_id: Option<String>,
}

/// # Errors
/// Where somebody means a version that does not change any more.
fn latest_of(name: Name<'_>) -> Result<Name<'_>, AwsError> {
    match name.qualifier {
        None | Some(LATEST) => Ok(Name { qualifier: None, ..name }),
        Some(found) => Err(AwsError::invalid_parameter(format!("version {found}: only $LATEST is changed"))),
    }
}

fn revision_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// As Lambda writes a time: `2026-11-21T09:30:00.120+0000`.
fn last_modified(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(Timestamp::from_ms).unwrap_or(Timestamp::BASE);
    time.to_string().replace('Z', "+0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_a_version_and_be_an_arn() {
        for (text, function, qualifier) in [
            ("f", "f", None),
            ("f:$LATEST", "f", Some("$LATEST")),
            ("function:f:3", "f", Some("3")),
            ("000000000000:function:f", "f", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:function:7", "function", Some("7")),
        ] {
            assert_eq!(Name::parse(text), Name { function, qualifier }, "{text}");
        }
        assert_eq!(Name::parse("f").with(Some("1")).unwrap().qualifier, Some("1"));
        assert_eq!(Name::parse("f:1").with(Some("2")).unwrap_err().kind, "InvalidParameterValueException");
    }
}
