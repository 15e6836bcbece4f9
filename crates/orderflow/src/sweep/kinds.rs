//! The table of types, in an order in which their things can be removed.

use clap::ValueEnum;
use serde_json::Value;

use super::{Found, Item, Marks, Ours};
use crate::deployment::System;
use crate::tool::quoted;

/// A type of things.
#[derive(Debug)]
pub(super) struct Kind {
    /// As a person says it.
    pub(super) name: &'static str,
    /// The call of `aws` that lists them all; `PROJECT` stands for our tag's value.
    list: &'static [&'static str],
    /// Where they stand in its answer: keys, a list below each.
    items: &'static [&'static str],
    /// The key of what AWS calls one.
    pub(super) id: &'static str,
    /// The key of what we call one; the tag `Name`, if it has one, says it as well.
    label: Option<&'static str>,
    /// How an ARN of one goes on, as the tagging API has it: service, and type of resource.
    arn: &'static str,
    pub(super) tags: Tags,
    pub(super) is_ours: fn(&Item, &Ours<'_>) -> bool,
    removal: Removal,
}

/// Where a thing's tags are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tags {
    /// With it, or it has none.
    Listed,
    /// Asked for by this call, where there is a reason to ask.
    Asked(fn(&Value, &Marks) -> Option<Vec<String>>),
}

#[derive(Clone, Copy, Debug)]
enum Removal {
    /// By this call, which the id ends.
    Call(&'static str),
    /// By this shell command; `aws` with its region comes with it.
    Shell(fn(&Item, &Ours<'_>, &str) -> String),
}

/// Those that others stand in, hang on or go with; each after those that it stands in itself.
pub(super) const HOLDERS: [&str; 4] = ["VPC", "security group", "instance", "VPC endpoint"];

pub(super) static KINDS: [Kind; 28] = [
    Kind {
        name: "event source mapping",
        list: &["lambda", "list-event-source-mappings"],
        items: &["EventSourceMappings"],
        id: "UUID",
        label: Some("FunctionArn"),
        arn: "lambda:event-source-mapping",
        tags: Tags::Asked(|about, marks| {
            let arn = text(about, "FunctionArn");
            let (account, region) = (arn.split(':').nth(4)?, arn.split(':').nth(3)?);
            let arn = format!(
                "arn:{}:lambda:{region}:{account}:event-source-mapping:{}",
                arn.split(':').nth(1)?,
                text(about, "UUID")
            );
            marks
                .functions
                .possible
                .contains(function_of(about))
                .then(|| call(&["lambda", "list-tags", "--resource", &arn]))
        }),
        is_ours: |item, ours| item.is_tagged || ours.marks.functions.known.contains(function_of(&item.about)),
        removal: Removal::Call("lambda delete-event-source-mapping --uuid"),
    },
    Kind {
        name: "schedule",
        list: &["scheduler", "list-schedules"],
        items: &["Schedules"],
        id: "Name",
        label: None,
        arn: "scheduler:schedule",
        tags: Tags::Listed,
        is_ours: |item, ours| text(&item.about, "GroupName") == ours.marks.project,
        removal: Removal::Shell(|item, _, aws| {
            let (group, name) = (item.id("GroupName"), item.id("Name"));
            format!("{aws} scheduler delete-schedule --group-name {group} --name {name}")
        }),
    },
    Kind {
        name: "schedule group",
        list: &["scheduler", "list-schedule-groups"],
        items: &["ScheduleGroups"],
        id: "Name",
        label: None,
        arn: "scheduler:schedule-group",
        tags: Tags::Listed,
        is_ours: |item, ours| text(&item.about, "Name") == ours.marks.project,
        removal: Removal::Call("scheduler delete-schedule-group --name"),
    },
    Kind {
        name: "function",
        list: &["lambda", "list-functions"],
        items: &["Functions"],
        id: "FunctionName",
        label: None,
        arn: "lambda:function",
        tags: Tags::Asked(|about, marks| {
            let is_possible = marks.functions.possible.contains(text(about, "FunctionName"))
                || text(about, "Role").rsplit('/').next().is_some_and(|role| marks.names(role));
            is_possible.then(|| call(&["lambda", "list-tags", "--resource", text(about, "FunctionArn")]))
        }),
        is_ours: |item, ours| item.is_tagged || ours.marks.functions.known.contains(text(&item.about, "FunctionName")),
        removal: Removal::Call("lambda delete-function --function-name"),
    },
    Kind {
        name: "log group",
        list: &["logs", "describe-log-groups"],
        items: &["logGroups"],
        id: "logGroupName",
        label: None,
        arn: "logs:log-group",
        tags: Tags::Asked(|about, marks| {
            let arn = text(about, "arn").trim_end_matches(":*");
            let is_possible = marks.functions.possible.contains(function_of_log(about));
            is_possible.then(|| call(&["logs", "list-tags-for-resource", "--resource-arn", arn]))
        }),
        is_ours: |item, ours| item.is_tagged || ours.marks.functions.known.contains(function_of_log(&item.about)),
        removal: Removal::Call("logs delete-log-group --log-group-name"),
    },
    Kind {
        name: "alarm",
        list: &["cloudwatch", "describe-alarms"],
        items: &["MetricAlarms"],
        id: "AlarmName",
        label: None,
        arn: "cloudwatch:alarm",
        tags: Tags::Listed,
        is_ours: |item, ours| ours.marks.names(text(&item.about, "AlarmName")),
        removal: Removal::Call("cloudwatch delete-alarms --alarm-names"),
    },
    Kind {
        name: "dashboard",
        list: &["cloudwatch", "list-dashboards"],
        items: &["DashboardEntries"],
        id: "DashboardName",
        label: None,
        arn: "cloudwatch:dashboard",
        tags: Tags::Listed,
        is_ours: |item, ours| text(&item.about, "DashboardName") == ours.marks.project,
        removal: Removal::Call("cloudwatch delete-dashboards --dashboard-names"),
    },
    Kind {
        // Its subscriptions go with it.
        name: "notification topic",
        list: &["sns", "list-topics"],
        items: &["Topics"],
        id: "TopicArn",
        label: None,
        arn: "sns",
        tags: Tags::Listed,
        is_ours: |item, ours| ours.marks.names(text(&item.about, "TopicArn").rsplit(':').next().unwrap_or_default()),
        removal: Removal::Call("sns delete-topic --topic-arn"),
    },
    Kind {
        name: "secret",
        // One that is scheduled for deletion keeps its name, so that the next deploy would fail.
        list: &["secretsmanager", "list-secrets", "--include-planned-deletion"],
        items: &["SecretList"],
        id: "Name",
        label: None,
        arn: "secretsmanager:secret",
        tags: Tags::Listed,
        is_ours: |item, ours| {
            let of_project = text(&item.about, "Name").strip_prefix(ours.marks.project);
            item.is_tagged || of_project.is_some_and(|rest| rest.starts_with("/kafka/"))
        },
        removal: Removal::Call("secretsmanager delete-secret --force-delete-without-recovery --secret-id"),
    },
    Kind {
        name: "instance",
        list: &["ec2", "describe-instances"],
        items: &["Reservations", "Instances"],
        id: "InstanceId",
        label: None,
        arn: "ec2:instance",
        tags: Tags::Listed,
        // One that is terminated is listed for an hour.
        is_ours: |item, ours| item.about["State"]["Name"] != "terminated" && is_tagged_or_within(item, ours),
        removal: Removal::Call("ec2 terminate-instances --instance-ids"),
    },
    Kind {
        name: "volume",
        list: &["ec2", "describe-volumes"],
        items: &["Volumes"],
        id: "VolumeId",
        label: None,
        arn: "ec2:volume",
        tags: Tags::Listed,
        is_ours: |item, ours| item.is_tagged || attachments(item).any(|one| ours.has(text(one, "InstanceId"))),
        removal: Removal::Shell(|item, ours, aws| {
            let id = item.id("VolumeId");
            let of_ours: Vec<&Value> = attachments(item).filter(|one| ours.has(text(one, "InstanceId"))).collect();
            if of_ours.is_empty() {
                return format!("{aws} ec2 delete-volume --volume-id {id}");
            }
            // It goes with its instance, unless somebody has said otherwise.
            if of_ours.iter().all(|one| one["DeleteOnTermination"] != false) {
                return format!("{aws} ec2 wait volume-deleted --volume-ids {id}");
            }
            format!("{aws} ec2 wait volume-available --volume-ids {id} && {aws} ec2 delete-volume --volume-id {id}")
        }),
    },
    Kind {
        name: "snapshot",
        list: &["ec2", "describe-snapshots", "--owner-ids", "self"],
        items: &["Snapshots"],
        id: "SnapshotId",
        label: None,
        arn: "ec2:snapshot",
        tags: Tags::Listed,
        is_ours: |item, _| item.is_tagged,
        removal: Removal::Call("ec2 delete-snapshot --snapshot-id"),
    },
    Kind {
        name: "VPC endpoint",
        list: &["ec2", "describe-vpc-endpoints"],
        items: &["VpcEndpoints"],
        id: "VpcEndpointId",
        label: Some("ServiceName"),
        arn: "ec2:vpc-endpoint",
        tags: Tags::Listed,
        is_ours: |item, ours| {
            !text(&item.about, "State").eq_ignore_ascii_case("deleted") && is_tagged_or_within(item, ours)
        },
        removal: Removal::Call("ec2 delete-vpc-endpoints --vpc-endpoint-ids"),
    },
    Kind {
        name: "network interface",
        list: &["ec2", "describe-network-interfaces"],
        items: &["NetworkInterfaces"],
        id: "NetworkInterfaceId",
        label: Some("Description"),
        arn: "ec2:network-interface",
        tags: Tags::Listed,
        is_ours: is_tagged_or_within,
        removal: Removal::Shell(|item, ours, aws| {
            let id = item.id("NetworkInterfaceId");
            if item.about["Status"] == "available"
                && !ours.of_endpoints.contains(text(&item.about, "NetworkInterfaceId"))
            {
                return format!("{aws} ec2 delete-network-interface --network-interface-id {id}");
            }
            // It goes with its instance or endpoint; Lambda takes up to 45 minutes for its own. All there is to do is wait.
            format!(
                "while {aws} ec2 describe-network-interfaces --filters Name=network-interface-id,Values={id} --output text | \
                 grep -q .; do sleep 5; done"
            )
        }),
    },
    Kind {
        name: "address",
        list: &["ec2", "describe-addresses"],
        items: &["Addresses"],
        id: "AllocationId",
        label: Some("PublicIp"),
        arn: "ec2:elastic-ip",
        tags: Tags::Listed,
        is_ours: |item, ours| item.is_tagged || ours.has(text(&item.about, "InstanceId")),
        removal: Removal::Call("ec2 release-address --allocation-id"),
    },
    Kind {
        name: "key pair",
        list: &["ec2", "describe-key-pairs"],
        items: &["KeyPairs"],
        id: "KeyName",
        label: None,
        arn: "ec2:key-pair",
        tags: Tags::Listed,
        is_ours: |item, ours| item.is_tagged || text(&item.about, "KeyName") == ours.marks.project,
        removal: Removal::Call("ec2 delete-key-pair --key-name"),
    },
    Kind {
        // Only those that name another group: as long as one does, that group cannot go. The others go with their own.
        name: "security group rule",
        list: &["ec2", "describe-security-group-rules"],
        items: &["SecurityGroupRules"],
        id: "SecurityGroupRuleId",
        label: None,
        arn: "ec2:security-group-rule",
        tags: Tags::Listed,
        is_ours: |item, ours| {
            let names_a_group = !item.about["ReferencedGroupInfo"].is_null();
            names_a_group && (item.is_tagged || ours.has(text(&item.about, "GroupId")))
        },
        removal: Removal::Shell(|item, _, aws| {
            let way = if item.about["IsEgress"] == true { "egress" } else { "ingress" };
            let (group, id) = (item.id("GroupId"), item.id("SecurityGroupRuleId"));
            format!("{aws} ec2 revoke-security-group-{way} --group-id {group} --security-group-rule-ids {id}")
        }),
    },
    Kind {
        name: "security group",
        list: &["ec2", "describe-security-groups"],
        items: &["SecurityGroups"],
        id: "GroupId",
        label: Some("GroupName"),
        arn: "ec2:security-group",
        tags: Tags::Listed,
        // A network's own goes with it, and not before.
        is_ours: |item, ours| text(&item.about, "GroupName") != "default" && is_tagged_or_within(item, ours),
        removal: Removal::Call("ec2 delete-security-group --group-id"),
    },
    Kind {
        name: "route table",
        list: &["ec2", "describe-route-tables"],
        items: &["RouteTables"],
        id: "RouteTableId",
        label: None,
        arn: "ec2:route-table",
        tags: Tags::Listed,
        // A network's own goes with it, and not before.
        is_ours: |item, ours| {
            !each(&item.about, "Associations").any(|one| one["Main"] == true) && is_tagged_or_within(item, ours)
        },
        removal: Removal::Shell(|item, _, aws| {
            let disassociate = |one: &Value| {
                let id = quoted(text(one, "RouteTableAssociationId"));
                format!("{aws} ec2 disassociate-route-table --association-id {id}")
            };
            let delete = format!("{aws} ec2 delete-route-table --route-table-id {}", item.id("RouteTableId"));
            after(each(&item.about, "Associations").map(disassociate), delete)
        }),
    },
    Kind {
        name: "internet gateway",
        list: &["ec2", "describe-internet-gateways"],
        items: &["InternetGateways"],
        id: "InternetGatewayId",
        label: None,
        arn: "ec2:internet-gateway",
        tags: Tags::Listed,
        is_ours: |item, ours| item.is_tagged || attachments(item).any(|one| ours.has(text(one, "VpcId"))),
        removal: Removal::Shell(|item, _, aws| {
            let id = item.id("InternetGatewayId");
            let detach = |one: &Value| {
                let vpc = quoted(text(one, "VpcId"));
                format!("{aws} ec2 detach-internet-gateway --internet-gateway-id {id} --vpc-id {vpc}")
            };
            let delete = format!("{aws} ec2 delete-internet-gateway --internet-gateway-id {id}");
            after(attachments(item).map(detach), delete)
        }),
    },
    Kind {
        name: "subnet",
        list: &["ec2", "describe-subnets"],
        items: &["Subnets"],
        id: "SubnetId",
        label: None,
        arn: "ec2:subnet",
        tags: Tags::Listed,
        is_ours: is_tagged_or_within,
        removal: Removal::Call("ec2 delete-subnet --subnet-id"),
    },
    Kind {
        name: "hosted zone",
        list: &["route53", "list-hosted-zones"],
        items: &["HostedZones"],
        id: "Id",
        label: Some("Name"),
        arn: "route53:hostedzone",
        tags: Tags::Asked(|about, _| {
            // Private ones are few, and our domain is anybody's to choose.
            let id = text(about, "Id").trim_start_matches("/hostedzone/");
            let question = ["route53", "list-tags-for-resource", "--resource-type", "hostedzone", "--resource-id", id];
            (about["Config"]["PrivateZone"] == true).then(|| call(&question))
        }),
        // One that was broken off before it was tagged has only its comment.
        is_ours: |item, ours| {
            let of_hosts = text(&item.about["Config"], "Comment").strip_prefix("Hosts of ");
            item.is_tagged || of_hosts == Some(ours.marks.project)
        },
        removal: Removal::Shell(|item, _, aws| {
            let id = quoted(text(&item.about, "Id").trim_start_matches("/hostedzone/"));
            let changes =
                "{Changes: ResourceRecordSets[?Type!=`NS` && Type!=`SOA`].{Action: `DELETE`, ResourceRecordSet: @}}";
            let changes = changes.replace('`', "'");
            // Each zone has two records that go with it.
            let records = if item.about["ResourceRecordSetCount"].as_u64().is_some_and(|count| count <= 2) {
                String::new()
            } else {
                format!(
                    "{aws} route53 change-resource-record-sets --hosted-zone-id {id} --change-batch \"$({aws} route53 \
                     list-resource-record-sets --hosted-zone-id {id} --output json --query \"{changes}\")\" && "
                )
            };
            format!("{records}{aws} route53 delete-hosted-zone --id {id}")
        }),
    },
    Kind {
        name: "VPC",
        list: &["ec2", "describe-vpcs"],
        items: &["Vpcs"],
        id: "VpcId",
        label: None,
        arn: "ec2:vpc",
        tags: Tags::Listed,
        is_ours: |item, _| item.is_tagged,
        removal: Removal::Call("ec2 delete-vpc --vpc-id"),
    },
    Kind {
        name: "instance profile",
        list: &["iam", "list-instance-profiles"],
        items: &["InstanceProfiles"],
        id: "InstanceProfileName",
        label: None,
        arn: "iam:instance-profile",
        tags: Tags::Listed,
        is_ours: |item, ours| item.is_tagged || ours.marks.names(text(&item.about, "InstanceProfileName")),
        removal: Removal::Shell(|item, _, aws| {
            let name = item.id("InstanceProfileName");
            let remove = |role: &Value| {
                let role = quoted(text(role, "RoleName"));
                format!("{aws} iam remove-role-from-instance-profile --instance-profile-name {name} --role-name {role}")
            };
            let delete = format!("{aws} iam delete-instance-profile --instance-profile-name {name}");
            after(each(&item.about, "Roles").map(remove), delete)
        }),
    },
    Kind {
        name: "role",
        list: &["iam", "list-roles"],
        items: &["Roles"],
        id: "RoleName",
        label: None,
        arn: "iam:role",
        tags: Tags::Listed,
        is_ours: |item, ours| ours.marks.names(text(&item.about, "RoleName")),
        removal: Removal::Shell(|item, _, aws| {
            let role = item.id("RoleName");
            format!(
                "for policy in $({aws} iam list-role-policies --role-name {role} --query 'PolicyNames[]' --output text); do \
                 {aws} iam delete-role-policy --role-name {role} --policy-name $policy; done; \
                 for policy in $({aws} iam list-attached-role-policies --role-name {role} --query \
                 'AttachedPolicies[].PolicyArn' --output text); do \
                 {aws} iam detach-role-policy --role-name {role} --policy-arn $policy; done; \
                 {aws} iam delete-role --role-name {role}"
            )
        }),
    },
    Kind {
        name: "policy",
        list: &["iam", "list-policies", "--scope", "Local"],
        items: &["Policies"],
        id: "Arn",
        label: Some("PolicyName"),
        arn: "iam:policy",
        tags: Tags::Listed,
        is_ours: |item, ours| item.is_tagged || ours.marks.names(text(&item.about, "PolicyName")),
        removal: Removal::Call("iam delete-policy --policy-arn"),
    },
    Kind {
        name: "bucket",
        list: &["s3api", "list-buckets"],
        items: &["Buckets"],
        id: "Name",
        label: None,
        arn: "s3",
        tags: Tags::Listed,
        // What follows the prefix is the start of a UUID.
        is_ours: |item, ours| {
            let suffix = ours.marks.bucket.and_then(|prefix| text(&item.about, "Name").strip_prefix(prefix));
            suffix.is_some_and(|suffix| suffix.len() == 8 && suffix.bytes().all(|letter| letter.is_ascii_hexdigit()))
        },
        // 500 at a time: one word of a command line takes 128 KiB.
        removal: Removal::Shell(|item, _, aws| {
            let bucket = item.id("Name");
            format!(
                "while versions=$({aws} s3api list-object-versions --bucket {bucket} --max-items 500 --output json --query \
                 '{{Objects: [Versions, DeleteMarkers][] | [:500].{{Key: Key, VersionId: VersionId}}, Quiet: `true`}}') && \
                 echo \"$versions\" | grep -q VersionId; do \
                 {aws} s3api delete-objects --bucket {bucket} --delete \"$versions\" || break; done; \
                 {aws} s3api delete-bucket --bucket {bucket}"
            )
        }),
    },
    Kind {
        name: "anything else with our tag",
        list: &["resourcegroupstaggingapi", "get-resources", "--tag-filters", "Key=Project,Values=PROJECT"],
        items: &["ResourceTagMappingList"],
        id: "ResourceARN",
        label: None,
        arn: "",
        tags: Tags::Listed,
        // What the other types know of is theirs to tell: this API shows for hours what is gone.
        is_ours: |item, _| {
            let of_arn = kind_of_arn(text(&item.about, "ResourceARN"));
            item.is_tagged && KINDS.iter().all(|kind| kind.arn != of_arn)
        },
        removal: Removal::Shell(|item, _, _| {
            format!("echo {}: remove it in the console: no command of it is known here", item.id("ResourceARN"))
        }),
    },
];

impl Kind {
    /// The call that lists them all.
    pub(super) fn list(&self, marks: &Marks) -> Vec<String> {
        self.list.iter().map(|word| word.replace("PROJECT", marks.project)).collect()
    }

    /// What its list call has answered.
    pub(super) fn items(&self, answer: &Value, marks: &Marks) -> Vec<Item> {
        let lists = self
            .items
            .iter()
            .fold(vec![answer], |found, key| found.into_iter().flat_map(|one| each(one, key)).collect());
        lists.into_iter().map(|about| Item { about: about.clone(), is_tagged: is_tagged(about, marks) }).collect()
    }

    /// One of its things, with its removal.
    pub(super) fn found(&self, item: &Item, ours: &Ours<'_>) -> Found {
        let aws = format!("aws --region {}", quoted(ours.region));
        let label = tag_name(&item.about).or_else(|| self.label.map(|key| text(&item.about, key)));
        Found {
            kind: self.name,
            id: text(&item.about, self.id).to_owned(),
            name: label.filter(|name| !name.is_empty()).map(str::to_owned),
            command: match self.removal {
                Removal::Call(call) => format!("{aws} {call} {}", item.id(self.id)),
                Removal::Shell(command) => command(item, ours, &aws),
            },
        }
    }
}

impl Item {
    /// What stands at a key, as a shell takes it.
    fn id(&self, key: &str) -> String {
        quoted(text(&self.about, key))
    }
}

impl Marks {
    /// Whether a name that the whole account shares is one that we give.
    fn names(&self, name: &str) -> bool {
        let is_of = |project: &str| name.strip_prefix(project).is_some_and(|rest| rest.starts_with('-'));
        // The name of one system begins with that of another.
        let others = System::value_variants().iter().map(|system| system.project());
        is_of(self.project) && !others.filter(|other| other.len() > self.project.len()).any(is_of)
    }
}

impl Ours<'_> {
    fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

fn is_tagged_or_within(item: &Item, ours: &Ours<'_>) -> bool {
    item.is_tagged || ours.has(text(&item.about, "VpcId"))
}

/// Whether our tag stands in what was listed, or in the answer to a question for tags.
pub(super) fn is_tagged(about: &Value, marks: &Marks) -> bool {
    let is_ours = |tag: &Value| tag["Key"] == "Project" && tag["Value"] == marks.project;
    [&about["Tags"], &about["TagSet"], &about["tags"], &about["ResourceTagSet"]["Tags"]]
        .into_iter()
        .any(|tags| tags["Project"] == marks.project || tags.as_array().is_some_and(|tags| tags.iter().any(is_ours)))
}

fn tag_name(about: &Value) -> Option<&str> {
    let tags = [&about["Tags"], &about["TagSet"]].into_iter().filter_map(Value::as_array).flatten();
    tags.filter(|tag| tag["Key"] == "Name").find_map(|tag| tag["Value"].as_str())
}

/// Service and type of resource.
fn kind_of_arn(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':').skip(2);
    let service = parts.next().unwrap_or_default();
    let resource = parts.nth(2).unwrap_or_default();
    match resource.split_once(['/', ':']) {
        Some((kind, _)) if service != "s3" => format!("{service}:{kind}"),
        _ => service.to_owned(),
    }
}

fn function_of(about: &Value) -> &str {
    // A version or an alias may follow.
    text(about, "FunctionArn").split(':').nth(6).unwrap_or_default()
}

fn function_of_log(about: &Value) -> &str {
    text(about, "logGroupName").strip_prefix("/aws/lambda/").unwrap_or_default()
}

fn attachments(item: &Item) -> impl Iterator<Item = &Value> {
    each(&item.about, "Attachments")
}

fn each<'a>(about: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    about[key].as_array().into_iter().flatten()
}

fn text<'a>(about: &'a Value, key: &str) -> &'a str {
    about[key].as_str().unwrap_or_default()
}

fn call(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}

/// A command that runs once all these have succeeded.
fn after(commands: impl Iterator<Item = String>, last: String) -> String {
    commands.chain([last]).collect::<Vec<_>>().join(" && ")
}
