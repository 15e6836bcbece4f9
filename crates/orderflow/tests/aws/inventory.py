"""Everything that is in an AWS account, by the list call of its own type: a line each, `CALL ID`, sorted."""

import boto3

LISTS = [
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("ec2", "describe_key_pairs", "KeyPairs", "KeyName"),
    ("ec2", "describe_volumes", "Volumes", "VolumeId"),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    ("iam", "list_users", "Users", "UserName"),
    ("route53", "list_hosted_zones", "HostedZones", "Id"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("scheduler", "list_schedule_groups", "ScheduleGroups", "Name"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
]


def main() -> None:
    found = set()
    for service, call, key, name in LISTS:
        client = boto3.client(service)
        for one in getattr(client, call)()[key]:
            if one.get("State") != "deleted":  # endpoints are listed for some time after their end
                found.add(f"{service}.{call} {one[name]}")
    ec2 = boto3.client("ec2")
    for reservation in ec2.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] != "terminated":
                found.add(f"ec2.describe_instances {instance['InstanceId']}")
    for policy in boto3.client("iam").list_policies(Scope="Local")["Policies"]:
        found.add(f"iam.list_policies {policy['PolicyName']}")
    print("\n".join(sorted(found)))


if __name__ == "__main__":
    main()
