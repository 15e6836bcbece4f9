use std::time::{Duration, Instant};

use serde_json::Value;

use crate::deploy::Deploy;
use crate::stages::Done;
use crate::tool::{Stop, Tools};
use crate::{Error, console};

/// How long one order may take to its row, and the services to their places.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Brokers, topics, the database and every service: which of them there are, and where they listen, the units say.
const HEALTH: &str = ". /etc/orderflow/food_consumer.env; . /etc/orderflow/admin.env; \
    orderflow health --topology /etc/orderflow/topology.json --format json \
    $(grep -oh \"listen [^ ]*\" /etc/systemd/system/orderflow-food-*.service | sed \"s/listen/--worker/\")";

/// One order, as the service that places them, which tells its id once it is confirmed.
const PLACE: &str = ". /etc/orderflow/food_producer.env; RUST_LOG=debug; orderflow work food_producer --orders 1";

impl Deploy<'_> {
    /// Has one order placed, and finds it in the table, by its id: audits of a whole topic are too much for a small host that has run for days.
    pub(super) fn smoke_test_of_food(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        self.wait_until_healthy(tools)?;
        let answer = console::ask(&self.deployment, PLACE)?;
        let placed = placed(&answer.reason);
        let Some(order) = placed.filter(|_| answer.succeeded) else {
            return Err(Error::Failed(format!("no order can be placed: {}", last_line(&answer.reason))).into());
        };
        tools.note(&format!("order {order} is placed"))?;
        let begun = Instant::now();
        // In a shell's double quotes $$ would be its number.
        let question = format!("SELECT count(*) FROM food.orders WHERE order_id = \\$\\${order}\\$\\$");
        let ask = format!("cd /; runuser -u postgres -- psql -XAt orderflow -c \"{question}\"");
        loop {
            let answer = console::ask(&self.deployment, &ask)?;
            if answer.text.trim() == "1" {
                let took = begun.elapsed().as_secs_f64();
                return Ok(Done::unchanged(format!("order {order} was stored, {took:.0} s after it was placed")));
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::Failed(format!(
                    "order {order} is not stored: {}{}; on the host `journalctl -u orderflow-food-consumer` shows why",
                    answer.text.trim(),
                    answer.reason
                ))
                .into());
            }
            tools.interruptions().pause(LOOK_EVERY)?;
        }
    }

    /// A service that was just started waits for its place.
    fn wait_until_healthy(&self, tools: &mut Tools<'_>) -> Result<(), Stop> {
        let begun = Instant::now();
        loop {
            let answer = console::ask(&self.deployment, HEALTH)?;
            if answer.succeeded {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                let ill = ill(&answer.text).unwrap_or(answer.reason);
                return Err(Error::Failed(format!("not healthy after {} s: {ill}", PATIENCE.as_secs())).into());
            }
            tools.interruptions().pause(LOOK_EVERY)?;
        }
    }
}

/// The order of which the log of a producer tells.
fn placed(log: &str) -> Option<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut placed = lines.filter(|line| line["status"] == "placed");
    placed.find_map(|line| line["order_id"].as_str().map(str::to_owned))
}

/// What of a report of health is not well, each with what is said of it.
fn ill(report: &str) -> Option<String> {
    let report: Value = serde_json::from_str(report).ok()?;
    let parts = report["parts"].as_object()?;
    let ill = parts.iter().filter(|(_, part)| part["healthy"] != true);
    Some(
        ill.map(|(name, part)| format!("{name}: {}", part["said"].as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join("; "),
    )
}

fn last_line(text: &str) -> &str {
    text.lines().next_back().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producers_log_tells_which_order_it_has_placed() {
        let log = "{\"order_id\":\"\",\"status\":\"publishing\"}\nno JSON\n\
            {\"level\":\"DEBUG\",\"order_id\":\"ORD-20261128-00676\",\"status\":\"placed\"}\n{\"order_id\":\"\",\"status\":\"published\",\"placed\":1}";
        assert_eq!(placed(log).as_deref(), Some("ORD-20261128-00676"));
        assert_eq!(placed("{\"order_id\":\"\",\"status\":\"publishing\"}"), None);
    }

    #[test]
    fn what_is_ill_is_told_and_nothing_else() {
        let report = r#"{"healthy": false, "parts": {"kafka": {"healthy": true, "said": "1 brokers answer"},
            "worker 127.0.0.1:9402": {"healthy": false, "said": "503: waits for its place"}}}"#;
        assert_eq!(ill(report).unwrap(), "worker 127.0.0.1:9402: 503: waits for its place");
        assert_eq!(ill("error: no settings"), None);
    }
}
