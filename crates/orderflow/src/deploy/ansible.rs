use std::path::Path;

use super::Deploy;
use crate::deployment::Root;
use crate::package::OPERATOR;
use crate::stages::Done;
use crate::tool::{self, Said, Stop, Tools};

impl Deploy<'_> {
    /// Plays `site.yml`, which ends with a look at the cluster from all sides.
    pub(super) fn ansible(&self, source: &Path, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        let deployment = &self.deployment;
        if self.args.plan && deployment.outputs(Root::Cluster)?.is_none() {
            return Ok(Done::unchanged("there are no hosts yet"));
        }
        let mut command = tool::program("ansible-playbook")?;
        command.current_dir(source.join("ansible")).arg("site.yml").arg("-i").arg(deployment.inventory());
        for (name, path) in [
            ("orderflow_folder", deployment.secrets()),
            ("topology_file", deployment.path("topology.json")),
            ("console_tools_binary", deployment.zips().join(OPERATOR)),
        ] {
            command.arg("-e").arg(format!("{name}={}", path.display()));
        }
        if self.args.plan {
            command.args(["--check", "--diff"]);
        }
        // What the deployment knows of hosts and keys goes before what ansible.cfg would learn.
        let config = deployment.ssh_config();
        command
            .env("ANSIBLE_SSH_ARGS", format!("-o ControlMaster=auto -o ControlPersist=60s -F {}", config.display()))
            .env("ANSIBLE_NOCOLOR", "1");
        let said = tools.run(command)?;
        let changed = if self.args.plan { 0 } else { changes(&said) };
        Ok(Done { text: format!("the cluster is up and verified; {changed} tasks changed something"), changed })
    }
}

/// Of all hosts: `kafka-1 : ok=41 changed=9 unreachable=0 ...`
fn changes(said: &Said) -> u64 {
    let recap = said.lines().skip_while(|line| !line.starts_with("PLAY RECAP"));
    recap
        .filter_map(|line| line.split_whitespace().find_map(|word| word.strip_prefix("changed=")?.parse::<u64>().ok()))
        .sum()
}
