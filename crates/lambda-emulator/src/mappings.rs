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
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    by_uuid: BTreeMap<String, Arc<Mapping>>,
    /// The emulator ends: none is added.
    is_closed: bool,
}

impl All {
    fn groups(&self) -> BTreeSet<String> {
        self.by_uuid.values().map(|mapping| mapping.group.clone()).collect()
    }
}

impl Mappings {
    pub(crate) fn new(functions: Arc<Functions>, secrets: SecretsManager, pace: Pace) -> Self {
        Self { functions, secrets, pace, all: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, uuid: &str) -> Result<Arc<Mapping>, AwsError> {
        let missing =
            || AwsError::not_found(format!("The resource you requested does not exist. (event source mapping {uuid})"));
        self.lock().by_uuid.get(uuid).cloned().ok_or_else(missing)
    }

    /// # Errors
    /// Where there is none, or it is being changed already.
    fn change(&self, uuid: &str, state: &'static str) -> Result<Change, AwsError> {
        let change = Change::begin(self.find(uuid)?, state)?;
        self.find(uuid)?; // its deletion may have ended in between
        Ok(change)
    }

    /// `CreateEventSourceMapping`.
    pub(crate) fn create(&self, body: CreateEventSourceMapping) -> Result<Arc<Mapping>, AwsError> {
        self.functions.find(Name::parse(&body.function_name))?;
        body.check(&self.lock().groups())?;
        let connection = body.connection(&self.secrets)?;
        let mut all = self.lock();
        body.check(&all.groups())?; // somebody may have taken the group while the secrets were fetched
        if all.is_closed {
            return Err(AwsError::ends());
        }
        let mapping = Arc::new(Mapping::new(Settings::new(body, connection)));
        if mapping.settings().body.enabled {
            mapping.enable(&self.functions, self.pace)?;
        }
        all.by_uuid.insert(mapping.uuid.clone(), Arc::clone(&mapping));
        Ok(mapping)
    }

    /// Begins or ends to poll; waits for what is under way where it ends.
    pub(crate) fn enable(&self, uuid: &str, enabled: bool) -> Result<(), AwsError> {
        let change = self.change(uuid, if enabled { "Enabling" } else { "Disabling" })?;
        let mapping = &change.0;
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
    pub(crate) fn update(&self, uuid: &str, changes: Map<String, Value>) -> Result<Value, AwsError> {
        let change = self.change(uuid, "Updating")?;
        let before = change.0.settings().body;
        let body = before.updated(changes)?;
        body.check(&BTreeSet::new())?; // its group does not change
        self.functions.find(Name::parse(&body.function_name))?;
        match (before.enabled, body.enabled) {
            (true, false) => change.0.tell_change("Disabling"),
            (false, true) => change.0.tell_change("Enabling"),
            _ => {}
        }
        let connection = body.connection(&self.secrets)?;
        let told = self.configuration(&change.0);
        let (functions, pace) = (Arc::clone(&self.functions), self.pace);
        change.behind(move |mapping| {
            mapping.disable();
            let is_enabled = body.enabled;
            mapping.change_settings(|settings| {
                let tags = std::mem::take(&mut settings.body.tags); // they change apart
                *settings = Settings::new(CreateEventSourceMapping { tags, ..body }, connection);
            });
            if is_enabled && let Err(error) = mapping.enable(&functions, pace) {
                mapping.blame(error.to_string());
            }
        })?;
        Ok(told)
    }

    /// `DeleteEventSourceMapping`: it is gone once what is under way has ended.
    pub(crate) fn delete(self: &Arc<Self>, uuid: &str) -> Result<Value, AwsError> {
        let change = self.change(uuid, "Deleting")?;
        let told = self.configuration(&change.0);
        let mappings = Arc::clone(self);
        change.behind(move |mapping| {
            mapping.disable();
            mappings.lock().by_uuid.remove(&mapping.uuid);
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
        let all: Vec<Arc<Mapping>> = self.lock().by_uuid.values().cloned().collect();
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
        let mut all: Vec<MappingSummary> = self.lock().by_uuid.values().map(summary).collect();
        all.sort_by(|a, b| (&a.function, &a.topic).cmp(&(&b.function, &b.topic)));
        all
    }

    /// Ends them all, and waits for what is under way. None is added from now on.
    pub(crate) fn stop(&self) {
        let all = std::mem::replace(&mut *self.lock(), All { is_closed: true, ..All::default() }).by_uuid;
        all.values().for_each(|mapping| mapping.close()); // all at once, then each is waited for
        all.values().for_each(|mapping| mapping.disable());
    }
}

/// Why it cannot go on, as `LastProcessingResult` words it.
fn problem(reason: &str) -> String {
    if reason.starts_with(PROBLEM) { reason.to_owned() } else { format!("{PROBLEM}: {reason}") }
}

/// A change of a mapping: until this is dropped nobody else changes it.
struct Change(Arc<Mapping>);

impl Change {
    /// # Errors
    /// Where it is being changed already.
    fn begin(mapping: Arc<Mapping>, state: &'static str) -> Result<Self, AwsError> {
        if mapping.begin(state) {
            return Ok(Self(mapping));
        }
        let (uuid, state) = (&mapping.uuid, mapping.status().state);
        let message = format!("Cannot update the event source mapping because it is in use. ({uuid} is {state})");
        Err(AwsError { kind: "ResourceInUseException", status: 400, message })
    }

    /// Carries on with it behind the answer.
    fn behind(self, work: impl FnOnce(&Mapping) + Send + 'static) -> Result<(), AwsError> {
        let thread = std::thread::Builder::new().name(format!("change of {}", self.0.group));
        let spawned = thread.spawn(move || work(&self.0));
        spawned.map(drop).map_err(|error| AwsError::service(error.to_string()))
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        self.0.unchanged();
    }
}
