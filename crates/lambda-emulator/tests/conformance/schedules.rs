use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lambda_emulator::{AwsError, CreateSchedule, ScaledClock};
use messaging::Clock;
use serde_json::{Value, json};

use crate::fixture::{Fixture, function};

/// A clock that a test sets.
pub(crate) struct HandClock(pub(crate) AtomicU64);

impl Clock for HandClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// 2022-03-22T18:59:43.250Z
pub(crate) const BEGIN_MS: u64 = 1_647_975_583_250;

fn with_clock(clock: Arc<dyn Clock>) -> Fixture {
    let fixture = Fixture::with_options(|options| options.clock = clock);
    fixture.emulator.create_function(&function(&json!({}))).unwrap();
    fixture
}

fn schedule(fixture: &Fixture, more: &Value) -> Result<String, AwsError> {
    let input =
        json!({"do": "print", "text": "for <aws.scheduler.scheduled-time>, attempt <aws.scheduler.attempt-number>"});
    let mut body = json!({"Name": "s", "ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "Input": input.to_string(),
            "RoleArn": "arn:aws:iam::000000000000:role/scheduler"}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fixture.emulator.create_schedule(&CreateSchedule::from_json(body)?)
}

/// What the function has printed, without what Lambda writes.
fn printed(fixture: &Fixture) -> BTreeSet<String> {
    fixture.log().lines().filter(|line| line.starts_with("for ")).map(str::to_owned).collect()
}

/// Scheduler user guide, "Rate-based schedules": without a StartDate it begins at once. "Adding context attributes".
#[test]
fn a_schedule_invokes_at_once_and_then_at_its_rate_and_tells_each_event_its_time() {
    crate::needs_python!();
    let clock = Arc::new(HandClock(AtomicU64::new(BEGIN_MS)));
    let fixture = with_clock(Arc::clone(&clock) as _);
    let arn = schedule(&fixture, &json!({})).unwrap();
    assert_eq!(arn, "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s");
    let first = BTreeSet::from(["for 2022-03-22T18:59:43Z, attempt 1".to_owned()]);
    fixture.until("the first event", || !printed(&fixture).is_empty());
    assert_eq!(printed(&fixture), first);

    clock.0.store(BEGIN_MS + 150_000, Ordering::Release);
    fixture.until("two more", || printed(&fixture).len() == 3);
    let later = ["19:00:43", "19:01:43"].map(|time| format!("for 2022-03-22T{time}Z, attempt 1"));
    assert_eq!(printed(&fixture), first.into_iter().chain(later).collect());
    assert_eq!(fixture.log().matches("START RequestId: ").count(), 3, "each time once");
}

/// Scheduler API, CreateSchedule: State.
#[test]
fn a_disabled_schedule_invokes_nothing() {
    crate::needs_python!();
    let clock = Arc::new(HandClock(AtomicU64::new(BEGIN_MS)));
    let fixture = with_clock(Arc::clone(&clock) as _);
    schedule(&fixture, &json!({"Name": "off", "State": "DISABLED"})).unwrap();
    // The other one is looked at behind it: once that has fired, it would have, too.
    schedule(&fixture, &json!({"Name": "on"})).unwrap();
    clock.0.store(BEGIN_MS + 60_000, Ordering::Release);
    fixture.until("two events of the other", || printed(&fixture).len() == 2);
    assert_eq!(fixture.log().matches("START RequestId: ").count(), 2);
}

/// Scheduler API, CreateSchedule: errors ValidationException and ConflictException.
#[test]
fn a_schedule_that_cannot_run_is_refused() {
    let fixture = with_clock(Arc::new(HandClock(AtomicU64::new(BEGIN_MS))));
    schedule(&fixture, &json!({"State": "DISABLED"})).unwrap();
    let nobody = json!({"Arn": "arn:aws:lambda:us-east-1:000000000000:function:g", "Input": "{}",
        "RoleArn": "arn:aws:iam::000000000000:role/scheduler"});
    for (more, kind, reason) in [
        (json!({}), "ConflictException", "Schedule s already exists."),
        (json!({"Name": "g", "Target": nobody}), "ValidationException", "Target.Arn: Function not found: "),
        (json!({"Name": "g", "ScheduleExpression": "cron(0 9 * * ? *)"}), "ValidationException", "cron(0 9 * * ? *)"),
        (json!({"Name": "g", "StartDate": 1}), "ValidationException", "unknown field `StartDate`"),
    ] {
        let refused = schedule(&fixture, &more).unwrap_err();
        assert_eq!(refused.kind, kind);
        assert!(refused.message.contains(reason), "{refused}");
    }
}

/// README: `--time-scale` runs schedules faster, at times of their own.
#[test]
fn with_a_time_scale_minutes_pass_in_moments() {
    crate::needs_python!();
    let fixture = with_clock(Arc::new(ScaledClock::new(600)));
    schedule(&fixture, &json!({})).unwrap();
    fixture.until("three minutes", || printed(&fixture).len() >= 3);
}
