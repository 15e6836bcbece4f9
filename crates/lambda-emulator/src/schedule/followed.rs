use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{CreateSchedule, Shared};
use crate::AwsError;
use crate::endpoint::{Endpoint, escape};

/// Schedules of a Scheduler elsewhere, which this emulator reads and does not change.
pub(super) struct Followed {
    endpoint: Endpoint,
    /// Those that are there, by ARN, with what they said last.
    known: BTreeMap<String, Value>,
    /// Those that were named in the log, because they are not run here.
    named: BTreeSet<String>,
    is_reachable: bool,
}

impl Followed {
    pub(super) const fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, known: BTreeMap::new(), named: BTreeSet::new(), is_reachable: true }
    }

    /// Takes over what was created, changed and deleted since it looked last.
    pub(super) fn look(&mut self, shared: &Shared) {
        let read = self.read();
        if let (Err(error), true) = (&read, self.is_reachable) {
            let error = error.to_string();
            tracing::warn!(error, "schedules are not read for now: what they said before still holds");
        }
        self.is_reachable = read.is_ok();
        let Ok(found) = read else { return };
        self.named.retain(|arn| found.contains_key(arn));
        for arn in self.known.keys().filter(|arn| !found.contains_key(*arn)) {
            shared.remove(arn);
        }
        self.known.retain(|arn, _| found.contains_key(arn));
        for (arn, told) in found {
            if self.known.get(&arn) == Some(&told) {
                continue;
            }
            shared.remove(&arn);
            let set = if is_of_lambda(&told) {
                body(told.clone()).and_then(|body| shared.set(&body, &arn)).map_err(|error| error.to_string())
            } else {
                Err("its target is no function".to_owned())
            };
            if let Err(reason) = set
                && self.named.insert(arn.clone())
            {
                tracing::warn!(arn, reason, "a schedule is not run by this emulator");
            }
            self.known.insert(arn, told);
        }
    }

    /// All that there are, as `GetSchedule` tells them; of those that invoke no function as much as the list says.
    fn read(&self) -> Result<BTreeMap<String, Value>, AwsError> {
        let mut found = BTreeMap::new();
        let mut next = String::new();
        loop {
            let page = self.endpoint.json(&format!("/schedules?MaxResults=100{next}"))?;
            for summary in page["Schedules"].as_array().into_iter().flatten() {
                let text = |field: &str| summary[field].as_str().unwrap_or_default();
                let told = if is_of_lambda(summary) {
                    let group = escape(text("GroupName"));
                    self.endpoint.json(&format!("/schedules/{}?groupName={group}", escape(text("Name"))))?
                } else {
                    summary.clone()
                };
                found.insert(text("Arn").to_owned(), told);
            }
            let Some(token) = page["NextToken"].as_str() else { return Ok(found) };
            next = format!("&NextToken={}", escape(token));
        }
    }
}

fn is_of_lambda(told: &Value) -> bool {
    told["Target"]["Arn"].as_str().is_some_and(|arn| arn.contains(":lambda:") && arn.contains(":function:"))
}

/// What was told of a schedule, as the body that would create it.
fn body(mut told: Value) -> Result<CreateSchedule, AwsError> {
    if let Some(fields) = told.as_object_mut() {
        fields.retain(|name, value| {
            let is_about = matches!(name.as_str(), "Arn" | "CreationDate" | "LastModificationDate" | "GroupName");
            let is_default = matches!(
                (name.as_str(), value.as_str()),
                ("ScheduleExpressionTimezone", Some("UTC" | "")) | ("ActionAfterCompletion", Some("NONE"))
            );
            !value.is_null() && !is_about && !is_default
        });
    }
    if let Some(target) = told["Target"].as_object_mut() {
        target.retain(|_, value| !value.is_null());
    }
    CreateSchedule::from_json(told)
}
