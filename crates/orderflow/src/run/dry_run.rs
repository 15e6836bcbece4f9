use std::collections::VecDeque;
use std::time::Duration;

use ::topology::Topology;
use events::Envelope;
use messaging::{BatchStep, Outcome, Services};
use tracing::{info, warn};

use super::orders::Orders;
use crate::Status;
use crate::lines::Next;

/// Lets the services decide about each order and logs every event; nothing is sent.
pub(crate) fn execute(services: &Services, topology: &Topology, orders: &mut Orders<'_>) -> Status {
    let mut groups: Vec<_> = services.iter().map(|(subscription, new_step)| (subscription, new_step())).collect();
    loop {
        let order = match orders.next(Duration::from_secs(1)) {
            Next::Line(order) => order,
            Next::Waiting => continue,
            Next::End => break,
        };
        let placed_by = topology.producers_of(order.record.topic.as_str()).map(|service| service.name.clone()).next();
        let mut events = VecDeque::from([(placed_by.unwrap_or_default(), order.record)]);
        while let Some((writer, event)) = events.pop_front() {
            let Envelope { order_id, event_type } = Envelope::of(Some(&event.key), Some(&event.value));
            let value = String::from_utf8_lossy(&event.value);
            info!(order_id, event_type, service = writer, status = "not_sent", topic = %event.topic, %value, "event");
            for (subscription, step) in groups.iter_mut().filter(|(subscription, _)| subscription.topic == event.topic)
            {
                let record = event.as_record();
                for outcome in step.process(&[record]) {
                    match outcome {
                        Outcome::Done(outgoing) => {
                            events.extend(outgoing.into_iter().map(|event| (subscription.service.clone(), event)));
                        }
                        Outcome::Retry(reason) => {
                            let service = subscription.service.as_str();
                            warn!(order_id, event_type, service, status = "retried", reason, "record failed");
                        }
                        Outcome::Reject(reason) => {
                            let service = subscription.service.as_str();
                            let status = if subscription.dead_letter.is_some() { "dead_lettered" } else { "skipped" };
                            warn!(order_id, event_type, service, status, reason, "record rejected");
                        }
                    }
                }
                if let Some(remark) = step.remark(&record) {
                    let service = subscription.service.as_str();
                    info!(order_id, event_type, service, status = "handled", remark, "record handled");
                }
            }
        }
    }
    if orders.rejected() > 0 { Status::Refused } else { Status::Holds }
}
