use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{APPLY, Deploy, PLAN, changes};
use crate::deployment::Root;
use crate::stages::Done;
use crate::tool::{Stop, Tools};
use crate::{Error, aws};

/// Functions in a VPC and mappings take their time.
const PATIENCE: Duration = Duration::from_secs(600);
const ASK_EVERY: Duration = Duration::from_secs(5);

impl Deploy<'_> {
    /// Applies `terraform/services`; then every function is active and every mapping enabled.
    pub(super) fn services(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        let deployment = &self.deployment;
        let (credentials, ca) = (deployment.secrets().join("credentials.json"), deployment.secrets().join("ca.pem"));
        if self.args.plan && (deployment.outputs(Root::Cluster)?.is_none() || !credentials.exists()) {
            return Ok(Done::unchanged("planned once there is a cluster"));
        }
        deployment.write_variables(
            Root::Services,
            &json!({
                "cluster": deployment.output(Root::Cluster, "cluster")?,
                "credentials_file": credentials,
                "ca_file": ca,
                "zips": deployment.zips(),
                "stop_after_hours": deployment.settings().hours,
            }),
        )?;
        if self.args.plan {
            deployment.terraform(Root::Services, &PLAN, tools)?;
            return Ok(Done::unchanged("planned"));
        }
        let said = deployment.terraform(Root::Services, &APPLY, tools)?;
        let begun = Instant::now();
        loop {
            let waited_for = self.not_ready()?;
            if waited_for.is_empty() {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::Failed(format!(
                    "not ready after {} s: {}",
                    PATIENCE.as_secs(),
                    waited_for.join(", ")
                ))
                .into());
            }
            tools.note(&format!("waiting for {}", waited_for.join(", ")))?;
            tools.interruptions().pause(ASK_EVERY)?;
        }
        let text =
            format!("{} functions are active, {} mappings enabled", self.functions().len(), self.mappings()?.len());
        Ok(Done { text, changed: changes(&said) })
    }

    /// Mappings by consumer group.
    fn mappings(&self) -> Result<Vec<(String, String)>, Error> {
        let mappings = self.deployment.output(Root::Services, "event_source_mappings")?;
        let word = |uuid: &Value| uuid.as_str().unwrap_or_default().to_owned();
        Ok(mappings.as_object().into_iter().flatten().map(|(group, uuid)| (group.clone(), word(uuid))).collect())
    }

    /// What does not work yet, each with its state.
    fn not_ready(&self) -> Result<Vec<String>, Error> {
        let functions =
            aws::call(self.region(), &["lambda", "list-functions", "--query", "Functions[].[FunctionName,State]"])?;
        let mappings = aws::call(
            self.region(),
            &[
                "lambda",
                "list-event-source-mappings",
                "--query",
                "EventSourceMappings[].[UUID,State,LastProcessingResult]",
            ],
        )?;
        let state_of = |rows: &Value, name: &str| {
            let row = rows.as_array().into_iter().flatten().find(|row| row[0] == name);
            row.map_or_else(|| "missing".to_owned(), |row| row[1].as_str().unwrap_or("Active").to_owned())
        };
        let functions =
            self.functions().into_iter().map(|name| (name.to_owned(), state_of(&functions, name), "Active"));
        let mappings = self.mappings()?.into_iter().map(|(group, uuid)| (group, state_of(&mappings, &uuid), "Enabled"));
        let all = functions.chain(mappings);
        Ok(all
            .filter(|(_, state, wanted)| state != wanted)
            .map(|(name, state, _)| format!("{name} ({state})"))
            .collect())
    }
}
