use super::Deploy;
use crate::deployment::System;
use crate::stages::Done;
use crate::tool::Stop;
use crate::{Error, counted, inventory};

impl Deploy<'_> {
    /// Renders Ansible's inventory from what Terraform made.
    pub(super) fn inventory(&self) -> Result<Done, Stop> {
        let root = self.system().root_of_hosts();
        let Some(outputs) = self.deployment.outputs(root)? else {
            if self.args.plan {
                return Ok(Done::unchanged("there are no hosts yet"));
            }
            let (name, argument, stage) = (root.name(), self.system().argument(), root.stage());
            let text = format!("terraform/{name} has made nothing: `orderflow deploy{argument} --from {stage}`");
            return Err(Error::Failed(text).into());
        };
        let text = match self.system() {
            System::Shop => inventory::render(&outputs).map_err(Error::Failed)?,
            System::Food => self.deployment.output(root, "inventory")?.as_str().unwrap_or_default().to_owned(),
        };
        let hosts = self.deployment.hosts()?;
        let count = counted(hosts.len() as u64, "host");
        if self.args.plan {
            return Ok(Done::unchanged(count));
        }
        self.deployment.write("inventory.ini", &text)?;
        self.deployment.write_ssh_config(&hosts)?;
        Ok(Done::unchanged(format!("{count} in {}", self.deployment.inventory().display())))
    }
}
