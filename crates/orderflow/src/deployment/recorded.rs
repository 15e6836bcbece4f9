//! What a root's state has recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// What is named in a summary; the rest is counted in one sum.
const NOTABLE: [(&str, &str); 10] = [
    ("aws_instance", "hosts"),
    ("aws_vpc", "network"),
    ("aws_s3_bucket", "bucket"),
    ("aws_iam_role", "roles"),
    ("aws_lambda_function", "functions"),
    ("aws_lambda_event_source_mapping", "event source mappings"),
    ("aws_secretsmanager_secret", "secrets"),
    ("aws_vpc_endpoint", "endpoints"),
    ("aws_cloudwatch_log_group", "log groups"),
    ("aws_cloudwatch_metric_alarm", "alarms"),
];

/// What a root's state has recorded: things of AWS, and what they are called.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Attributes by type.
    things: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    mode: String,
    r#type: String,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    attributes: Value,
}

impl Recorded {
    /// What stands in a root's folder; nothing if it was never applied.
    ///
    /// # Errors
    /// Where its state cannot be read: then nobody knows what it has made.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        Self::of(&folder.join("terraform.tfstate"))
    }

    /// What it had before Terraform wrote it last: Terraform keeps that beside it.
    pub(super) fn before(folder: &Path) -> Self {
        Self::of(&folder.join("terraform.tfstate.backup")).unwrap_or_default()
    }

    /// Takes back what Terraform had begun to write when it was killed: it empties a state before it fills it, and one that is empty would mean that
    /// nothing was made. What it had when its last command began stands beside it, which is at least all that was to be destroyed; Terraform
    /// finds out what of it is gone. Whether that was so.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub(super) fn take_back(folder: &Path) -> io::Result<bool> {
        let [state, before] = ["terraform.tfstate", "terraform.tfstate.backup"].map(|name| folder.join(name));
        let is_blank = |file: &Path| fs::read_to_string(file).is_ok_and(|text| text.trim().is_empty());
        let is_broken_off = is_blank(&state) && before.exists() && !is_blank(&before);
        if is_broken_off {
            fs::copy(&before, &state)?;
        }
        Ok(is_broken_off)
    }

    fn of(file: &Path) -> Result<Self, String> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(format!("{}: {error}", file.display())),
        };
        Self::parse(&text).map_err(|error| {
            let backup = "the state before the last change stands beside it as terraform.tfstate.backup";
            format!("{}: no state as Terraform writes it: {error}: {backup}", file.display())
        })
    }

    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let mut things: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        if text.trim().is_empty() {
            return Ok(Self { things }); // as Terraform takes it, too
        }
        let state: State = serde_json::from_str(text)?;
        // What is not of AWS, such as a random suffix, costs nothing and is found nowhere.
        let of_aws = |one: &Resource| one.mode == "managed" && one.r#type.starts_with("aws_");
        for Resource { r#type, instances, .. } in state.resources.into_iter().filter(of_aws) {
            things.entry(r#type).or_default().extend(instances.into_iter().map(|instance| instance.attributes));
        }
        Ok(Self { things })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.things.values().all(Vec::is_empty)
    }

    /// What an attribute of all things of a type says.
    fn all<'a>(&'a self, kind: &str, attribute: &'a str) -> impl Iterator<Item = &'a str> {
        self.things.get(kind).into_iter().flatten().filter_map(move |one| one[attribute].as_str())
    }

    pub(crate) fn bucket(&self) -> Option<&str> {
        self.all("aws_s3_bucket", "bucket").next()
    }

    pub(crate) fn vpc(&self) -> Option<&str> {
        self.all("aws_vpc", "id").next()
    }

    /// The ids of its instances.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.all("aws_instance", "id")
    }

    /// Functions, also those of which there is only the log group.
    pub(crate) fn functions(&self) -> BTreeSet<String> {
        let of_logs = self.all("aws_cloudwatch_log_group", "name").filter_map(|name| name.strip_prefix("/aws/lambda/"));
        self.all("aws_lambda_function", "function_name").chain(of_logs).map(str::to_owned).collect()
    }

    /// How many things.
    pub(crate) fn count(&self) -> u64 {
        self.things.values().map(|things| things.len() as u64).sum()
    }

    /// For a person: how many things, and which of them one may miss.
    pub(crate) fn summary(&self) -> String {
        if self.is_empty() {
            return "nothing recorded".into();
        }
        let count = self.count();
        let notable = NOTABLE.iter().filter_map(|(kind, name)| match self.things.get(*kind).map_or(0, Vec::len) {
            0 => None,
            1 => Some((*name).trim_end_matches('s').to_owned()).map(|name| format!("1 {name}")),
            count => Some(format!("{count} {name}")),
        });
        let notable: Vec<String> = notable.collect();
        format!("{count} things of AWS{}{}", if notable.is_empty() { "" } else { ": " }, notable.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_state_tells_what_is_to_be_destroyed() {
        let thing = |kind: &str, attributes: Value| json!({"mode": "managed", "type": kind, "instances": [{"attributes": attributes}]});
        let state = json!({"version": 4, "resources": [
            {"mode": "data", "type": "aws_ami", "instances": [{"attributes": {"id": "ami-1"}}]},
            thing("terraform_data", json!({"id": "1"})),
            thing("aws_vpc", json!({"id": "vpc-1"})),
            thing("aws_s3_bucket", json!({"bucket": "kafka-demo-lambda-code-0123abcd"})),
            thing("aws_lambda_function", json!({"function_name": "hello_world"})),
            thing("aws_cloudwatch_log_group", json!({"name": "/aws/lambda/order_generator"})),
            thing("aws_cloudwatch_log_group", json!({"name": "/aws/lambda/hello_world"})),
            thing("aws_subnet", json!({"id": "subnet-1"})),
        ]});
        let recorded = Recorded::parse(&state.to_string()).unwrap();
        assert_eq!(recorded.summary(), "6 things of AWS: 1 network, 1 bucket, 1 function, 2 log groups");
        assert_eq!((recorded.vpc(), recorded.bucket()), (Some("vpc-1"), Some("kafka-demo-lambda-code-0123abcd")));
        assert_eq!(recorded.functions(), BTreeSet::from(["hello_world".into(), "order_generator".into()]));
        assert!(!recorded.is_empty());
    }

    #[test]
    fn a_state_that_was_emptied_and_not_filled_again_is_taken_back_to_what_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let vpc = r#"{"resources": [{"mode": "managed", "type": "aws_vpc", "instances": [{"attributes": {"id": "vpc-1"}}]}]}"#;
        write("terraform.tfstate", "");
        assert!(!Recorded::take_back(folder.path()).unwrap(), "there was none before");
        write("terraform.tfstate.backup", vpc);
        assert!(Recorded::take_back(folder.path()).unwrap());
        assert_eq!(Recorded::read(folder.path()).unwrap().vpc(), Some("vpc-1"));
        write("terraform.tfstate", r#"{"version": 4, "resources": []}"#);
        assert!(!Recorded::take_back(folder.path()).unwrap(), "all of it was destroyed");
        assert!(Recorded::read(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn a_state_without_things_of_aws_is_empty_and_a_broken_one_is_not() {
        for text in ["", r#"{"version": 4, "resources": []}"#] {
            assert!(Recorded::parse(text).unwrap().is_empty(), "{text}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(Recorded::read(folder.path()).unwrap().is_empty());
        fs::write(folder.path().join("terraform.tfstate"), "{\"resources\": [").unwrap();
        assert!(Recorded::read(folder.path()).unwrap_err().contains("terraform.tfstate.backup"));
    }
}
