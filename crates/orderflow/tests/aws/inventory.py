"""Everything that is in an AWS account, by the list call of its own type: a line each, `CALL ID`, sorted.

With the argument `remove`: ends what stdin names in such lines.
"""

import sys
import zlib

import boto3
from botocore.exceptions import ClientError

ec2, s3, iam, logs, cloudwatch, sns = (boto3.client(service) for service in ["ec2", "s3", "iam", "logs", "cloudwatch", "sns"])
route53, secrets, scheduler, functions = (
    boto3.client(service) for service in ["route53", "secretsmanager", "scheduler", "lambda"]
)


def instances(_page):
    for reservation in ec2.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] != "terminated":
                yield instance["InstanceId"]


def listed(key, name):
    def of(page):
        # Endpoints are listed for some time after their end.
        return [one[name] for one in page()[key] if one.get("State") != "deleted"]

    return of


def rules(page):
    # A network's own group comes and goes with it.
    own = {group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"] if group["GroupName"] == "default"}
    return [rule["SecurityGroupRuleId"] for rule in page()["SecurityGroupRules"] if rule["GroupId"] not in own]


def revoke(rule):
    found = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"][0]
    call = ec2.revoke_security_group_egress if found["IsEgress"] else ec2.revoke_security_group_ingress
    call(GroupId=found["GroupId"], SecurityGroupRuleIds=[rule])


def tables():
    return ec2.describe_route_tables()["RouteTables"]


def routes(_page):
    """As Terraform calls a route: it has no id in AWS."""
    return {
        f"r-{table['RouteTableId']}{zlib.crc32(route['DestinationCidrBlock'].encode())}": (table["RouteTableId"], route["DestinationCidrBlock"])
        for table in tables()
        for route in table["Routes"]
        if route.get("GatewayId", "local") != "local"
    }


def end_route(name):
    table, network = routes(None)[name]
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock=network)


def associations(_page):
    return [one["RouteTableAssociationId"] for table in tables() for one in table["Associations"] if not one["Main"]]


def end_gateway(gateway):
    found = ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"][0]
    for attachment in found["Attachments"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=attachment["VpcId"])
    ec2.delete_internet_gateway(InternetGatewayId=gateway)


def end_role(role):
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=role)


def end_zone(zone):
    for record in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]:
        if record["Type"] not in ("NS", "SOA"):
            changes = [{"Action": "DELETE", "ResourceRecordSet": record}]
            route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    route53.delete_hosted_zone(Id=zone)


def end_schedule(name):
    for schedule in scheduler.list_schedules()["Schedules"]:
        if schedule["Name"] == name:
            scheduler.delete_schedule(Name=name, GroupName=schedule["GroupName"])


def end_filter(name):
    for found in logs.describe_metric_filters(filterNamePrefix=name)["metricFilters"]:
        logs.delete_metric_filter(logGroupName=found["logGroupName"], filterName=found["filterName"])


# Each type: the client and its list call, what that gives, and how one is ended; in the order in which they can be. What has none
# goes with another.
TYPES = [
    (functions, "list_event_source_mappings", listed("EventSourceMappings", "UUID"), lambda uuid: functions.delete_event_source_mapping(UUID=uuid)),
    (functions, "list_functions", listed("Functions", "FunctionName"), lambda name: functions.delete_function(FunctionName=name)),
    (scheduler, "list_schedules", listed("Schedules", "Name"), end_schedule),
    (scheduler, "list_schedule_groups", listed("ScheduleGroups", "Name"), lambda name: scheduler.delete_schedule_group(Name=name)),
    (cloudwatch, "list_dashboards", listed("DashboardEntries", "DashboardName"), lambda name: cloudwatch.delete_dashboards(DashboardNames=[name])),
    (cloudwatch, "describe_alarms", listed("MetricAlarms", "AlarmName"), lambda name: cloudwatch.delete_alarms(AlarmNames=[name])),
    (sns, "list_subscriptions", listed("Subscriptions", "SubscriptionArn"), lambda arn: sns.unsubscribe(SubscriptionArn=arn)),
    (sns, "list_topics", listed("Topics", "TopicArn"), lambda arn: sns.delete_topic(TopicArn=arn)),
    (logs, "describe_metric_filters", listed("metricFilters", "filterName"), end_filter),
    (logs, "describe_log_groups", listed("logGroups", "logGroupName"), lambda name: logs.delete_log_group(logGroupName=name)),
    (secrets, "list_secrets", listed("SecretList", "Name"), lambda name: secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)),
    (route53, "list_hosted_zones", listed("HostedZones", "Id"), end_zone),
    (iam, "list_roles", listed("Roles", "RoleName"), end_role),
    (iam, "list_instance_profiles", listed("InstanceProfiles", "InstanceProfileName"), None),
    (iam, "list_users", listed("Users", "UserName"), None),
    (iam, "list_policies", lambda page: listed("Policies", "PolicyName")(lambda: page(Scope="Local")), None),
    (s3, "list_buckets", listed("Buckets", "Name"), lambda name: s3.delete_bucket(Bucket=name)),
    (ec2, "describe_instances", instances, lambda id: ec2.terminate_instances(InstanceIds=[id])),
    (ec2, "describe_volumes", listed("Volumes", "VolumeId"), None),
    (ec2, "describe_vpc_endpoints", listed("VpcEndpoints", "VpcEndpointId"), lambda id: ec2.delete_vpc_endpoints(VpcEndpointIds=[id])),
    (ec2, "describe_network_interfaces", listed("NetworkInterfaces", "NetworkInterfaceId"), None),
    (ec2, "describe_addresses", listed("Addresses", "AllocationId"), None),
    (ec2, "describe_key_pairs", listed("KeyPairs", "KeyName"), lambda name: ec2.delete_key_pair(KeyName=name)),
    (ec2, "describe_security_group_rules", rules, revoke),
    (ec2, "describe_security_groups", listed("SecurityGroups", "GroupId"), lambda id: ec2.delete_security_group(GroupId=id)),
    (ec2, "describe_route_tables", routes, end_route),
    (ec2, "describe_route_tables", associations, lambda id: ec2.disassociate_route_table(AssociationId=id)),
    (ec2, "describe_route_tables", listed("RouteTables", "RouteTableId"), lambda id: ec2.delete_route_table(RouteTableId=id)),
    (ec2, "describe_internet_gateways", listed("InternetGateways", "InternetGatewayId"), end_gateway),
    (ec2, "describe_subnets", listed("Subnets", "SubnetId"), lambda id: ec2.delete_subnet(SubnetId=id)),
    (ec2, "describe_vpcs", listed("Vpcs", "VpcId"), lambda id: ec2.delete_vpc(VpcId=id)),
]


def line(client, call, name):
    return f"{client.meta.service_model.service_name}.{call} {name}"


def main():
    if sys.argv[1:] == ["remove"]:
        wanted = set(sys.stdin.read().splitlines())
        for client, call, names, end in TYPES:
            for name in list(names(getattr(client, call))):
                if end and line(client, call, name) in wanted:
                    try:
                        end(name)
                    except ClientError as error:
                        print(f"{line(client, call, name)}: {error}", file=sys.stderr)
        return
    found = {line(client, call, name) for client, call, names, _ in TYPES for name in names(getattr(client, call))}
    print("\n".join(sorted(found)))


if __name__ == "__main__":
    main()
