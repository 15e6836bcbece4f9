use std::time::{Duration, Instant};

use ::topology::Topology;
use events::Topic;
use kafka_transport::{Admin, Connection, Error, GroupOffsets, Span};

use super::Finding;
use crate::audit::lag;
use crate::{counted, health, topics};

/// How many topics are told one by one.
const SHOWN: usize = 5;

/// How long all groups together may take to be asked.
const GROUPS_DEADLINE: Duration = Duration::from_secs(30);

/// Asks a cluster; what does not answer once is not asked again.
pub(super) fn look(connection: &Connection, topology: &Topology, file: &str) -> Vec<Finding> {
    let brokers = Admin::connect(connection).and_then(|admin| Ok((admin.brokers()?.len() as u64, admin)));
    let (brokers, admin) = match brokers {
        Ok(answer) => answer,
        Err(error) => return vec![Finding::told("brokers", &error)],
    };
    let who = connection.user().map_or_else(String::new, |user| format!("; TLS holds, and {user} is known"));
    let answer = if brokers == 1 { "answers" } else { "answer" };
    let mut findings = vec![Finding::ok("brokers", format!("{} {answer}{who}", counted(brokers, "broker")))];
    let different = match topics::differences(connection, topology, file) {
        Ok(different) => different,
        Err(error) => {
            findings.push(unseen("topics", &error));
            return findings;
        }
    };
    findings.push(of_topics(&different, topology.topics().count(), file));
    if !different.lacks_any {
        findings.push(match health::topics(&admin, topology) {
            Ok(_) => Finding::ok("replicas", "each partition has its leader, and its replicas are in sync"),
            Err(error) => Finding::told("replicas", &error),
        });
    }
    match groups(connection, &admin, topology) {
        Ok(groups) => findings.extend(of_groups(&groups)),
        Err(error) => findings.push(unseen("groups", &error)),
    }
    findings
}

/// Why something could not be looked at. A service's user may see what is its own alone, and that is well.
fn unseen(what: &str, error: &Error) -> Finding {
    match error {
        Error::Forbidden { user, operation, resource, .. } => Finding::warning(
            what,
            format!("user {user} may not {operation} {resource}, so nobody knows how they are"),
            "look as somebody who may see all of them, such as admin",
        ),
        _ => Finding::told(what, error),
    }
}

/// Whether the topics are as the topology says, by those that are not, each with how.
fn of_topics(different: &topics::Different, all: usize, file: &str) -> Finding {
    let topics::Different { rows, hint, .. } = different;
    if rows.is_empty() {
        return Finding::ok("topics", format!("all {all} are as {file} says"));
    }
    let mut shown: Vec<String> = rows.iter().take(SHOWN).map(|(topic, how)| format!("{topic}: {how}")).collect();
    let more = rows.len().saturating_sub(SHOWN);
    shown.extend((more > 0).then(|| format!("{more} more, which `orderflow topics diff` shows")));
    Finding::wrong("topics", format!("{} of {all} differ: {}", rows.len(), shown.join("; ")), hint.as_str())
}

/// A consumer group.
struct Group {
    name: String,
    service: String,
    has_members: bool,
    /// Records that it is not done with.
    lag: u64,
}

fn groups(connection: &Connection, admin: &Admin, topology: &Topology) -> Result<Vec<Group>, Error> {
    let deadline = Instant::now() + GROUPS_DEADLINE;
    let mut groups = Vec::new();
    for (service, consumption) in topology.groups() {
        if Instant::now() >= deadline {
            break; // slow as it is, the first of them tell enough
        }
        let (name, topic) = (consumption.group.as_str(), consumption.topic.as_str());
        let has_members = match admin.check_idle(&[name]) {
            Ok(()) => false,
            Err(Error::Members { .. }) => true,
            Err(error) => return Err(error),
        };
        let partitions = admin.replicas(&[topic])?.get(topic).map_or(0, Vec::len) as u32;
        let committed = GroupOffsets::of(connection, name)?.committed(topic, partitions)?;
        let topic = Topic::named(topic);
        let logs = admin.offsets(topic.as_str(), partitions)?.into_iter().zip(0..);
        let spans = logs.map(|(log, partition)| Span { topic, partition, from: log.start, to: log.end });
        let lag = spans.map(|span| lag(&span, &committed)).sum();
        groups.push(Group { name: name.to_owned(), service: service.name.clone(), has_members, lag });
    }
    Ok(groups)
}

/// Records that wait for nobody are told group by group.
fn of_groups(groups: &[Group]) -> Vec<Finding> {
    let lag = groups.iter().map(|group| group.lag).sum();
    let with_members = groups.iter().filter(|group| group.has_members).count();
    let found = format!("{with_members} of {} have members; {} behind", groups.len(), counted(lag, "record"));
    let left_alone = groups.iter().filter(|group| group.lag > 0 && !group.has_members).map(
        |Group { name, service, lag, .. }| {
            let verb = if *lag == 1 { "waits" } else { "wait" };
            let found = format!("{} {verb}, and no worker is there", counted(*lag, "record"));
            Finding::warning(format!("group {name}"), found, format!("`orderflow work {service}`"))
        },
    );
    [Finding::ok("groups", found)].into_iter().chain(left_alone).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn topics_that_differ_are_told_with_the_command_that_mends_them() {
        let hint = "`orderflow topics create` adds partitions";
        let different = |count: usize| topics::Different {
            rows: (0..count).map(|n| (format!("t{n}"), "missing".to_owned())).collect(),
            hint: hint.to_owned(),
            lacks_any: count > 0,
        };
        assert_eq!(of_topics(&different(0), 37, "t.json"), Finding::ok("topics", "all 37 are as t.json says"));
        let expected = Finding::wrong("topics", "2 of 37 differ: t0: missing; t1: missing", hint);
        assert_eq!(of_topics(&different(2), 37, "t.json"), expected);
        let many = of_topics(&different(37), 37, "t.json");
        assert!(many.found.ends_with("t4: missing; 32 more, which `orderflow topics diff` shows"), "{}", many.found);
    }

    #[test]
    fn what_a_services_user_may_not_see_is_no_fault_of_the_cluster() {
        let forbidden = Error::Forbidden {
            address: "a:1".into(),
            user: "shop".into(),
            operation: "DESCRIBE",
            resource: "topic t".into(),
        };
        assert_eq!(unseen("topics", &forbidden).level, Level::Warning);
        let away = Error::Unreachable { address: "a:1".into(), deadline_s: 9, reason: "refused".into() };
        assert_eq!(unseen("topics", &away).level, Level::Wrong);
    }

    #[test]
    fn a_group_that_nobody_works_for_is_a_warning_once_records_wait() {
        let group = |has_members, lag| Group { name: "s.t".into(), service: "s".into(), has_members, lag };
        let levels = |groups: &[Group]| of_groups(groups).iter().map(|finding| finding.level).collect::<Vec<_>>();
        assert_eq!(levels(&[group(false, 0), group(true, 7)]), [Level::Ok]);
        assert_eq!(levels(&[group(false, 1)]), [Level::Ok, Level::Warning]);
        let found = of_groups(&[group(false, 2), group(true, 5)]);
        assert_eq!(found[0], Finding::ok("groups", "1 of 2 have members; 7 records behind"));
        assert_eq!(
            found[1],
            Finding::warning("group s.t", "2 records wait, and no worker is there", "`orderflow work s`")
        );
    }
}
