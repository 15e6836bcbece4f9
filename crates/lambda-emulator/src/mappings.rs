//! Event source mappings by UUID: made, changed and deleted while they poll.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kafka_transport::Pace;
use serde_json::{Map, Value, json};

use crate::functions::{Functions, Name};
use crate::mapping::{Mapping, PROBLEM, Settings};
use crate::model::change_tags;
use crate::secrets::SecretsManager;
use crate::{AwsError, CreateEventSourceMapping, MappingSummary};

/// What a mapping tells before it has polled; AWS tells nothing of it while it polls.
const USER_INITIATED: &str = "USER_INITIATED";

/// All mappings.
pub(crate) struct Mappings {
    functions: Arc<Functions>,
    secrets: SecretsManager,
    pace: Pace,
    by_uuid: Mutex<BTreeMap<String, Arc<Mapping>>>,
}

impl Mappings {
    pub(crate) fn new(functions: Arc<Functions>, secrets: SecretsManager, pace: Pace) -> Self {
        Self { functions, secrets, pace, by_uuid: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Mapping>>> {
        self.by_uuid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, uuid: &str) -> Result<Arc<Mapping>, AwsError> {
        let missing =
            || AwsError::not_found(format!("The resource you requested does not exist. (event source mapping {uuid})"));
        self.lock().get(uuid).cloned().ok_or_else(missing)
    }

    /// `CreateEventSourceMapping`.
    pub(crate) fn create(&self, body: CreateEventSourceMapping) -> Result<Arc<Mapping>, AwsError> {
        self.functions.find(Name::parse(&body.function_name))?;
        body.check(&self.groups())?;
        let connection = body.connection(&self.secrets)?;
        let mut all = self.lock();
        body.check(&groups(&all))?; // somebody may have taken the group while the secrets were fetched
        let mapping = Arc::new(Mapping::new(Settings::new(body, connection)));
        if mapping.settings().body.enabled {
            mapping.enable(&self.functions, self.pace)?;
        }
        all.insert(mapping.uuid.clone(), Arc::clone(&mapping));
        Ok(mapping)
    }

    fn groups(&self) -> BTreeSet<String> {
        groups(&self.lock())
    }

    /// Begins or ends to poll; waits for what is under way where it ends.
    pub(crate) fn enable(&self, uuid: &str, enabled: bool) -> Result<(), AwsError> {
        let mapping = self.find(uuid)?;
        if enabled {
            self.functions.find(Name::parse(&mapping.settings().body.function_name))?;
            mapping.enable(&self.functions, self.pace)?;
        } else {
            mapping.disable();
        }
        mapping.change_settings(|settings| settings.body.enabled = enabled);
        Ok(())
    }

    /// `UpdateEventSourceMapping`: what is under way ends first, behind the answer.
    pub(crate) fn update(self: &Arc<Self>, uuid: &str, changes: Map<String, Value>) -> Result<Value, AwsError> {
        let mapping = self.find(uuid)?;
        let before = mapping.settings().body;
        let body = before.updated(changes)?;
        body.check(&BTreeSet::new())?; // its group does not change
        self.functions.find(Name::parse(&body.function_name))?;
        let change = match (before.enabled, body.enabled) {
            (true, false) => "Disabling",
            (false, true) => "Enabling",
            _ => "Updating",
        };
        begin(&mapping, change)?;
        let connection = body.connection(&self.secrets).inspect_err(|_| mapping.unchanged())?;
        let (changed, functions, pace) = (Arc::clone(&mapping), Arc::clone(&self.functions), self.pace);
        let is_enabled = body.enabled;
        let work = move || {
            changed.disable();
            changed.change_settings(|settings| {
                let tags = std::mem::take(&mut settings.body.tags); // they change apart
                *settings = Settings::new(CreateEventSourceMapping { tags, ..body }, connection);
            });
            if is_enabled && let Err(error) = changed.enable(&functions, pace) {
                changed.blame(error.to_string());
            }
            changed.unchanged();
        };
        let told = self.configuration(&mapping);
        behind(&mapping, work)?;
        Ok(told)
    }

    /// `DeleteEventSourceMapping`: it is gone once what is under way has ended.
    pub(crate) fn delete(self: &Arc<Self>, uuid: &str) -> Result<Value, AwsError> {
        let mapping = self.find(uuid)?;
        begin(&mapping, "Deleting")?;
        let told = self.configuration(&mapping);
        let (mappings, deleted) = (Arc::clone(self), Arc::clone(&mapping));
        behind(&mapping, move || {
            deleted.disable();
            mappings.lock().remove(&deleted.uuid);
        })?;
        Ok(told)
    }

    pub(crate) fn arn(&self, uuid: &str) -> String {
        self.functions.arn("").replace(":function:", &format!(":event-source-mapping:{uuid}"))
    }

    /// What a mapping tells of itself.
    pub(crate) fn configuration(&self, mapping: &Mapping) -> Value {
        let (Settings { body, modified_ms, .. }, status) = (mapping.settings(), mapping.status());
        let mut all = body.configuration(&mapping.group);
        let name = Name::parse(&body.function_name);
        let arn = self.functions.arn(name.function);
        all["UUID"] = json!(mapping.uuid);
        all["EventSourceMappingArn"] = json!(self.arn(&mapping.uuid));
        all["FunctionArn"] = json!(name.qualifier.map_or_else(|| arn.clone(), |version| format!("{arn}:{version}")));
        all["LastModified"] = json!(modified_ms as f64 / 1_000.0);
        // A mapping that cannot reach its brokers is enabled all the same, as on AWS: nobody waits for it.
        let (state, result) = match (status.state, status.reason.as_str()) {
            (state, "") => (state, status.last_result.clone()),
            ("Creating" | "Enabling", reason) => ("Enabled", problem(reason)),
            (state, reason) => (state, problem(reason)),
        };
        let code = status.reason.split(':').next().filter(|code| !matches!(*code, "" | PROBLEM));
        all["State"] = json!(state);
        all["StateTransitionReason"] = json!(code.unwrap_or(USER_INITIATED));
        all["LastProcessingResult"] = json!(result);
        all
    }

    /// `ListEventSourceMappings`, of one function where somebody names it.
    pub(crate) fn list(&self, function: Option<&str>) -> Vec<Value> {
        let all: Vec<Arc<Mapping>> = self.lock().values().cloned().collect();
        let is_of = |mapping: &&Arc<Mapping>| {
            let whose = mapping.settings().body.function_name;
            function.is_none_or(|name| Name::parse(name) == Name::parse(&whose))
        };
        all.iter().filter(is_of).map(|mapping| self.configuration(mapping)).collect()
    }

    /// `TagResource` and `UntagResource`.
    pub(crate) fn set_tags(
        &self,
        uuid: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), AwsError> {
        self.find(uuid)?.change_settings(|settings| change_tags(&mut settings.body.tags, change))
    }

    /// All of them, by function and topic.
    pub(crate) fn summaries(&self) -> Vec<MappingSummary> {
        let summary = |mapping: &Arc<Mapping>| {
            let body = mapping.settings().body;
            MappingSummary {
                function: body.function_name,
                topic: body.topics.into_iter().next().unwrap_or_default(),
                group: mapping.group.clone(),
                status: mapping.status(),
            }
        };
        let mut all: Vec<MappingSummary> = self.lock().values().map(summary).collect();
        all.sort_by(|a, b| (&a.function, &a.topic).cmp(&(&b.function, &b.topic)));
        all
    }

    /// Ends them all, and waits for what is under way.
    pub(crate) fn stop(&self) {
        let all = std::mem::take(&mut *self.lock());
        all.values().for_each(|mapping| mapping.close()); // all at once, then each is waited for
        all.values().for_each(|mapping| mapping.disable());
    }
}

/// Why it cannot go on, as `LastProcessingResult` words it.
fn problem(reason: &str) -> String {
    if reason.starts_with(PROBLEM) { reason.to_owned() } else { format!("{PROBLEM}: {reason}") }
}

fn groups(all: &BTreeMap<String, Arc<Mapping>>) -> BTreeSet<String> {
    all.values().map(|mapping| mapping.group.clone()).collect()
}

/// # Errors
/// Where it is being changed already.
fn begin(mapping: &Mapping, change: &'static str) -> Result<(), AwsError> {
    if mapping.begin(change) {
        return Ok(());
    }
    let (uuid, state) = (&mapping.uuid, mapping.status().state);
    let message = format!("Cannot update the event source mapping because it is in use. ({uuid} is {state})");
    Err(AwsError { kind: "ResourceInUseException", status: 400, message })
}

/// Carries on with a change behind the answer.
fn behind(mapping: &Mapping, work: impl FnOnce() + Send + 'static) -> Result<(), AwsError> {
    let spawned = std::thread::Builder::new().name(format!("change of {}", mapping.group)).spawn(work);
    let failed = |error: std::io::Error| {
        mapping.unchanged();
        AwsError::service(error.to_string())
    };
    spawned.map(drop).map_err(failed)
}
