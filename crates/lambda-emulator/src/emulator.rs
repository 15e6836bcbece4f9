//! The service: functions and mappings by name, as AWS's API creates them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kafka_transport::Pace;
use messaging::Clock;
use nursery::Nursery;

use crate::function::{Configuration, Function, not_found};
use crate::http::Server;
use crate::invoke_api::InvokeApi;
use crate::log::FunctionLog;
use crate::mapping::{Mapping, MappingStatus};
use crate::schedule::Schedules;
use crate::secrets::Secrets;
use crate::tally::FunctionStatus;
use crate::{
    AwsError, CreateEventSourceMapping, CreateFunction, CreateSchedule, Faults, Outcome, ScaledClock, archive,
};

/// How it runs.
#[derive(Clone)]
pub struct Options {
    /// Where each function's log goes, as `NAME.log`.
    pub logs: PathBuf,
    /// Whether functions' logs go to stderr, too.
    pub is_on_terminal: bool,
    /// Environments of a function at most.
    pub max_environments: usize,
    /// How long a process with an extension may take to end after SIGTERM.
    pub shutdown: Duration,
    /// How mappings wait for records.
    pub pace: Pace,
    /// What functions take for their region.
    pub region: String,
    /// What stands in for Secrets Manager: JSON by name or ARN. Its values are never told.
    pub secrets: BTreeMap<String, String>,
    /// What it breaks itself.
    pub faults: Faults,
    /// Functions whose process somebody else starts.
    pub attach: BTreeSet<String>,
    /// The time of schedules, in milliseconds since 1970.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// Ten environments a function, on brokers, in us-east-1; 500 ms for the end, as Lambda has it.
    pub fn new(logs: impl Into<PathBuf>) -> Self {
        let region = "us-east-1".to_owned();
        Self {
            logs: logs.into(),
            is_on_terminal: false,
            max_environments: 10,
            shutdown: Duration::from_millis(500),
            pace: Pace::BROKERS,
            region,
            secrets: BTreeMap::new(),
            faults: Faults::default(),
            attach: BTreeSet::new(),
            clock: Arc::new(ScaledClock::new(1)),
        }
    }
}

/// AWS Lambda on this machine. When it is dropped, mappings finish and commit what is under way, other invocations are broken off,
/// and no process, server or file of it is left.
pub struct Emulator(Arc<Inner>);

/// What the emulator shares with those who ask it over HTTP; they do not keep it.
pub(crate) struct Inner {
    options: Options,
    secrets: Arc<Secrets>,
    /// Secrets Manager for functions, where there are secrets: it is there before the first of them.
    secrets_server: Option<Server>,
    /// The Invoke API.
    servers: Mutex<Vec<Server>>,
    nursery: Arc<Nursery>,
    // Schedules and mappings end before the functions that they invoke.
    schedules: Mutex<Option<Schedules>>,
    mappings: Mutex<BTreeMap<String, Arc<Mapping>>>,
    functions: Mutex<BTreeMap<String, Arc<Function>>>,
}

/// How a function is invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationType {
    /// The caller waits for the answer.
    RequestResponse,
    /// Nobody waits; it is tried up to three times.
    Event,
    /// Nothing is invoked.
    DryRun,
}

impl Emulator {
    /// An emulator without functions.
    ///
    /// # Errors
    /// Where the folder for logs cannot be made, or nothing can be listened on.
    pub fn start(mut options: Options) -> std::io::Result<Self> {
        std::fs::create_dir_all(&options.logs)?;
        let nursery = Arc::new(Nursery::start()?);
        let secrets = Arc::new(Secrets::new(&options.region, std::mem::take(&mut options.secrets)));
        let serve = || Server::start(([127, 0, 0, 1], 0).into(), Arc::<Secrets>::clone(&secrets));
        let secrets_server = (!secrets.is_empty()).then(serve).transpose()?;
        let schedules = Mutex::new(Some(Schedules::new(Arc::clone(&options.clock))));
        let (mappings, functions) = (Mutex::default(), Mutex::default());
        let servers = Mutex::default();
        Ok(Self(Arc::new(Inner { options, secrets, secrets_server, servers, nursery, schedules, mappings, functions })))
    }

    /// Serves the Invoke API, and on loopback Secrets Manager, as long as the emulator is there.
    ///
    /// # Errors
    /// Where the address cannot be listened on.
    pub fn serve(&self, address: SocketAddr) -> std::io::Result<InvokeServer> {
        let is_local = address.ip().is_loopback();
        let server = Server::start(address, Arc::new(InvokeApi { emulator: Arc::downgrade(&self.0), is_local }))?;
        let address = server.address();
        lock(&self.0.servers).push(server);
        Ok(InvokeServer(address))
    }

    /// `CreateFunction`.
    ///
    /// # Errors
    /// As AWS refuses it.
    pub fn create_function(&self, body: &CreateFunction) -> Result<(), AwsError> {
        let secrets = self.0.secrets_server.as_ref().map(|server| format!("http://{}", server.address()));
        let configuration = Configuration::new(body, &self.0.options, secrets)?;
        let zip = read_zip(&body.code.zip_file)?;
        archive::check(&zip)?;
        let mut functions = lock(&self.0.functions);
        let name = configuration.name.clone();
        if functions.contains_key(&name) {
            return Err(AwsError::conflict(format!("Function already exist: {name}")));
        }
        let Options { logs, is_on_terminal, max_environments, faults, .. } = &self.0.options;
        let failed = |error: std::io::Error| AwsError::service(error.to_string());
        let log = FunctionLog::open(logs, &name, *is_on_terminal).map_err(failed)?;
        let nursery = &self.0.nursery;
        let function = Function::new(configuration, &zip, log, nursery, *max_environments, *faults).map_err(failed)?;
        let is_attached = self.0.options.attach.contains(&name);
        let function = if is_attached { function.attach().map_err(failed)? } else { function };
        functions.insert(name, Arc::new(function));
        Ok(())
    }

    /// `CreateEventSourceMapping`; gives its UUID.
    ///
    /// # Errors
    /// As AWS refuses it.
    pub fn create_event_source_mapping(&self, body: CreateEventSourceMapping) -> Result<String, AwsError> {
        let function = self.0.function(&body.function_name)?;
        let mut mappings = lock(&self.0.mappings);
        let groups: BTreeSet<String> = mappings.values().map(|mapping| mapping.group.clone()).collect();
        body.check(&groups)?;
        let connection = body.connection(&self.0.secrets)?;
        let mapping = Arc::new(Mapping::new(body, connection));
        if mapping.body.enabled {
            mapping.enable(&function, self.0.options.pace)?;
        }
        let uuid = mapping.uuid.clone();
        mappings.insert(uuid.clone(), mapping);
        Ok(uuid)
    }

    /// `CreateSchedule`; gives its ARN.
    ///
    /// # Errors
    /// As AWS refuses it; with its error for wrong values also where this emulator does not support it, or has no such function.
    pub fn create_schedule(&self, body: &CreateSchedule) -> Result<String, AwsError> {
        let schedules = lock(&self.0.schedules);
        let Some(schedules) = schedules.as_ref() else { return Err(AwsError::service("the emulator ends")) };
        schedules.create(body, &self.0.options.region, |arn| self.0.function(arn))
    }

    /// `UpdateEventSourceMapping`, as far as it enables and disables. Disabling waits for what is under way; others do not wait.
    ///
    /// # Errors
    /// Where there is no such mapping.
    pub fn enable_event_source_mapping(&self, uuid: &str, enabled: bool) -> Result<(), AwsError> {
        let mapping = lock(&self.0.mappings).get(uuid).cloned().ok_or_else(|| no_mapping(uuid))?;
        if enabled {
            let function = self.0.function(&mapping.body.function_name)?;
            mapping.enable(&function, self.0.options.pace)
        } else {
            mapping.disable();
            Ok(())
        }
    }

    /// The environment of a function in [`Options::attach`], for the process that somebody starts; `None` for others.
    pub fn attached_variables(&self, name: &str) -> Option<Vec<(String, String)>> {
        lock(&self.0.functions).get(name)?.attached_variables()
    }

    /// How a mapping is.
    ///
    /// # Errors
    /// Where there is no such mapping.
    pub fn mapping_status(&self, uuid: &str) -> Result<MappingStatus, AwsError> {
        let mappings = lock(&self.0.mappings);
        mappings.get(uuid).map(|mapping| mapping.status()).ok_or_else(|| no_mapping(uuid))
    }

    /// What each function has done, by name.
    pub fn functions(&self) -> Vec<FunctionStatus> {
        lock(&self.0.functions).values().map(|function| function.tally.status()).collect()
    }

    /// All mappings, by function and topic.
    pub fn mappings(&self) -> Vec<MappingSummary> {
        let summary = |mapping: &Arc<Mapping>| MappingSummary {
            function: mapping.body.function_name.clone(),
            topic: mapping.body.topics[0].clone(),
            group: mapping.group.clone(),
            status: mapping.status(),
        };
        let mut all: Vec<MappingSummary> = lock(&self.0.mappings).values().map(summary).collect();
        all.sort_by(|a, b| (&a.function, &a.topic).cmp(&(&b.function, &b.topic)));
        all
    }

    /// Invokes a function and waits for the outcome.
    ///
    /// # Errors
    /// Where there is no such function, its event is too large, or all its environments are busy.
    pub fn invoke(&self, name: &str, payload: &[u8]) -> Result<Outcome, AwsError> {
        self.0.invoke_with_log(name, payload).map(|(outcome, _)| outcome)
    }

    /// Invokes a function and waits for nothing; it is tried three times with the same request id.
    ///
    /// # Errors
    /// Where there is no such function, its event is too large, or too many wait already.
    pub fn invoke_event(&self, name: &str, payload: &[u8]) -> Result<(), AwsError> {
        self.0.function(name)?.invoke_event(payload.to_vec())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Inner {
    pub(crate) fn invoke_with_log(&self, name: &str, payload: &[u8]) -> Result<(Outcome, Vec<u8>), AwsError> {
        let function = self.function(name)?;
        // Whoever invokes by hand is told at once that all environments are busy.
        let outcome = function.invoke(&uuid::Uuid::new_v4().to_string(), payload, &|| false)?;
        Ok((outcome, function.log.tail()))
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Whether there is such a function.
    pub(crate) fn function(&self, name: &str) -> Result<Arc<Function>, AwsError> {
        // An ARN, or a name with a version, ends with what we know it by.
        let name = name.strip_suffix(":$LATEST").unwrap_or(name);
        let name = name.rsplit(':').next().unwrap_or(name);
        let found = lock(&self.functions).get(name).cloned();
        found.ok_or_else(|| not_found(&self.options.region, name))
    }

    /// Ends what it does, and waits for the end.
    fn stop(&self) {
        drop(lock(&self.schedules).take());
        lock(&self.functions).values().for_each(|function| function.give_up_attached());
        let mappings = std::mem::take(&mut *lock(&self.mappings));
        mappings.values().for_each(|mapping| mapping.stop()); // all at once, then each is waited for
        drop(mappings);
        lock(&self.functions).values().for_each(|function| function.close());
        drop(std::mem::take(&mut *lock(&self.servers)));
    }
}

/// A mapping and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingSummary {
    /// Whom it invokes.
    pub function: String,
    /// What it reads.
    pub topic: String,
    /// As which group.
    pub group: String,
    /// How it is.
    pub status: MappingStatus,
}

/// The Invoke API, and on loopback Secrets Manager.
pub struct InvokeServer(SocketAddr);

impl InvokeServer {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.0
    }
}

fn read_zip(text: &str) -> Result<Vec<u8>, AwsError> {
    match text.strip_prefix("fileb://") {
        Some(path) => std::fs::read(path).map_err(|error| AwsError::invalid_parameter(format!("{path}: {error}"))),
        None => STANDARD.decode(text).map_err(|error| AwsError::invalid_parameter(format!("Code.ZipFile: {error}"))),
    }
}

fn no_mapping(uuid: &str) -> AwsError {
    AwsError::not_found(format!("The resource you requested does not exist. (event source mapping {uuid})"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
