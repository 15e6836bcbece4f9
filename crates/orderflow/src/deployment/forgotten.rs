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

/// Hosts that are not gone yet, and what EC2 says of one that is on its way out.
const STATES: &str = "Name=instance-state-name,Values=pending,running,stopping,stopped,shutting-down";
const ENDING: &str = "shutting-down";

impl Deployment {
    /// Ends the hosts in the network of a root that its state does not know, and waits until they are gone: they hold the
    /// addresses that their successors get, and the network cannot go before them. Says how many there were.
    ///
    /// # Errors
    /// Where AWS does not answer, or keeps one; where the operator interrupts.
    pub(crate) fn end_forgotten_hosts(&self, root: Root, tools: &mut Tools<'_>) -> Result<u64, Stop> {
        let region = self.settings.region.as_str();
        let (begun, mut ended) = (Instant::now(), 0);
        loop {
            tools.interruptions().check()?;
            let left = self.forgotten_hosts(root)?;
            if left.is_empty() {
                return Ok(ended);
            }
            if begun.elapsed() >= PATIENCE {
                let (ids, minutes) = (ids(&left), PATIENCE.as_secs() / 60);
                return Err(Error::Failed(format!(
                    "after {minutes} minutes AWS still has hosts that no state knows: `{}` says why",
                    end_by_hand(region, &ids)
                ))
                .into());
            }
            let alive: Vec<_> = left.into_iter().filter(|(_, state)| state != ENDING).collect();
            if !alive.is_empty() {
                tools.note(&format!("ends hosts of a start that nobody has waited for: {}", ids(&alive)))?;
                let end = ["ec2", "terminate-instances", "--instance-ids"].into_iter();
                let end: Vec<&str> = end.chain(alive.iter().map(|(id, _)| id.as_str())).collect();
                aws::call(region, &end).map_err(Error::from)?;
                ended += alive.len() as u64;
            }
            tools.interruptions().pause(LOOK_EVERY)?;
        }
    }

    /// Refuses to go on beside such a host, for who must not end it: it may be in use, and the state an old copy.
    ///
    /// # Errors
    /// Where there is one, or AWS does not answer.
    pub(crate) fn expect_no_forgotten_host(&self, root: Root) -> Result<(), Error> {
        let left = self.forgotten_hosts(root)?;
        if left.is_empty() {
            return Ok(());
        }
        let (ids, state) = (ids(&left), self.state_of(root));
        Err(Error::Failed(format!(
            "{state} does not know {ids}: put the newest copy of that file back, or, where these are of a start that was broken off, end them by `{}`",
            end_by_hand(&self.settings.region, &ids),
            state = state.display(),
        )))
    }

    /// Each with what EC2 says of it.
    fn forgotten_hosts(&self, root: Root) -> Result<Vec<(String, String)>, Error> {
        let recorded = self.recorded(root)?;
        let Some(vpc) = recorded.vpc() else { return Ok(Vec::new()) };
        let network = format!("Name=vpc-id,Values={vpc}");
        let [project, root] = [("Project", self.system().project()), ("Root", root.name())]
            .map(|(tag, value)| format!("Name=tag:{tag},Values={value}"));
        let list = ["ec2", "describe-instances", "--filters", &network, &project, &root, STATES];
        let answer = aws::call(&self.settings.region, &list)?;
        let known: BTreeSet<&str> = recorded.hosts().collect();
        let forgotten = instances(&answer).filter(|(id, _)| !known.contains(id));
        Ok(forgotten.map(|(id, state)| (id.to_owned(), state.to_owned())).collect())
    }
}

fn instances(answer: &Value) -> impl Iterator<Item = (&str, &str)> {
    let reservations = answer["Reservations"].as_array().into_iter().flatten();
    let instances = reservations.flat_map(|one| one["Instances"].as_array().into_iter().flatten());
    instances.filter_map(|one| Some((one["InstanceId"].as_str()?, one["State"]["Name"].as_str()?)))
}

fn ids(hosts: &[(String, String)]) -> String {
    hosts.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(" ")
}

fn end_by_hand(region: &str, ids: &str) -> String {
    format!("aws ec2 terminate-instances --region {region} --instance-ids {ids}")
}
