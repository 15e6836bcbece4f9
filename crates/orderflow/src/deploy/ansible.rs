use serde_json::json;

use super::Deploy;
use crate::deployment::System;
use crate::package::OPERATOR;
use crate::stages::Done;
use crate::tool::{self, Said, Stop, Tools, quoted};

impl Deploy<'_> {
    /// Plays the system's book, which ends with a look at everything from all sides.
    pub(super) fn ansible(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        let deployment = &self.deployment;
        if self.args.plan
            && (deployment.outputs(self.system().root_of_hosts())?.is_none() || !deployment.inventory().exists())
        {
            return Ok(Done::unchanged("there are no hosts yet"));
        }
        // As JSON: a path may have blanks.
        let variables = json!({
            "orderflow_folder": deployment.secrets(),
            "topology_file": deployment.path("topology.json"),
            "console_tools_binary": deployment.zips().join(OPERATOR),
        });
        let mut program = tool::program("ansible-playbook")?;
        let command = &mut program.command;
        command
            .current_dir(self.source.join("ansible"))
            .arg(self.system().playbook())
            .arg("-i")
            .arg(deployment.inventory());
        command.arg("-e").arg(variables.to_string());
        if self.args.plan {
            command.args(["--check", "--diff"]);
        }
        // What the deployment knows of hosts and keys goes before what ansible.cfg would learn.
        let config = quoted(&deployment.ssh_config().display().to_string());
        command
            .env("ANSIBLE_SSH_ARGS", format!("-o ControlMaster=auto -o ControlPersist=60s -F {config}"))
            .env("ANSIBLE_NOCOLOR", "1");
        let said = tools.run(program)?;
        if self.args.plan {
            return Ok(Done::unchanged("looked at, without a change"));
        }
        let changed = changes(&said);
        let what = match self.system() {
            System::Shop => "the cluster is up and verified",
            System::Food => "orders are placed and stored",
        };
        Ok(Done { text: format!("{what}; {changed} tasks changed something"), changed })
    }
}

/// Of all hosts: `kafka-1 : ok=41 changed=9 unreachable=0 ...`
fn changes(said: &Said) -> u64 {
    let recap = said.lines().skip_while(|line| !line.starts_with("PLAY RECAP"));
    recap
        .filter_map(|line| line.split_whitespace().find_map(|word| word.strip_prefix("changed=")?.parse::<u64>().ok()))
        .sum()
}
