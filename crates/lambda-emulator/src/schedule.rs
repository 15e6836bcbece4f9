//! Schedules, as EventBridge Scheduler has them: events for functions at a rate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use events::Timestamp;
use messaging::Clock;
use serde::Deserialize;

use crate::AwsError;
use crate::endpoint::Endpoint;
use crate::function::ACCOUNT;
use crate::functions::{Functions, Name};
use followed::Followed;

mod followed; // those of another Scheduler

/// How often the clock is looked at, on the machine's.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often schedules elsewhere are read.
const FOLLOW_EVERY: Duration = Duration::from_secs(3);

/// How many events of one schedule begin at a look at most: a clock that leaps is caught up with in steps.
const AT_ONCE: usize = 20;

/// How late an event may be where its retry policy does not say, in seconds: as long as EventBridge Scheduler keeps one.
const MAX_AGE_S: u64 = 86_400;

/// The body of `CreateSchedule`, as far as it invokes a function at a rate. What it has beyond this is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct CreateSchedule {
    /// Its name.
    pub name: String,
    /// `rate(1 minute)`, `rate(N minutes)`, `hours` or `days`.
    pub schedule_expression: String,
    /// `OFF`.
    pub flexible_time_window: FlexibleTimeWindow,
    /// Whom it invokes.
    pub target: Target,
    /// `ENABLED` or `DISABLED`.
    #[serde(default = "enabled")]
    pub state: String,
    /// Before when it invokes, in seconds since 1970; for ever without.
    #[serde(default)]
    pub end_date: Option<f64>,
    /// Not looked at.
    #[serde(default)]
    pub description: Option<String>,
}

/// Whether events may come later than they are due.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct FlexibleTimeWindow {
    /// `OFF`.
    pub mode: String,
}

/// Whom a schedule invokes, and with what.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Target {
    /// A function's.
    pub arn: String,
    /// Not looked at beyond its form.
    pub role_arn: String,
    /// The event, JSON; `<aws.scheduler.scheduled-time>` and its like are replaced in it.
    pub input: String,
    /// How long it is tried.
    #[serde(default)]
    pub retry_policy: RetryPolicy,
}

/// How long it is tried to hand an event over. Here a function takes each at once, so that only the age has an effect.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RetryPolicy {
    /// 60 to 86400: an event that is later is left out.
    #[serde(default)]
    pub maximum_event_age_in_seconds: Option<u64>,
    /// 0 to 185.
    #[serde(default)]
    pub maximum_retry_attempts: Option<u64>,
}

fn enabled() -> String {
    "ENABLED".to_owned()
}

impl CreateSchedule {
    /// Reads a body.
    ///
    /// # Errors
    /// As AWS refuses one; also what this emulator does not support.
    pub fn from_json(body: serde_json::Value) -> Result<Self, AwsError> {
        serde_json::from_value(body).map_err(|error| AwsError::validation(error.to_string()))
    }

    /// Looks whether it is one that AWS would take and this emulator can run; gives the time between two events in milliseconds.
    fn check(&self) -> Result<u64, AwsError> {
        let refuse = |message: String| Err(AwsError::validation(message));
        let name = &self.name;
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        if !(1..=64).contains(&name.len()) || !name.chars().all(is_allowed) {
            return refuse(format!("Name: found {name:?}, allowed 1 to 64 of A-Z a-z 0-9 - _ ."));
        }
        if self.flexible_time_window.mode != "OFF" {
            let found = &self.flexible_time_window.mode;
            return refuse(format!("FlexibleTimeWindow.Mode: found {found:?}, this emulator runs OFF"));
        }
        if !matches!(self.state.as_str(), "ENABLED" | "DISABLED") {
            return refuse(format!("State: found {:?}, allowed ENABLED or DISABLED", self.state));
        }
        let Target { arn, role_arn, input, retry_policy } = &self.target;
        if !(arn.starts_with("arn:aws") && arn.contains(":lambda:") && arn.contains(":function:")) {
            return refuse(format!("Target.Arn: found {arn:?}, this emulator invokes arn:aws:lambda:..:function:NAME"));
        }
        if !(role_arn.starts_with("arn:aws") && role_arn.contains(":iam::") && role_arn.contains(":role/")) {
            return refuse(format!("Target.RoleArn: found {role_arn:?}, allowed arn:aws:iam::ACCOUNT:role/NAME"));
        }
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(input) {
            return refuse(format!("Target.Input: a function's has to be JSON: {error}"));
        }
        let RetryPolicy { maximum_event_age_in_seconds: age, maximum_retry_attempts: attempts } = retry_policy;
        if age.is_some_and(|age| !(60..=86_400).contains(&age)) || attempts.is_some_and(|attempts| attempts > 185) {
            return refuse(
                "RetryPolicy: allowed MaximumEventAgeInSeconds 60 to 86400, MaximumRetryAttempts 0 to 185".into(),
            );
        }
        let expression = &self.schedule_expression;
        let refused = format!(
            "Invalid Schedule Expression {expression}. This emulator runs rate(N minutes|hours|days), N from 1 on"
        );
        rate_ms(expression).ok_or_else(|| AwsError::validation(refused))
    }
}

/// The time between two events in milliseconds: `rate(5 minutes)`.
fn rate_ms(expression: &str) -> Option<u64> {
    let (value, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let unit_ms = match unit.trim() {
        "minute" | "minutes" => 60_000,
        "hour" | "hours" => 3_600_000,
        "day" | "days" => 86_400_000,
        _ => return None,
    };
    value.parse::<u64>().ok().filter(|&value| value > 0)?.checked_mul(unit_ms)
}

/// When events are due, without a clock of its own.
#[derive(Debug)]
struct Timetable {
    every_ms: u64,
    max_age_ms: u64,
    next_ms: u64,
    /// No event is due from here on.
    end_ms: u64,
}

impl Timetable {
    /// The times of the events that are due, in order, [`AT_ONCE`] at most. What is older than its greatest age is left out.
    fn due(&mut self, now_ms: u64) -> Vec<u64> {
        let oldest_ms = now_ms.saturating_sub(self.max_age_ms);
        if self.next_ms < oldest_ms {
            self.next_ms += (oldest_ms - self.next_ms).div_ceil(self.every_ms) * self.every_ms;
        }
        let mut due = Vec::new();
        while self.next_ms <= now_ms && self.next_ms < self.end_ms && due.len() < AT_ONCE {
            due.push(self.next_ms);
            self.next_ms += self.every_ms;
        }
        due
    }
}

/// One schedule that fires.
struct Schedule {
    arn: String,
    input: String,
    is_enabled: bool,
    timetable: Timetable,
    /// The function's ARN: there may be another of that name by the time of an event.
    function: String,
}

impl Schedule {
    /// The event of one time, as the guide shows it: without a fraction of the second. Nothing of it is to be escaped in JSON.
    fn event(&self, scheduled_ms: u64) -> String {
        let time = i64::try_from(scheduled_ms).ok().and_then(Timestamp::from_ms).unwrap_or(Timestamp::BASE);
        let execution = uuid::Uuid::new_v4().simple().to_string();
        self.input
            .replace("<aws.scheduler.scheduled-time>", &time.to_string().replace(".000Z", "Z"))
            .replace("<aws.scheduler.schedule-arn>", &self.arn)
            .replace("<aws.scheduler.execution-id>", &execution[..16])
            .replace("<aws.scheduler.attempt-number>", "1")
    }
}

/// All schedules, and the thread that looks at the clock for them; it ends when they are dropped.
pub(crate) struct Schedules {
    region: String,
    shared: Arc<Shared>,
    work: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    functions: Arc<Functions>,
    all: Mutex<Vec<Schedule>>,
    is_stopping: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Schedule>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Fires from now on: the first event is due at once. What the schedule was before it is no more.
    fn set(&self, body: &CreateSchedule, arn: &str) -> Result<(), AwsError> {
        let every_ms = body.check()?;
        let max_age_s = body.target.retry_policy.maximum_event_age_in_seconds.unwrap_or(MAX_AGE_S);
        let schedule = Schedule {
            arn: arn.to_owned(),
            input: body.target.input.clone(),
            is_enabled: body.state == "ENABLED",
            // A schedule's times are told to the second.
            timetable: Timetable {
                every_ms,
                max_age_ms: max_age_s * 1_000,
                next_ms: self.clock.now_ms() / 1_000 * 1_000,
                end_ms: body.end_date.map_or(u64::MAX, |seconds| (seconds * 1_000.0) as u64),
            },
            function: body.target.arn.clone(),
        };
        let mut all = self.lock();
        all.retain(|other| other.arn != arn);
        all.push(schedule);
        Ok(())
    }

    fn remove(&self, arn: &str) {
        self.lock().retain(|schedule| schedule.arn != arn);
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    fn fire(&self) {
        let now_ms = self.clock.now_ms();
        for schedule in self.lock().iter_mut().filter(|schedule| schedule.is_enabled) {
            for scheduled_ms in schedule.timetable.due(now_ms) {
                let function = self.functions.find(Name::parse(&schedule.function));
                let event = schedule.event(scheduled_ms).into_bytes();
                if let Err(error) = function.and_then(|function| function.invoke_event(event)) {
                    let (arn, error) = (schedule.arn.as_str(), error.to_string());
                    tracing::warn!(arn, scheduled_ms, error, "the event of a schedule is lost");
                }
            }
        }
    }
}

impl Schedules {
    pub(crate) fn new(clock: Arc<dyn Clock>, region: String, functions: Arc<Functions>) -> Self {
        let shared = Shared { clock, functions, all: Mutex::default(), is_stopping: AtomicBool::new(false) };
        Self { region, shared: Arc::new(shared), work: Mutex::default() }
    }

    /// Fires from now on: the first event is due at once. Gives the schedule's ARN.
    ///
    /// # Errors
    /// Where AWS would refuse it, or this emulator does not support it.
    pub(crate) fn create(&self, body: &CreateSchedule) -> Result<String, AwsError> {
        body.check()?;
        // AWS would take it, and its events would go nowhere.
        let function = self.shared.functions.find(Name::parse(&body.target.arn));
        function.map_err(|error| AwsError::validation(format!("Target.Arn: {}", error.message)))?;
        let arn = format!("arn:aws:scheduler:{}:{ACCOUNT}:schedule/default/{}", self.region, body.name);
        if self.shared.lock().iter().any(|other| other.arn == arn) {
            return Err(AwsError::schedule_conflict(format!("Schedule {} already exists.", body.name)));
        }
        self.shared.set(body, &arn)?;
        self.start().map_err(|error| AwsError::service(error.to_string()))?;
        Ok(arn)
    }

    /// Does from now on what the schedules at an endpoint say, as far as they invoke functions.
    pub(crate) fn follow(&self, endpoint: Endpoint) -> std::io::Result<()> {
        self.start()?;
        let shared = Arc::clone(&self.shared);
        let run = move || {
            let mut followed = Followed::new(endpoint);
            while !shared.is_stopping() {
                followed.look(&shared);
                std::thread::park_timeout(FOLLOW_EVERY);
            }
        };
        self.spawn("schedules elsewhere", run)
    }

    fn start(&self) -> std::io::Result<()> {
        if !self.work().is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let run = move || {
            while !shared.is_stopping() {
                shared.fire();
                std::thread::park_timeout(LOOK_EVERY);
            }
        };
        self.spawn("schedules", run)
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        self.work().push(thread);
        Ok(())
    }

    fn work(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Schedules {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        let all = std::mem::take(&mut *self.work());
        all.iter().for_each(|work| work.thread().unpark());
        for work in all {
            let _ = work.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn timetable(next_ms: u64) -> Timetable {
        Timetable { every_ms: MINUTE_MS, max_age_ms: 5 * MINUTE_MS, next_ms, end_ms: u64::MAX }
    }

    #[test]
    fn an_event_is_due_at_once_and_then_at_its_rate() {
        let mut timetable = timetable(1_000);
        assert_eq!(timetable.due(999), [] as [u64; 0]);
        assert_eq!(timetable.due(1_500), [1_000]);
        assert_eq!(timetable.due(60_999), [] as [u64; 0]);
        assert_eq!(timetable.due(181_000), [61_000, 121_000, 181_000], "each time that has passed");
    }

    #[test]
    fn no_event_is_due_from_the_end_on() {
        let mut timetable = Timetable { end_ms: 2 * MINUTE_MS, ..timetable(0) };
        assert_eq!(timetable.due(MINUTE_MS), [0, MINUTE_MS]);
        assert_eq!(timetable.due(10 * MINUTE_MS), [] as [u64; 0]);
    }

    #[test]
    fn what_is_too_old_is_left_out_and_the_rest_comes_in_steps() {
        let mut late = timetable(0);
        assert_eq!(late.due(60 * MINUTE_MS), (55..=60).map(|n| n * MINUTE_MS).collect::<Vec<_>>());
        let mut leapt = Timetable { max_age_ms: 60 * MINUTE_MS, ..timetable(0) };
        for step in 0..3 {
            let expected: Vec<u64> = (step * 20..(step * 20 + 20).min(60)).map(|n| n * MINUTE_MS).collect();
            assert_eq!(leapt.due(59 * MINUTE_MS), expected);
        }
        assert_eq!(leapt.due(0), [] as [u64; 0], "a clock that jumps back waits");
    }

    #[test]
    fn rates_are_read_as_aws_writes_them() {
        for (expression, expected) in [
            ("rate(1 minute)", Some(MINUTE_MS)),
            ("rate(5 minutes)", Some(5 * MINUTE_MS)),
            ("rate(2 hours)", Some(120 * MINUTE_MS)),
            ("rate(1 day)", Some(1_440 * MINUTE_MS)),
            ("rate(0 minutes)", None),
            ("rate(30 seconds)", None),
            ("rate(1.5 hours)", None),
            ("rate(18446744073709551615 days)", None),
            ("cron(0 9 * * ? *)", None),
            ("at(2026-11-21T09:30:00)", None),
        ] {
            assert_eq!(rate_ms(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_as_a_validation_exception() {
        let body = || {
            serde_json::json!({"Name": "s", "ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "Input": "{}",
                    "RoleArn": "arn:aws:iam::000000000000:role/r"}})
        };
        assert_eq!(CreateSchedule::from_json(body()).unwrap().check(), Ok(MINUTE_MS));
        for (path, value, reason) in [
            ("/Name", serde_json::json!("a b"), "Name: found \"a b\""),
            ("/ScheduleExpression", "cron(0 9 * * ? *)".into(), "Invalid Schedule Expression cron(0 9 * * ? *)."),
            ("/FlexibleTimeWindow/Mode", "FLEXIBLE".into(), "this emulator runs OFF"),
            ("/Target/Arn", "arn:aws:scheduler:::aws-sdk:sqs:sendMessage".into(), "Target.Arn: found"),
            ("/Target/RoleArn", "r".into(), "Target.RoleArn: found"),
            ("/Target/Input", "<aws".into(), "has to be JSON"),
            ("/Target", serde_json::json!({"Arn": "a", "RoleArn": "r"}), "missing field `Input`"),
        ] {
            let mut changed = body();
            *changed.pointer_mut(path).unwrap() = value;
            let refused = CreateSchedule::from_json(changed).and_then(|body| body.check()).unwrap_err();
            assert_eq!((refused.kind, refused.status), ("ValidationException", 400));
            assert!(refused.message.contains(reason), "{refused}");
        }
        for (field, value, reason) in [
            ("StartDate", serde_json::json!(1), "unknown field `StartDate`"),
            ("GroupName", "g".into(), "unknown field `GroupName`"),
            ("State", "OFF".into(), "State: found \"OFF\""),
        ] {
            let mut changed = body();
            changed[field] = value;
            let refused = CreateSchedule::from_json(changed).and_then(|body| body.check()).unwrap_err();
            assert!(refused.message.contains(reason), "{refused}");
        }
    }
}
