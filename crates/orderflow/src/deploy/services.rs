use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Deploy;
use crate::deployment::Root;
use crate::stages::Done;
use crate::tool::{Stop, Tools};
use crate::{Error, aws};

/// Functions in a VPC and mappings take their time.
const PATIENCE: Duration = Duration::from_secs(180);
const ASK_EVERY: Duration = Duration::from_secs(5);

impl Deploy<'_> {
    /// Applies `terraform/services`; then every function is active and every mapping enabled.
    pub(super) fn services(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        let deployment = &self.deployment;
        let (credentials, ca) = (deployment.secrets().join("credentials.json"), deployment.secrets().join("ca.pem"));
        if self.args.plan && (deployment.outputs(Root::Cluster)?.is_none() || !credentials.exists()) {
            return Ok(Done::unchanged("planned once there is a cluster"));
        }
        let variables = json!({
            "cluster": deployment.output(Root::Cluster, "cluster")?,
            "credentials_file": credentials,
            "ca_file": ca,
            "zips": deployment.zips(),
            "stop_after_hours": deployment.settings().hours,
        });
        let Some(changed) = self.apply(Root::Services, &variables, tools)? else {
            return Ok(Done::unchanged("planned"));
        };
        let (mappings, begun) = (self.mappings()?, Instant::now());
        loop {
            let waited_for = self.not_ready(&mappings)?;
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
        let text = format!(
            "{} functions are active, {} mappings enabled; {changed} changes",
            self.functions().len(),
            mappings.len()
        );
        Ok(Done { text, changed })
    }

    /// Mappings by consumer group.
    fn mappings(&self) -> Result<Vec<(String, String)>, Error> {
        let mappings = self.deployment.output(Root::Services, "event_source_mappings")?;
        let word = |uuid: &Value| uuid.as_str().unwrap_or_default().to_owned();
        Ok(mappings.as_object().into_iter().flatten().map(|(group, uuid)| (group.clone(), word(uuid))).collect())
    }

    /// What does not work yet, each with its state.
    fn not_ready(&self, mappings: &[(String, String)]) -> Result<Vec<String>, Error> {
        let names = self.functions();
        let ask = |name: &&str| {
            let words = ["lambda", "get-function-configuration", "--query", "State", "--function-name", name];
            words.map(str::to_owned).to_vec()
        };
        let states = aws::calls(self.region(), &names.iter().map(ask).collect::<Vec<_>>());
        let mut waited_for = Vec::new();
        for (name, state) in names.into_iter().zip(states) {
            let state = state?;
            if state != "Active" {
                waited_for.push(format!("{name} ({})", state.as_str().unwrap_or("unknown")));
            }
        }
        let query = "EventSourceMappings[].[UUID,State,LastProcessingResult]";
        let rows = aws::call(self.region(), &["lambda", "list-event-source-mappings", "--query", query])?;
        let found = |uuid: &str| rows.as_array().into_iter().flatten().find(|row| row[0] == uuid);
        for (group, uuid) in mappings {
            if let Some(state) = found(uuid).map_or_else(|| Some("missing".to_owned()), problem) {
                waited_for.push(format!("{group} ({state})"));
            }
        }
        Ok(waited_for)
    }
}

/// What is wrong with a mapping; a function that failed is the function's affair, and its batch comes again.
fn problem(row: &Value) -> Option<String> {
    let (state, result) = (row[1].as_str().unwrap_or_default(), row[2].as_str().unwrap_or_default());
    let is_well = ["", "OK", "No records processed"].contains(&result) || result.starts_with("PROBLEM: Function ");
    match (state, is_well) {
        ("Enabled", true) => None,
        (_, true) => Some(state.to_owned()),
        (_, false) => Some(format!("{state}, {result}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_ready_once_it_is_enabled_and_reaches_its_brokers() {
        for (state, result, expected) in [
            ("Enabled", json!("No records processed"), None),
            ("Enabled", json!(null), None),
            ("Enabled", json!("PROBLEM: Function call failed: Emulator.Injected"), None),
            ("Creating", json!("No records processed"), Some("Creating")),
            ("Enabled", json!("PROBLEM: a:9093: no answer"), Some("Enabled, PROBLEM: a:9093: no answer")),
        ] {
            assert_eq!(problem(&json!(["uuid", state, result])).as_deref(), expected);
        }
    }
}
