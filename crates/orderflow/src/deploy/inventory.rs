use super::Deploy;
use crate::deployment::Root;
use crate::stages::Done;
use crate::tool::Stop;
use crate::{Error, inventory};

impl Deploy<'_> {
    /// Renders Ansible's inventory from what Terraform made.
    pub(super) fn inventory(&self) -> Result<Done, Stop> {
        let Some(outputs) = self.deployment.outputs(Root::Cluster)? else {
            if self.args.plan {
                return Ok(Done::unchanged("there are no hosts yet"));
            }
            return Err(
                Error::Failed("terraform/cluster has made nothing: `orderflow deploy --from cluster`".into()).into()
            );
        };
        let text = inventory::render(&outputs).map_err(Error::Failed)?;
        let hosts = self.deployment.hosts()?;
        if self.args.plan {
            return Ok(Done::unchanged(format!("{} hosts", hosts.len())));
        }
        self.deployment.write("inventory.ini", &text)?;
        self.deployment.write_ssh_config(&hosts)?;
        Ok(Done::unchanged(format!("{} hosts in {}", hosts.len(), self.deployment.inventory().display())))
    }
}
