//! Hosts that no state knows: AWS starts what it was asked to, also where Terraform was ended before it had the answer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Deployment, Root};
use crate::tool::{Stop, Tools};
use crate::{Error, aws};

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// As a rule AWS ends a host within a minute.
const PATIENCE: Duration = Duration::from_secs(600);

impl Deployment {
    /// Ends the hosts in the network of a root that its state does not know, and waits until they are gone: they hold the
    /// addresses that their successors get, and the network cannot go before them.
    ///
    /// # Errors
    /// Where AWS does not answer, or keeps one; where the operator interrupts.
    pub(crate) fn end_forgotten_hosts(&self, root: Root, tools: &mut Tools<'_>) -> Result<(), Stop> {
        let recorded = self.recorded(root)?;
        let Some(vpc) = recorded.vpc() else { return Ok(()) };
        let filters = [
            format!("Name=vpc-id,Values={vpc}"),
            format!("Name=tag:Project,Values={}", self.system().project()),
            "Name=instance-state-name,Values=pending,running,shutting-down,stopping,stopped".to_owned(),
        ];
        let mut call = vec!["ec2", "describe-instances", "--filters"];
        call.extend(filters.iter().map(String::as_str));
        let region = self.settings.region.as_str();
        let known: BTreeSet<&str> = recorded.hosts().collect();
        let (begun, mut told) = (Instant::now(), BTreeSet::new());
        loop {
            tools.interruptions().check()?;
            let answer = aws::call(region, &call).map_err(Error::from)?;
            let left: Vec<&str> = instances(&answer).filter(|id| !known.contains(id)).collect();
            if left.is_empty() {
                return Ok(());
            }
            if begun.elapsed() >= PATIENCE {
                let (ids, minutes) = (left.join(" "), PATIENCE.as_secs() / 60);
                return Err(Error::Failed(format!(
                    "after {minutes} minutes AWS still has hosts that no state knows: `aws ec2 terminate-instances --region {region} \
                     --instance-ids {ids}` says why"
                ))
                .into());
            }
            // Those that come late, too: AWS lists a host some seconds after it was asked for.
            let new: Vec<&str> = left.iter().copied().filter(|id| !told.contains(*id)).collect();
            if !new.is_empty() {
                tools.note(&format!(
                    "{}: started by a command that was ended before it wrote that down: ends it",
                    new.join(", ")
                ))?;
                let end = ["ec2", "terminate-instances", "--instance-ids"].into_iter().chain(new.iter().copied());
                aws::call(region, &end.collect::<Vec<_>>()).map_err(Error::from)?;
                told.extend(new.into_iter().map(str::to_owned));
            }
            tools.interruptions().pause(LOOK_EVERY)?;
        }
    }
}

fn instances(answer: &Value) -> impl Iterator<Item = &str> {
    let reservations = answer["Reservations"].as_array().into_iter().flatten();
    let instances = reservations.flat_map(|one| one["Instances"].as_array().into_iter().flatten());
    instances.filter_map(|one| one["InstanceId"].as_str())
}
