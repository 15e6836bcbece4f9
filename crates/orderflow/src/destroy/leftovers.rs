//! What Terraform does not end by itself, or not soon: Lambda's network interfaces, versions in the bucket, late log groups.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::tool::{Interruptions, Stop};
use crate::{Error, aws, grouped, tell};

/// How often Lambda's interfaces are asked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often a person is told that they are still waited for.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// After so long Lambda does not give them back any more. AWS says 20 minutes as a rule, 45 at worst.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

/// What S3 deletes in one call.
const BATCH: usize = 1_000;

/// Waits until Lambda has given back its network interfaces in a network; says how many there were.
///
/// # Errors
/// Where it does not, or AWS does not answer.
pub(super) fn await_interfaces(region: &str, vpc: &str, interruptions: &Interruptions) -> Result<usize, Stop> {
    let begun = Instant::now();
    let filter = format!("Name=vpc-id,Values={vpc}");
    let (mut most, mut last, mut told) = (0, 0, begun);
    loop {
        let answer =
            aws::call(region, &["ec2", "describe-network-interfaces", "--filters", &filter]).map_err(Error::from)?;
        let left = of_lambda(&answer);
        most = most.max(left.len());
        if left.is_empty() {
            return Ok(most);
        }
        if left.len() != last || told.elapsed() >= TELL_EVERY {
            let (count, seconds) = (left.len(), begun.elapsed().as_secs());
            tell(&format!(
                "interfaces: {count} of Lambda's in {vpc} after {seconds} s: it gives them back within 45 minutes"
            ));
            (last, told) = (count, Instant::now());
        }
        if begun.elapsed() >= PATIENCE {
            let ids = left.iter().map(|left| left.id.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Error::Failed(format!(
                "after 45 minutes Lambda still holds {ids}: look at who uses them, with `aws ec2 \
                 describe-network-interfaces --region {region} --filters {filter}`"
            ))
            .into());
        }
        // Lambda has let go of these, and forgotten them.
        for Left { id, .. } in left.iter().filter(|left| left.is_available) {
            match aws::call(region, &["ec2", "delete-network-interface", "--network-interface-id", id]) {
                Ok(_) | Err(aws::Error::Missing { .. }) => {}
                Err(error) => tell(&format!("interfaces: {error}")),
            }
        }
        interruptions.pause(LOOK_EVERY)?;
    }
}

/// An interface that Lambda has made.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    id: String,
    is_available: bool,
}

fn of_lambda(answer: &Value) -> Vec<Left> {
    let interfaces = answer["NetworkInterfaces"].as_array().into_iter().flatten();
    let is_lambdas = |one: &&Value| {
        one["InterfaceType"] == "lambda"
            || one["Description"].as_str().is_some_and(|text| text.starts_with("AWS Lambda VPC ENI-"))
    };
    let left = |one: &Value| {
        let id = one["NetworkInterfaceId"].as_str()?.to_owned();
        Some(Left { id, is_available: one["Status"] == "available" })
    };
    interfaces.filter(is_lambdas).filter_map(left).collect()
}

/// Deletes every version and every delete marker in a bucket; says how many there were.
///
/// # Errors
/// Where S3 does not answer, or keeps one.
pub(super) fn empty_bucket(region: &str, bucket: &str, interruptions: &Interruptions) -> Result<usize, Stop> {
    let mut deleted = 0;
    loop {
        interruptions.check()?;
        let list = ["s3api", "list-object-versions", "--bucket", bucket, "--max-items", &BATCH.to_string()];
        let listed = match aws::call(region, &list) {
            Ok(listed) => listed,
            Err(aws::Error::Missing { .. }) => break,
            Err(error) => return Err(Error::from(error).into()),
        };
        let versions = versions(&listed);
        if versions.is_empty() {
            break;
        }
        // There may be more: `aws` counts delete markers apart. As a file, because a command line is too short for so many.
        let versions = &versions[..versions.len().min(BATCH)];
        let mut file = tempfile::NamedTempFile::new().map_err(Error::failed)?;
        let document = json!({"Objects": versions, "Quiet": true}).to_string();
        file.write_all(document.as_bytes()).map_err(Error::failed)?;
        let path = format!("file://{}", file.path().display());
        let answer = aws::call(region, &["s3api", "delete-objects", "--bucket", bucket, "--delete", &path])
            .map_err(Error::from)?;
        if let Some(refused) = answer["Errors"].as_array().and_then(|errors| errors.first()) {
            let (key, reason) = (&refused["Key"], &refused["Message"]);
            return Err(Error::Failed(format!("{bucket}: S3 keeps {key}: {reason}")).into());
        }
        deleted += versions.len();
        tell(&format!("bucket: {} versions deleted", grouped(deleted as u64)));
    }
    Ok(deleted)
}

/// What delete-objects takes of what list-object-versions gives.
fn versions(listed: &Value) -> Vec<Value> {
    let lists = ["Versions", "DeleteMarkers"].map(|key| listed[key].as_array());
    let of_both = lists.into_iter().flatten().flatten();
    of_both.map(|one| json!({"Key": one["Key"], "VersionId": one["VersionId"]})).collect()
}

/// Deletes the log groups of these functions, if they are there; says which were. An invocation that ends after its log
/// group makes that anew.
///
/// # Errors
/// Where AWS does not answer.
pub(super) fn delete_log_groups<'a>(
    region: &str,
    functions: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, Error> {
    let wanted: Vec<String> = functions.map(|name| format!("/aws/lambda/{name}")).collect();
    if wanted.is_empty() {
        return Ok(wanted);
    }
    let answer = aws::call(region, &["logs", "describe-log-groups", "--log-group-name-prefix", "/aws/lambda/"])?;
    let there = answer["logGroups"].as_array().into_iter().flatten().filter_map(|group| group["logGroupName"].as_str());
    let there: Vec<String> =
        there.filter(|name| wanted.iter().any(|wanted| wanted == name)).map(str::to_owned).collect();
    for name in &there {
        match aws::call(region, &["logs", "delete-log-group", "--log-group-name", name]) {
            Ok(_) | Err(aws::Error::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_interfaces_are_told_by_type_or_description() {
        let one = |id: &str, kind: &str, description: &str, status: &str| json!({"NetworkInterfaceId": id, "InterfaceType": kind, "Description": description, "Status": status});
        let answer = json!({"NetworkInterfaces": [
            one("eni-1", "lambda", "", "in-use"),
            one("eni-2", "interface", "AWS Lambda VPC ENI-order_generator-0", "available"),
            one("eni-3", "interface", "Primary network interface", "in-use"),
            one("eni-4", "vpc_endpoint", "VPC Endpoint Interface vpce-1", "in-use"),
        ]});
        let left = |id: &str, is_available| Left { id: id.into(), is_available };
        assert_eq!(of_lambda(&answer), [left("eni-1", false), left("eni-2", true)]);
        assert_eq!(of_lambda(&Value::Null), []);
    }

    #[test]
    fn versions_and_delete_markers_are_both_deleted() {
        let listed = json!({
            "Versions": [{"Key": "a.zip", "VersionId": "1", "Size": 7, "IsLatest": false}],
            "DeleteMarkers": [{"Key": "a.zip", "VersionId": "2", "IsLatest": true}],
        });
        let expected = [json!({"Key": "a.zip", "VersionId": "1"}), json!({"Key": "a.zip", "VersionId": "2"})];
        assert_eq!(versions(&listed), expected);
        assert_eq!(versions(&Value::Null), [Value::Null; 0]);
    }
}
