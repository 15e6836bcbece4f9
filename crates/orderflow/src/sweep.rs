//! Everything of AWS that is ours, by the list call of each type of things.
//!
//! The tagging API alone would not do: it knows no roles and no schedules, leaves out what was never tagged, and shows for
//! hours what is gone. So each type is asked for by its own list call, and that API for types that nobody thought of.
//!
//! What is ours carries the tag `Project` of the system that is deployed, stands in a network that does, or has a name that only
//! `terraform/` gives. A function or its log group may have a name that anybody gives, such as `hello_world`: there the
//! name alone proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ::topology::Topology;
use serde_json::{Value, json};

use crate::deployment::System;
use crate::{aws, package};
use kinds::{KINDS, Kind, Tags};

mod kinds; // the table of types

/// By what the things of one system are known.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    /// Their tag `Project`; names that we give begin with it.
    project: &'static str,
    /// What the name of the bucket begins with, where there is one.
    bucket: Option<&'static str>,
    /// Names of functions, which other people's functions may have, too.
    functions: Functions,
}

#[derive(Clone, Debug, Default)]
struct Functions {
    /// Ours if they carry our tag.
    possible: BTreeSet<String>,
    /// Ours with or without: a log group that Lambda itself made again has no tag.
    known: BTreeSet<String>,
}

impl Marks {
    /// Those of a system as a topology has it.
    pub(crate) fn of(system: System, topology: &Topology) -> Self {
        let project = system.project();
        match system {
            System::Shop => {
                let possible = package::functions(topology).into_iter().map(str::to_owned).collect();
                let functions = Functions { possible, ..Functions::default() };
                Self { project, bucket: Some("kafka-demo-lambda-code-"), functions }
            }
            System::Food => Self { project, bucket: None, functions: Functions::default() },
        }
    }

    /// The same, with functions that the caller's state has.
    #[must_use]
    pub(crate) fn with_functions(mut self, names: impl IntoIterator<Item = String>) -> Self {
        let Functions { possible, known } = &mut self.functions;
        known.extend(names);
        possible.extend(known.iter().cloned());
        self
    }

    /// Functions that the caller's state has.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.known.iter().map(String::as_str)
    }
}

/// What a look at everything has found.
#[derive(Debug)]
pub(crate) struct Sweep {
    region: String,
    /// What is ours, in an order in which it can be removed.
    pub(crate) found: Vec<Found>,
    /// How many things of each type there are, ours or not.
    pub(crate) looked_at: Vec<(&'static str, usize)>,
    /// What could not be looked at, and why: it may hold anything.
    pub(crate) unseen: Vec<(&'static str, String)>,
}

/// A thing of ours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its type.
    pub(crate) kind: &'static str,
    /// What AWS calls it.
    pub(crate) id: String,
    /// What we call it, where that is something else.
    pub(crate) name: Option<String>,
    /// What removes it, to paste into a shell; after those before it.
    pub(crate) command: String,
}

impl Sweep {
    /// Looks at everything in a region, and at what has none, such as roles; takes some 10 seconds.
    ///
    /// # Errors
    /// Where nothing can be looked at: no `aws`, or no credentials. A single type that is refused is not one, see `unseen`.
    pub(crate) fn of(region: &str, marks: &Marks) -> Result<Self, aws::Error> {
        let lists: Vec<Vec<String>> = KINDS.iter().map(|kind| kind.list(marks)).collect();
        let (mut listed, mut unseen) = (Vec::new(), Vec::new());
        for (kind, answer) in KINDS.iter().zip(aws::calls(region, &lists)) {
            match answer {
                Ok(answer) => listed.push(Listed { kind, items: kind.items(&answer, marks) }),
                Err(error) if error.is_of_every_call() => return Err(error),
                Err(error) => unseen.push((kind.name, error.to_string())),
            }
        }
        ask_for_tags(region, marks, &mut listed, &mut unseen);
        let looked_at = listed.iter().map(|Listed { kind, items }| (kind.name, items.len())).collect();
        Ok(Self { region: region.to_owned(), found: ours(&listed, marks, region), looked_at, unseen })
    }

    /// Whether it is proven that nothing of ours is there.
    pub(crate) fn is_clean(&self) -> bool {
        self.found.is_empty() && self.unseen.is_empty()
    }

    /// How many things were looked at, a line a type; as comments where commands follow.
    pub(crate) fn counts(&self) -> String {
        let mut text = format!("{:<28} {:>7} {:>5}\n", "LOOKED AT", "THERE", "OURS");
        for (kind, count) in &self.looked_at {
            let ours = self.found.iter().filter(|found| found.kind == *kind).count();
            let _ = writeln!(text, "{kind:<28} {count:>7} {ours:>5}"); // a String takes all
        }
        for (kind, reason) in &self.unseen {
            let _ = writeln!(text, "{kind:<28} could not be looked at: {reason}");
        }
        text
    }

    /// What is ours, each with the command that removes it: a shell script.
    pub(crate) fn commands(&self) -> String {
        let mut text = String::new();
        for Found { kind, id, name, command } in &self.found {
            // A line break in a name would end the comment.
            let name: String =
                name.iter().flat_map(|name| name.chars()).filter(|letter| !letter.is_control()).collect();
            let _ = writeln!(text, "# {}\n{command}", format!("{kind} {} {name}", id.escape_debug()).trim_end());
        }
        text
    }

    /// One JSON document of all that it has found.
    pub(crate) fn document(&self) -> Value {
        let found =
            |found: &Found| json!({"type": found.kind, "id": found.id, "name": found.name, "command": found.command});
        let unseen = |(kind, reason): &(&str, String)| json!({"type": kind, "reason": reason});
        json!({
            "region": self.region,
            "looked_at": self.looked_at.iter().copied().collect::<BTreeMap<_, _>>(),
            "remains": self.found.iter().map(found).collect::<Vec<_>>(),
            "not_looked_at": self.unseen.iter().map(unseen).collect::<Vec<_>>(),
        })
    }
}

/// A thing that was listed.
#[derive(Debug)]
struct Item {
    about: Value,
    is_tagged: bool,
}

/// What a list call has answered.
#[derive(Debug)]
struct Listed {
    kind: &'static Kind,
    items: Vec<Item>,
}

/// Asks for the tags of what may be ours and is listed without them.
fn ask_for_tags(region: &str, marks: &Marks, listed: &mut [Listed], unseen: &mut Vec<(&'static str, String)>) {
    let mut questions = Vec::new();
    let mut asked = Vec::new();
    for Listed { kind, items } in listed.iter_mut() {
        let Tags::Asked(question) = kind.tags else { continue };
        for item in items {
            if let Some(question) = question(&item.about, marks) {
                questions.push(question);
                asked.push((kind.name, item));
            }
        }
    }
    for ((kind, item), answer) in asked.into_iter().zip(aws::calls(region, &questions)) {
        match answer {
            Ok(answer) => item.is_tagged = kinds::is_tagged(&answer, marks),
            Err(aws::Error::Missing { .. }) => {} // it has gone since it was listed
            Err(error) => unseen.push((kind, error.to_string())),
        }
    }
}

/// What of all that is ours.
struct Ours<'a> {
    marks: &'a Marks,
    region: &'a str,
    /// Ids of what others stand in, hang on or go with.
    ids: BTreeSet<&'a str>,
    /// Interfaces of our endpoints.
    of_endpoints: BTreeSet<&'a str>,
}

/// Tells what is ours from what is not.
fn ours(listed: &[Listed], marks: &Marks, region: &str) -> Vec<Found> {
    let mut ours = Ours { marks, region, ids: BTreeSet::new(), of_endpoints: BTreeSet::new() };
    // A network first, then what stands in it and has others hang on it.
    for Listed { kind, items } in
        kinds::HOLDERS.iter().flat_map(|name| listed.iter().filter(|listed| listed.kind.name == *name))
    {
        for item in items.iter().filter(|item| (kind.is_ours)(item, &ours)).collect::<Vec<_>>() {
            ours.ids.extend(item.about[kind.id].as_str());
            let interfaces = item.about["NetworkInterfaceIds"].as_array().into_iter().flatten();
            ours.of_endpoints.extend(interfaces.filter_map(Value::as_str));
        }
    }
    let mut found = Vec::new();
    for Listed { kind, items } in listed {
        for item in items.iter().filter(|item| (kind.is_ours)(item, &ours)) {
            found.push(kind.found(item, &ours));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of these answers, by type; types without an answer have nothing.
    fn found(answers: &[(&str, Value)], marks: &Marks) -> Vec<Found> {
        let listed = |kind: &'static Kind| {
            let answers = answers.iter().filter(|(name, _)| *name == kind.name);
            Listed { kind, items: answers.flat_map(|(_, answer)| kind.items(answer, marks)).collect() }
        };
        let listed: Vec<Listed> = KINDS.iter().map(listed).collect();
        ours(&listed, marks, "eu-west-1")
    }

    /// Those of a shop one of whose functions stands in a state.
    fn marks() -> Marks {
        Marks::of(System::Shop, &Topology::built_in().unwrap()).with_functions(["order_generator".to_owned()])
    }

    /// A recorded answer of one type, beside a network of ours: what of it is ours.
    #[track_caller]
    fn check(kind: &str, answer: Value, expected: &[&str]) {
        assert!(KINDS.iter().any(|one| one.name == kind), "no type {kind}");
        let found = found(&[("VPC", ours_and_another("Vpcs", "VpcId")), (kind, answer)], &marks());
        let ids: Vec<&str> =
            found.iter().filter(|one| one.kind == kind && one.id != "vpc-ours").map(|one| one.id.as_str()).collect();
        assert_eq!(ids, expected, "{kind}");
    }

    /// One with our tag, one without any, one with our name at another key, and one with our key and another name.
    fn ours_and_another(items: &str, id: &str) -> Value {
        let name = |rest: &str| format!("{}-{rest}", id.trim_end_matches("Id").to_ascii_lowercase());
        json!({items: [
            {id: name("ours"), "Tags": [{"Key": "Name", "Value": "x"}, {"Key": "Project", "Value": "orderflow"}]},
            {id: name("bare"), "Tags": []},
            {id: name("other-key"), "Tags": [{"Key": "Owner", "Value": "orderflow"}, {"Key": "Name", "Value": "orderflow"}]},
            {id: name("other-value"), "Tags": [{"Key": "Project", "Value": "orderflow2"}]},
        ]})
    }

    const TAG: &str = r#"[{"Key": "Root", "Value": "cluster"}, {"Key": "Project", "Value": "orderflow"}]"#;

    /// JSON, in which TAG is our tag.
    fn answer(text: &str) -> Value {
        serde_json::from_str(&text.replace("TAG", TAG)).unwrap()
    }

    #[test]
    fn ours_carries_our_tag_and_no_similar_one() {
        for (kind, items, id) in [
            ("VPC", "Vpcs", "VpcId"),
            ("subnet", "Subnets", "SubnetId"),
            ("volume", "Volumes", "VolumeId"),
            ("snapshot", "Snapshots", "SnapshotId"),
            ("VPC endpoint", "VpcEndpoints", "VpcEndpointId"),
            ("internet gateway", "InternetGateways", "InternetGatewayId"),
            ("address", "Addresses", "AllocationId"),
            ("secret", "SecretList", "Name"),
        ] {
            let ours = format!("{}-ours", id.trim_end_matches("Id").to_ascii_lowercase());
            let expected = if kind == "VPC" { vec![] } else { vec![ours.as_str()] };
            check(kind, ours_and_another(items, id), &expected);
        }
    }

    #[test]
    fn what_has_no_tag_is_told_by_the_name_that_only_terraform_gives() {
        let rows = [
            (
                "role",
                r#"{"Roles": [{"RoleName": "orderflow-stop"}, {"RoleName": "order-flow"}, {"RoleName": "myorderflow-x"}]}"#,
                &["orderflow-stop"][..],
            ),
            (
                "instance profile",
                r#"{"InstanceProfiles": [{"InstanceProfileName": "orderflow-host"}, {"InstanceProfileName": "host"}]}"#,
                &["orderflow-host"],
            ),
            (
                "policy",
                r#"{"Policies": [{"PolicyName": "orderflow-x", "Arn": "arn:aws:iam::1:policy/orderflow-x"}, {"PolicyName": "x", "Arn": "arn:aws:iam::1:policy/x"}]}"#,
                &["arn:aws:iam::1:policy/orderflow-x"],
            ),
            (
                "bucket",
                r#"{"Buckets": [{"Name": "kafka-demo-lambda-code-a6c7b7b6"}, {"Name": "kafka-demo-lambda-code"}, {"Name": "kafka-demo-lambda-code-of-ann"}]}"#,
                &["kafka-demo-lambda-code-a6c7b7b6"],
            ),
            (
                "secret",
                r#"{"SecretList": [{"Name": "orderflow/kafka/ca", "DeletedDate": "2026-11-27"}, {"Name": "kafka/ca"}]}"#,
                &["orderflow/kafka/ca"],
            ),
            (
                "alarm",
                r#"{"MetricAlarms": [{"AlarmName": "orderflow-hello_world-errors"}, {"AlarmName": "orderflow"}, {"AlarmName": "orderflow-food-disk"}, {"AlarmName": "errors"}], "CompositeAlarms": []}"#,
                &["orderflow-hello_world-errors"],
            ),
            (
                "dashboard",
                r#"{"DashboardEntries": [{"DashboardName": "orderflow"}, {"DashboardName": "orderflow-food"}, {"DashboardName": "mine"}]}"#,
                &["orderflow"],
            ),
            (
                "notification topic",
                r#"{"Topics": [{"TopicArn": "arn:aws:sns:us-east-1:1:orderflow-alarms"}, {"TopicArn": "arn:aws:sns:us-east-1:1:alarms"}]}"#,
                &["arn:aws:sns:us-east-1:1:orderflow-alarms"],
            ),
            (
                "schedule",
                r#"{"Schedules": [{"Name": "order_generator", "GroupName": "orderflow"}, {"Name": "order_generator", "GroupName": "default"}]}"#,
                &["order_generator"],
            ),
            ("schedule group", r#"{"ScheduleGroups": [{"Name": "default"}, {"Name": "orderflow"}]}"#, &["orderflow"]),
            (
                "key pair",
                r#"{"KeyPairs": [{"KeyName": "orderflow"}, {"KeyName": "ann"}, {"KeyName": "mine", "Tags": TAG}]}"#,
                &["orderflow", "mine"],
            ),
            (
                "hosted zone",
                r#"{"HostedZones": [{"Id": "/hostedzone/Z1", "Name": "orderflow.internal.", "Config": {"Comment": "Hosts of orderflow", "PrivateZone": true}}, {"Id": "/hostedzone/Z2", "Name": "orderflow.internal.", "Config": {"PrivateZone": true}}]}"#,
                &["/hostedzone/Z1"],
            ),
        ];
        for (kind, text, expected) in rows {
            check(kind, answer(text), expected);
        }
    }

    #[test]
    fn what_stands_in_our_network_or_hangs_on_it_is_ours_but_for_what_is_the_networks_own() {
        let rows = [
            (
                "instance",
                r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": "running"}, "Tags": TAG}]}, {"Instances": [{"InstanceId": "i-2", "State": {"Name": "terminated"}, "Tags": TAG}, {"InstanceId": "i-3", "State": {"Name": "stopped"}, "VpcId": "vpc-ours"}, {"InstanceId": "i-4", "State": {"Name": "running"}, "VpcId": "vpc-bare"}]}]}"#,
                &["i-1", "i-3"][..],
            ),
            (
                "VPC endpoint",
                r#"{"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "State": "deleted", "Tags": TAG}, {"VpcEndpointId": "vpce-2", "State": "deleting", "VpcId": "vpc-ours"}]}"#,
                &["vpce-2"],
            ),
            (
                "network interface",
                r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-ours", "TagSet": []}, {"NetworkInterfaceId": "eni-2", "TagSet": TAG}, {"NetworkInterfaceId": "eni-3", "VpcId": "vpc-bare"}]}"#,
                &["eni-1", "eni-2"],
            ),
            (
                "security group",
                r#"{"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "default", "VpcId": "vpc-ours"}, {"GroupId": "sg-2", "GroupName": "launch-wizard-1", "VpcId": "vpc-ours"}, {"GroupId": "sg-3", "GroupName": "default", "VpcId": "vpc-bare"}]}"#,
                &["sg-2"],
            ),
            (
                "route table",
                r#"{"RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-ours", "Associations": [{"Main": true}]}, {"RouteTableId": "rtb-2", "VpcId": "vpc-ours", "Associations": []}]}"#,
                &["rtb-2"],
            ),
            (
                "internet gateway",
                r#"{"InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-ours"}]}, {"InternetGatewayId": "igw-2", "Attachments": [{"VpcId": "vpc-bare"}]}]}"#,
                &["igw-1"],
            ),
            (
                "subnet",
                r#"{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-ours", "Tags": []}, {"SubnetId": "subnet-2", "VpcId": "vpc-bare"}]}"#,
                &["subnet-1"],
            ),
        ];
        for (kind, text, expected) in rows {
            check(kind, answer(text), expected);
        }
    }

    #[test]
    fn a_name_that_anybody_gives_is_ours_if_tagged_or_known() {
        let functions = answer(
            r#"{"Functions": [{"FunctionName": "hello_world"}, {"FunctionName": "order_generator"}, {"FunctionName": "order_generator2"}]}"#,
        );
        check("function", functions, &["order_generator"]);
        let logs = answer(
            r#"{"logGroups": [{"logGroupName": "/aws/lambda/hello_world"}, {"logGroupName": "/aws/lambda/order_generator"}, {"logGroupName": "/other/order_generator"}]}"#,
        );
        check("log group", logs, &["/aws/lambda/order_generator"]);
        let mappings = answer(
            r#"{"EventSourceMappings": [{"UUID": "1", "FunctionArn": "arn:aws:lambda:us-east-1:1:function:order_generator:live"}, {"UUID": "2", "FunctionArn": "arn:aws:lambda:us-east-1:1:function:other"}]}"#,
        );
        check("event source mapping", mappings, &["1"]);
        // As the three calls for tags answer.
        for tags in [
            json!({"Tags": {"Project": "orderflow", "Root": "services"}}),
            json!({"tags": {"Project": "orderflow"}}),
            answer(r#"{"ResourceTagSet": {"ResourceType": "hostedzone", "ResourceId": "Z1", "Tags": TAG}}"#),
        ] {
            assert!(kinds::is_tagged(&tags, &marks()), "{tags}");
        }
        assert!(!kinds::is_tagged(&json!({"Tags": {"Owner": "orderflow", "Project": "other"}}), &marks()));
    }

    #[test]
    fn tags_are_asked_for_only_of_what_may_be_ours() {
        let marks = marks();
        let asked = |kind: &str, about: &Value| {
            let kind = KINDS.iter().find(|one| one.name == kind).unwrap();
            let Tags::Asked(question) = kind.tags else { unreachable!("{kind:?}") };
            question(about, &marks).map(|arguments| arguments.join(" "))
        };
        let function = |name: &str, role: &str| json!({"FunctionName": name, "FunctionArn": format!("arn:{name}"), "Role": format!("arn:aws:iam::1:role/{role}")});
        assert_eq!(
            asked("function", &function("hello_world", "any")).unwrap(),
            "lambda list-tags --resource arn:hello_world"
        );
        assert!(asked("function", &function("left_the_topology", "orderflow-left_the_topology")).is_some());
        assert_eq!(asked("function", &function("other", "any")), None);
        let group = |name: &str| json!({"logGroupName": format!("/aws/lambda/{name}"), "arn": format!("arn:aws:logs:r:1:log-group:/aws/lambda/{name}:*")});
        assert_eq!(
            asked("log group", &group("payment_processor")).unwrap(),
            "logs list-tags-for-resource --resource-arn arn:aws:logs:r:1:log-group:/aws/lambda/payment_processor"
        );
        assert_eq!(asked("log group", &group("other")), None);
        let mapping = json!({"UUID": "u", "FunctionArn": "arn:aws:lambda:eu-west-1:1:function:payment_processor"});
        assert_eq!(
            asked("event source mapping", &mapping).unwrap(),
            "lambda list-tags --resource arn:aws:lambda:eu-west-1:1:event-source-mapping:u"
        );
        let zone = |is_private: bool| json!({"Id": "/hostedzone/Z1", "Config": {"PrivateZone": is_private}});
        assert!(asked("hosted zone", &zone(true)).unwrap().ends_with(" --resource-id Z1"));
        assert_eq!(asked("hosted zone", &zone(false)), None);
    }

    #[test]
    fn the_tagging_api_tells_of_types_that_nobody_thought_of_and_of_no_others() {
        let arn = |rest: &str| json!({"ResourceARN": format!("arn:aws:{rest}"), "Tags": [{"Key": "Project", "Value": "orderflow"}]});
        let arns = [
            arn("sqs:us-east-1:1:forgotten"),
            arn("ec2:us-east-1:1:natgateway/nat-1"),
            arn("ec2:us-east-1:1:instance/i-gone"),
            arn("s3:::kafka-demo-lambda-code-a6c7b7b6"),
            arn("logs:us-east-1:1:log-group:/aws/lambda/hello_world"),
            arn("secretsmanager:us-east-1:1:secret:orderflow/kafka/ca-sMXWVf"),
            arn("scheduler:us-east-1:1:schedule-group/orderflow"),
            arn("cloudwatch:us-east-1:1:alarm:orderflow-hello_world-errors"),
            arn("sns:us-east-1:1:orderflow-alarms"),
        ];
        check(
            "anything else with our tag",
            json!({"ResourceTagMappingList": arns}),
            &["arn:aws:sqs:us-east-1:1:forgotten", "arn:aws:ec2:us-east-1:1:natgateway/nat-1"],
        );
    }

    /// One of each type, in the table's order.
    fn one_of_each() -> Vec<(&'static str, Value)> {
        [
            ("event source mapping", r#"{"EventSourceMappings": [{"UUID": "11a1", "FunctionArn": "arn:aws:lambda:eu-west-1:1:function:order_generator"}]}"#),
            ("schedule", r#"{"Schedules": [{"Name": "order_generator", "GroupName": "orderflow"}]}"#),
            ("schedule group", r#"{"ScheduleGroups": [{"Name": "orderflow"}]}"#),
            ("function", r#"{"Functions": [{"FunctionName": "order_generator"}]}"#),
            ("log group", r#"{"logGroups": [{"logGroupName": "/aws/lambda/order_generator"}]}"#),
            ("alarm", r#"{"MetricAlarms": [{"AlarmName": "orderflow-hello_world-errors"}]}"#),
            ("dashboard", r#"{"DashboardEntries": [{"DashboardName": "orderflow"}]}"#),
            ("notification topic", r#"{"Topics": [{"TopicArn": "arn:aws:sns:eu-west-1:1:orderflow-alarms"}]}"#),
            ("secret", r#"{"SecretList": [{"Name": "orderflow/kafka/ca"}]}"#),
            ("instance", r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": "running"}, "VpcId": "vpc-1"}]}]}"#),
            ("volume", r#"{"Volumes": [{"VolumeId": "vol-1", "Attachments": [{"InstanceId": "i-1", "DeleteOnTermination": true}]}, {"VolumeId": "vol-2", "Attachments": [{"InstanceId": "i-1", "DeleteOnTermination": false}]}, {"VolumeId": "vol-3", "Tags": TAG, "Attachments": []}]}"#),
            ("snapshot", r#"{"Snapshots": [{"SnapshotId": "snap-1", "Tags": TAG}]}"#),
            ("VPC endpoint", r#"{"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "VpcId": "vpc-1", "NetworkInterfaceIds": ["eni-1"]}]}"#),
            ("network interface", r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "Status": "available"}, {"NetworkInterfaceId": "eni-2", "VpcId": "vpc-1", "Status": "in-use"}, {"NetworkInterfaceId": "eni-3", "VpcId": "vpc-1", "Status": "available"}]}"#),
            ("address", r#"{"Addresses": [{"AllocationId": "eipalloc-1", "InstanceId": "i-1"}]}"#),
            ("key pair", r#"{"KeyPairs": [{"KeyName": "ann's; key", "Tags": TAG}]}"#),
            ("security group rule", r#"{"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": true, "ReferencedGroupInfo": {"GroupId": "sg-2"}}, {"SecurityGroupRuleId": "sgr-2", "GroupId": "sg-1", "IsEgress": false, "ReferencedGroupInfo": {"GroupId": "sg-2"}}, {"SecurityGroupRuleId": "sgr-3", "GroupId": "sg-1", "IsEgress": false, "CidrIpv4": "0.0.0.0/0"}]}"#),
            ("security group", r#"{"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "orderflow-kafka", "VpcId": "vpc-1"}]}"#),
            ("route table", r#"{"RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"RouteTableAssociationId": "rtbassoc-1", "Main": false}, {"RouteTableAssociationId": "rtbassoc-2", "Main": false}]}]}"#),
            ("internet gateway", r#"{"InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1"}]}]}"#),
            ("subnet", r#"{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1"}]}"#),
            ("hosted zone", r#"{"HostedZones": [{"Id": "/hostedzone/Z1", "ResourceRecordSetCount": 9, "Config": {"Comment": "Hosts of orderflow"}}, {"Id": "/hostedzone/Z2", "ResourceRecordSetCount": 2, "Config": {"Comment": "Hosts of orderflow"}}]}"#),
            ("VPC", r#"{"Vpcs": [{"VpcId": "vpc-1", "Tags": TAG}]}"#),
            ("instance profile", r#"{"InstanceProfiles": [{"InstanceProfileName": "orderflow-host", "Roles": [{"RoleName": "orderflow-host"}]}]}"#),
            ("role", r#"{"Roles": [{"RoleName": "orderflow-stop"}]}"#),
            ("policy", r#"{"Policies": [{"PolicyName": "orderflow-x", "Arn": "arn:aws:iam::1:policy/orderflow-x"}]}"#),
            ("bucket", r#"{"Buckets": [{"Name": "kafka-demo-lambda-code-a6c7b7b6"}]}"#),
            ("anything else with our tag", r#"{"ResourceTagMappingList": [{"ResourceARN": "arn:aws:sqs:eu-west-1:1:forgotten", "Tags": TAG}]}"#),
        ]
        .map(|(kind, text)| (kind, answer(text)))
        .into()
    }

    /// Run by hand against an emulated AWS, in this order: it was empty then.
    #[test]
    fn each_type_has_the_command_that_removes_it() {
        let each = one_of_each();
        let kinds: Vec<&str> = each.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>());
        let commands: String = found(&each, &marks()).iter().map(|found| format!("{}\n", found.command)).collect();
        assert_eq!(commands, include_str!("sweep/removals.txt"));
    }

    #[test]
    fn a_report_is_a_script_that_no_name_can_break_out_of() {
        let found = Found { kind: "VPC", id: "vpc-1".into(), name: Some("a\nrm -rf /".into()), command: "true".into() };
        let unseen = vec![("role", "aws iam list-roles: denied".to_owned())];
        let sweep = Sweep { region: "eu-west-1".into(), found: vec![found], looked_at: vec![("VPC", 2)], unseen };
        assert_eq!(sweep.commands(), "# VPC vpc-1 arm -rf /\ntrue\n");
        let counts = sweep.counts();
        let rows: Vec<Vec<&str>> = counts.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["VPC", "2", "1"]);
        assert!(counts.ends_with("could not be looked at: aws iam list-roles: denied\n"), "{counts}");
        assert_eq!(sweep.document()["not_looked_at"][0]["type"], "role");
    }

    #[test]
    fn what_is_of_one_system_is_not_of_the_other() {
        let things = |system: System| {
            [
                ("instance", r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": "running"}, "VpcId": "vpc-1"}]}]}"#),
                ("key pair", r#"{"KeyPairs": [{"KeyName": "PROJECT"}]}"#),
                ("subnet", r#"{"Subnets": [{"SubnetId": "subnet-1", "Tags": [{"Key": "Project", "Value": "PROJECT"}]}]}"#),
                ("hosted zone", r#"{"HostedZones": [{"Id": "/hostedzone/Z1", "Config": {"Comment": "Hosts of PROJECT"}}]}"#),
                ("VPC", r#"{"Vpcs": [{"VpcId": "vpc-1", "Tags": [{"Key": "Project", "Value": "PROJECT"}]}]}"#),
                ("instance profile", r#"{"InstanceProfiles": [{"InstanceProfileName": "PROJECT-host"}]}"#),
            ]
            .map(|(kind, text)| (kind, answer(&text.replace("PROJECT", system.project()))))
        };
        for (system, other) in [(System::Shop, System::Food), (System::Food, System::Shop)] {
            let marks = Marks::of(system, &Topology::built_in().unwrap());
            assert_eq!(found(&things(system), &marks).len(), 6, "{system:?}");
            assert_eq!(found(&things(other), &marks), [], "{system:?}");
            let tags = KINDS.last().unwrap().list(&marks);
            assert_eq!(tags.last().unwrap(), &format!("Key=Project,Values={}", system.project()));
        }
        let bucket = ("bucket", json!({"Buckets": [{"Name": "kafka-demo-lambda-code-a6c7b7b6"}]}));
        assert_eq!(found(&[bucket], &Marks::of(System::Food, &Topology::built_in().unwrap())), []);
    }

    #[test]
    fn what_could_not_be_looked_at_proves_nothing() {
        let sweep = |unseen| Sweep { region: "eu-west-1".into(), found: vec![], looked_at: vec![("VPC", 0)], unseen };
        assert!(sweep(vec![]).is_clean());
        assert!(!sweep(vec![("role", "denied".to_owned())]).is_clean());
    }
}
