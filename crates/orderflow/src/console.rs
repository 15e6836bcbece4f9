//! What the console host is asked, over SSH: so that no broker's port is open to the operator.

use serde_json::{Deserializer, Value};

use crate::Error;
use crate::deployment::Deployment;

/// What `orderflow audit` finds of a run there, as JSON; `Null` where the run is not there, or not yet. It waits so long for the
/// groups.
///
/// # Errors
/// Where the host does not answer.
pub(crate) fn audit(deployment: &Deployment, run: &str, wait_s: u64) -> Result<Value, Error> {
    let command = format!("orderflow audit --run {run} --wait {wait_s}s --max-orders 20000000 --format json");
    let Answer { text, reason, .. } = ask(deployment, &command)?;
    match serde_json::from_str(&text) {
        Ok(document) => Ok(document),
        Err(_) if reason.contains("none of its orders stands") => Ok(Value::Null),
        Err(_) => Err(Error::Failed(format!("the audit on the console host: {reason}"))),
    }
}

/// Whether an audit's document says that it passed.
pub(crate) fn passed(audited: &Value) -> bool {
    audited["audit"]["passed"] == true
}

/// Whether waiting changes nothing any more: an order is lost once all groups are at the ends of their topics, and a record that
/// should not be there stays.
pub(crate) fn is_final(audited: &Value) -> bool {
    let is_found = |fault: &&str| audited["audit"][fault].as_u64().is_some_and(|count| count > 0);
    ["lost", "doubled", "unexpected"].iter().any(is_found)
}

/// The ids of a run's orders, as they stand in the topics.
///
/// # Errors
/// Where the host does not answer.
pub(crate) fn orders(deployment: &Deployment, run: &str) -> Result<Vec<String>, Error> {
    let command = format!(
        "orders=$(mktemp); orderflow audit --run {run} --wait 0s --format json --orders $orders >/dev/null; cat $orders; rm $orders"
    );
    let text = ask(deployment, &command)?.text;
    let orders = Deserializer::from_str(&text).into_iter::<Value>().filter_map(Result::ok);
    Ok(orders.filter_map(|order| order["order_id"].as_str().map(str::to_owned)).collect())
}

/// What a command there has said.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) reason: String,
    pub(crate) succeeded: bool,
}

/// A shell's command as root there, as the cluster's administrator.
///
/// # Errors
/// Where the host does not answer.
pub(crate) fn ask(deployment: &Deployment, command: &str) -> Result<Answer, Error> {
    let (hosts, role) = (deployment.hosts()?, deployment.system().console());
    let (name, _) = hosts
        .iter()
        .find(|(_, host)| host.role == role)
        .ok_or_else(|| Error::Failed(format!("no host has the role {role}")))?;
    let script = format!("sudo sh -c 'set -a; . /etc/orderflow/admin.env; {command}'");
    let output = deployment.on(name, &script).output().map_err(|error| Error::Failed(format!("ssh: {error}")))?;
    let (text, reason) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // What ssh itself ends with.
    if output.status.code() == Some(255) {
        let argument = deployment.system().argument();
        return Err(Error::Failed(format!(
            "{name}: {}: `orderflow deploy{argument} --only ssh` says more",
            reason.trim()
        )));
    }
    Ok(Answer { text: text.into_owned(), reason: reason.trim().to_owned(), succeeded: output.status.success() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_waits_for_orders_waits_no_longer_once_one_is_lost() {
        let audited = |lost: u64, unfinished: u64| json!({"audit": {"lost": lost, "doubled": 0, "unexpected": 0, "unfinished": unfinished}});
        assert!(is_final(&audited(1, 0)));
        assert!(!is_final(&audited(0, 5)) && !is_final(&Value::Null));
    }
}
