//! The service: functions and mappings by name, as AWS's API creates them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_transport::Pace;
use messaging::Clock;
use nursery::Nursery;

use crate::api::Api;
use crate::functions::{Functions, Name};
use crate::http::Server;
use crate::mapping::MappingStatus;
use crate::mappings::Mappings;
use crate::schedule::Schedules;
use crate::secrets::{Secrets, SecretsManager};
use crate::tally::FunctionStatus;
use crate::{
    AwsError, CreateEventSourceMapping, CreateFunction, CreateSchedule, Endpoints, Faults, Outcome, ScaledClock,
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
    /// Where zips, schedules and, unless some are given here, secrets are.
    pub endpoints: Endpoints,
    /// What it breaks itself.
    pub faults: Faults,
    /// Whose processes the functions are, by number; the emulator's own user where there is none.
    pub user: Option<u32>,
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
            endpoints: Endpoints::default(),
            faults: Faults::default(),
            user: None,
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
    secrets: Arc<Secrets>,
    /// Secrets Manager for functions, where there are secrets: it is there before the first of them.
    _secrets_server: Option<Server>,
    /// Lambda's API.
    servers: Mutex<Vec<Server>>,
    // Schedules and mappings end before the functions that they invoke.
    schedules: Mutex<Option<Schedules>>,
    pub(crate) mappings: Arc<Mappings>,
    pub(crate) functions: Arc<Functions>,
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
        let Endpoints { secrets_manager, scheduler, .. } = options.endpoints.clone();
        // Secrets of its own go before those elsewhere.
        let elsewhere = secrets_manager.filter(|_| secrets.is_empty());
        let own = secrets_server.as_ref().map(|server| format!("http://{}", server.address()));
        let for_functions = own.or_else(|| elsewhere.as_ref().map(|endpoint| endpoint.url().to_owned()));
        let for_mappings = elsewhere.map_or_else(|| SecretsManager::Own(Arc::clone(&secrets)), SecretsManager::At);
        let (pace, clock, region) = (options.pace, Arc::clone(&options.clock), options.region.clone());
        let functions = Arc::new(Functions::new(options, nursery, for_functions));
        let mappings = Arc::new(Mappings::new(Arc::clone(&functions), for_mappings, pace));
        let schedules = Schedules::new(clock, region, Arc::clone(&functions));
        if let Some(endpoint) = scheduler {
            schedules.follow(endpoint)?;
        }
        let (schedules, servers) = (Mutex::new(Some(schedules)), Mutex::default());
        Ok(Self(Arc::new(Inner { secrets, _secrets_server: secrets_server, servers, schedules, mappings, functions })))
    }

    /// Serves the Invoke API and on loopback, as long as the emulator is there, the rest of Lambda's API and Secrets Manager.
    ///
    /// # Errors
    /// Where the address cannot be listened on.
    pub fn serve(&self, address: SocketAddr) -> std::io::Result<InvokeServer> {
        let is_local = address.ip().is_loopback();
        let server = Server::start(address, Arc::new(Api { emulator: Arc::downgrade(&self.0), is_local }))?;
        let address = server.address();
        lock(&self.0.servers).push(server);
        Ok(InvokeServer(address))
    }

    /// `CreateFunction`.
    ///
    /// # Errors
    /// As AWS refuses it.
    pub fn create_function(&self, body: &CreateFunction) -> Result<(), AwsError> {
        self.0.functions.create(body).map(|_| ())
    }

    /// `CreateEventSourceMapping`; gives its UUID.
    ///
    /// # Errors
    /// As AWS refuses it.
    pub fn create_event_source_mapping(&self, body: CreateEventSourceMapping) -> Result<String, AwsError> {
        self.0.mappings.create(body).map(|mapping| mapping.uuid.clone())
    }

    /// `CreateSchedule`; gives its ARN.
    ///
    /// # Errors
    /// As AWS refuses it; with its error for wrong values also where this emulator does not support it, or has no such function.
    pub fn create_schedule(&self, body: &CreateSchedule) -> Result<String, AwsError> {
        let schedules = lock(&self.0.schedules);
        let Some(schedules) = schedules.as_ref() else { return Err(AwsError::ends()) };
        schedules.create(body)
    }

    /// `UpdateEventSourceMapping`, as far as it enables and disables. Disabling waits for what is under way; others do not wait.
    ///
    /// # Errors
    /// Where there is no such mapping.
    pub fn enable_event_source_mapping(&self, uuid: &str, enabled: bool) -> Result<(), AwsError> {
        self.0.mappings.enable(uuid, enabled)
    }

    /// The environment of a function in [`Options::attach`], for the process that somebody starts; `None` for others.
    pub fn attached_variables(&self, name: &str) -> Option<Vec<(String, String)>> {
        self.0.functions.attached_variables(name)
    }

    /// How a mapping is.
    ///
    /// # Errors
    /// Where there is no such mapping.
    pub fn mapping_status(&self, uuid: &str) -> Result<MappingStatus, AwsError> {
        self.0.mappings.find(uuid).map(|mapping| mapping.status())
    }

    /// What each function has done, by name.
    pub fn functions(&self) -> Vec<FunctionStatus> {
        self.0.functions.status()
    }

    /// All mappings, by function and topic.
    pub fn mappings(&self) -> Vec<MappingSummary> {
        self.0.mappings.summaries()
    }

    /// Invokes a function and waits for the outcome.
    ///
    /// # Errors
    /// Where there is no such function, its event is too large, or all its environments are busy.
    pub fn invoke(&self, name: &str, payload: &[u8]) -> Result<Outcome, AwsError> {
        let function = self.0.functions.find(Name::parse(name))?;
        // Whoever invokes by hand is told at once that all environments are busy.
        function.invoke(&uuid::Uuid::new_v4().to_string(), payload, &|| false)
    }

    /// Invokes a function and waits for nothing; it is tried three times with the same request id.
    ///
    /// # Errors
    /// Where there is no such function, its event is too large, or too many wait already.
    pub fn invoke_event(&self, name: &str, payload: &[u8]) -> Result<(), AwsError> {
        self.0.functions.find(Name::parse(name))?.invoke_event(payload.to_vec())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Inner {
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Ends what it does, and waits for the end.
    fn stop(&self) {
        drop(lock(&self.schedules).take());
        self.functions.give_up_attached();
        self.mappings.stop();
        self.functions.stop();
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

/// Lambda's API, and on loopback Secrets Manager.
pub struct InvokeServer(SocketAddr);

impl InvokeServer {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
