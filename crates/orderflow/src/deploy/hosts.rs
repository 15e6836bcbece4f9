use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Deploy, check};
use crate::deployment::{Host, Root};
use crate::stages::Done;
use crate::tool::{Stop, Tools};
use crate::{Error, aws, counted};

impl Deploy<'_> {
    /// Applies `terraform/cluster`; then every host runs.
    pub(super) fn cluster(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        let settings = self.deployment.settings();
        let pages: Vec<&String> = settings.ssh_from.iter().filter(|network| *network != check::ANYWHERE).collect();
        let variables = json!({
            "region": settings.region,
            "ssh_public_key": self.deployment.public_key()?,
            "ssh_cidrs": settings.ssh_from,
            "allowed_cidrs": pages,
        });
        self.hosts(Root::Cluster, &variables, tools)
    }

    /// Applies `terraform/food`; then the host runs.
    pub(super) fn host(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        let settings = self.deployment.settings();
        let variables = json!({
            "region": settings.region,
            "ssh_public_key": self.deployment.public_key()?,
            "ssh_cidrs": settings.ssh_from,
        });
        self.hosts(Root::Food, &variables, tools)
    }

    fn hosts(&self, root: Root, variables: &Value, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        // Once they were all up, one that is in no state may be in use.
        let ended = match self.deployment.inventory().exists() {
            true => self.deployment.expect_no_forgotten_host(root).map(|()| 0)?,
            false if self.args.plan => 0,
            false => self.deployment.end_forgotten_hosts(root, tools)?,
        };
        let Some(changed) = self.apply(root, variables, tools)?.map(|changed| changed + ended) else {
            return Ok(Done::unchanged("planned"));
        };
        let hosts = self.deployment.hosts()?;
        self.expect_running(&hosts)?;
        Ok(Done { text: format!("{} up; {changed} changes", counted(hosts.len() as u64, "host")), changed })
    }

    fn expect_running(&self, hosts: &BTreeMap<String, Host>) -> Result<(), Error> {
        let mut arguments = vec![
            "ec2",
            "describe-instances",
            "--query",
            "Reservations[].Instances[].[InstanceId,State.Name]",
            "--instance-ids",
        ];
        arguments.extend(hosts.values().map(|host| host.instance_id.as_str()));
        let states = aws::call(self.region(), &arguments)?;
        let state_of = |host: &Host| {
            let states = states.as_array().into_iter().flatten();
            let state = states.into_iter().find(|state| state[0] == host.instance_id);
            state.and_then(|state| state[1].as_str()).unwrap_or("unknown").to_owned()
        };
        let others: Vec<String> = hosts
            .iter()
            .map(|(name, host)| (name, state_of(host)))
            .filter(|(_, state)| state != "running")
            .map(|(name, state)| format!("{name} is {state}"))
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = hosts.values().map(|host| host.instance_id.as_str()).collect();
        Err(Error::Failed(format!(
            "{}: start what was stopped by `aws ec2 start-instances --region {} --instance-ids {}`, and deploy again",
            others.join(", "),
            self.region(),
            ids.join(" ")
        )))
    }
}
