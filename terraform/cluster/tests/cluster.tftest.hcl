# What terraform/cluster plans, held against the requirements that each run names. No AWS, no credentials: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"] }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock" }
  }
}

variables {
  ssh_cidrs      = ["203.0.113.7/32"]
  allowed_cidrs  = ["198.51.100.0/24"]
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIGVZMkWkBEGDrzN9OEnGYYpGwrSQlBmLOMNLx0QSfQd test"
}

run "B05_B06_B07_B08_B09_B10_subnets_lie_in_three_zones_and_each_port_is_open_to_those_who_need_it_and_to_nobody_else" {
  assert {
    condition     = module.network.internet_gateway.vpc_id == module.network.vpc.id
    error_message = "B05: The internet gateway is of another VPC."
  }

  assert {
    condition     = module.network.internet_route.destination_cidr_block == "0.0.0.0/0" && module.network.internet_route.gateway_id == module.network.internet_gateway.id
    error_message = "B05: The way out does not lead through the internet gateway."
  }

  assert {
    condition     = alltrue([for subnet in module.network.subnets : subnet.map_public_ip_on_launch && subnet.vpc_id == module.network.vpc.id])
    error_message = "B05: A subnet is not public."
  }

  assert {
    condition     = output.vpc_id == module.network.vpc.id && output.cluster.vpc_id == output.vpc_id
    error_message = "B06: vpc_id is not the VPC's."
  }

  assert {
    condition     = output.subnet_ids == { for subnet in module.network.subnets : subnet.availability_zone => subnet.id } && length(output.subnet_ids) == 3
    error_message = "B06: subnet_ids are not those of the subnets."
  }

  assert {
    condition     = keys(output.subnet_ids) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    error_message = "B07: Subnets are not in the first three zones."
  }

  assert {
    condition     = alltrue([for role in ["zookeeper", "kafka"] : length(distinct([for name, instance in module.hosts.instances : instance.subnet_id if startswith(name, role)])) == 3])
    error_message = "B07: Two hosts of one role share a subnet."
  }

  assert {
    condition     = [for subnet in module.network.subnets : subnet.cidr_block] == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"] && module.network.vpc.cidr_block == "10.0.0.0/16"
    error_message = "B07: Subnets have other addresses, which may overlap."
  }

  assert {
    condition = toset(output.ingress) == toset([
      "ssh:22 from 203.0.113.7/32",
      "zookeeper:2181 from kafka",
      "zookeeper:2181 from console",
      "zookeeper:2888 from zookeeper",
      "zookeeper:3888 from zookeeper",
      "zookeeper:9404 from console",
      "kafka:9092 from kafka",
      "kafka:9093 from kafka",
      "kafka:9093 from functions",
      "kafka:9093 from pollers",
      "kafka:9093 from console",
      "kafka:9404 from console",
      "console:3000 from 198.51.100.0/24",
      "console:9021 from 198.51.100.0/24",
      "endpoints:443 from functions",
      "endpoints:443 from pollers",
    ])
    error_message = "B08, B09: Other ports are open: ${join(", ", output.ingress)}."
  }

  # Each rule is what its key says.
  assert {
    condition = alltrue([
      for key, rule in module.network.ingress_rules :
      rule.ip_protocol == "tcp" && rule.from_port == rule.to_port &&
      key == format("%s:%d from %s",
        one([for name, group in module.network.security_groups : name if group.id == rule.security_group_id]), rule.from_port,
        rule.cidr_ipv4 != null ? rule.cidr_ipv4 : one([for name, group in module.network.security_groups : name if group.id == rule.referenced_security_group_id])
      )
    ])
    error_message = "B08, B09: A rule opens something else than its key says."
  }

  assert {
    condition = toset(keys(module.network.egress_rules)) == toset([
      "zookeeper to 0.0.0.0/0", "kafka to 0.0.0.0/0", "console to 0.0.0.0/0",
      "functions to kafka:9093", "functions to endpoints:443", "pollers to kafka:9093", "pollers to endpoints:443",
    ])
    error_message = "B09, B10: Other ways out are open: ${join(", ", keys(module.network.egress_rules))}."
  }

  assert {
    condition = alltrue([
      for key, rule in module.network.egress_rules :
      key == format("%s to %s",
        one([for name, group in module.network.security_groups : name if group.id == rule.security_group_id]),
        rule.cidr_ipv4 != null ? rule.cidr_ipv4 : format("%s:%d",
          one([for name, group in module.network.security_groups : name if group.id == rule.referenced_security_group_id]), rule.from_port
        )
      ) && (rule.cidr_ipv4 != null ? rule.ip_protocol == "-1" : rule.ip_protocol == "tcp" && rule.from_port == rule.to_port)
    ])
    error_message = "B09, B10: A rule opens another way out than its key says."
  }
}

run "B01_B02_B03_B04_B24_region_state_bucket_documents_and_modules_are_as_asked" {
  command = plan

  assert {
    condition     = output.region == "us-east-1" && output.cluster.region == "us-east-1"
    error_message = "B01: The region is ${output.region}."
  }

  assert {
    condition     = alltrue([for root in ["cluster", "services"] : can(regex("\n  # backend \"s3\" {", file("${path.module}/../${root}/versions.tf"))) && !can(regex("\n *backend ", file("${path.module}/../${root}/versions.tf")))])
    error_message = "B02: versions.tf of a root has no commented backend, or one that is in use."
  }

  assert {
    condition = alltrue([
      for command in setproduct(["cluster", "services"], ["init", "plan", "apply"]) :
      strcontains(file("${path.module}/../../docs/deployment/terraform.md"), "terraform -chdir=terraform/${command[0]} ${command[1]}")
    ])
    error_message = "B04: docs/deployment/terraform.md lacks init, plan or apply of a root."
  }

  assert {
    condition = alltrue([
      for use in [["cluster", "network"], ["cluster", "hosts"], ["cluster", "bucket"], ["cluster", "iam"], ["services", "function"]] :
      anytrue([for file in fileset("${path.module}/../${use[0]}", "*.tf") : strcontains(file("${path.module}/../${use[0]}/${file}"), "\"../modules/${use[1]}\"")])
    ])
    error_message = "B24: A root does not use its modules."
  }

  assert {
    condition     = can(regex("^kafka-demo-lambda-code-[0-9a-f]{8}$", output.bucket))
    error_message = "B03: The bucket is called ${output.bucket}."
  }

  assert {
    condition     = module.bucket.versioning.versioning_configuration[0].status == "Enabled"
    error_message = "B03: The bucket has no versions."
  }

  assert {
    condition     = one(one(module.bucket.encryption.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "B03: The bucket is not encrypted."
  }

  assert {
    condition = alltrue([
      module.bucket.public_access_block.block_public_acls, module.bucket.public_access_block.block_public_policy,
      module.bucket.public_access_block.ignore_public_acls, module.bucket.public_access_block.restrict_public_buckets,
    ])
    error_message = "B03: The bucket may become public."
  }

  assert {
    condition = jsondecode(module.bucket.policy.policy).Statement == [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [module.bucket.bucket.arn, "${module.bucket.bucket.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "B03: The bucket may be reached without TLS."
  }

  assert {
    condition     = module.bucket.bucket.force_destroy
    error_message = "B03: A bucket with versions in it cannot be destroyed."
  }
}

run "B11_B12_B13_B23_each_role_trusts_few_and_may_do_what_its_use_needs_and_nothing_else" {
  command = plan

  assert {
    condition     = alltrue([for attachment in module.iam.function_managed_policies : attachment.policy_arn == "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"])
    error_message = "B11: A function has another managed policy."
  }

  assert {
    condition     = toset(keys(module.iam.function_managed_policies)) == toset(concat(["hello_world"], [for name, service in local.topology.services : name if service.host == "lambda"]))
    error_message = "B11: Not every function has the managed policy."
  }

  assert {
    condition = alltrue([
      for name, policy in module.iam.function_policies : jsondecode(policy.policy).Statement == [
        {
          Sid    = "NetworkInterfaces"
          Effect = "Allow"
          Action = [
            "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
          ]
          Resource = "*"
        },
        {
          Sid    = "OwnUser"
          Effect = "Allow"
          Action = "secretsmanager:GetSecretValue"
          Resource = [
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:orderflow/kafka/${name}-??????",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:orderflow/kafka/ca-??????",
          ]
        },
      ]
    ])
    error_message = "B13: A function may do more, or less."
  }

  assert {
    condition     = toset(keys(module.iam.function_policies)) == toset([for name, service in local.topology.services : name if service.host == "lambda"])
    error_message = "B13: hello_world needs no rights beside its log; every service needs its own."
  }

  assert {
    condition     = alltrue([for role in module.iam.function_roles : jsondecode(role.assume_role_policy).Statement == [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]])
    error_message = "B12: Another service than Lambda may take a function's role."
  }

  assert {
    condition     = length(distinct([for role in module.iam.function_roles : role.name])) == length(module.iam.function_roles)
    error_message = "B12: Functions share a role."
  }

  assert {
    condition     = jsondecode(module.iam.deployer_role.assume_role_policy).Statement[0].Principal == { AWS = "arn:aws:iam::123456789012:root" }
    error_message = "B12: Another account may take the deployer's role."
  }

  assert {
    condition     = alltrue([for role in [module.iam.schedule_role, module.iam.stop_role] : jsondecode(role.assume_role_policy).Statement[0].Condition == { StringEquals = { "aws:SourceAccount" = "123456789012" } }])
    error_message = "B12: A schedule of another account may take a role."
  }

  assert {
    condition = [for statement in jsondecode(module.iam.deployer_policy.policy).Statement :
      statement.Resource if anytrue([for action in flatten([statement.Action]) : startswith(action, "secretsmanager:") && action != "secretsmanager:ListSecrets"])
    ] == ["arn:aws:secretsmanager:us-east-1:123456789012:secret:orderflow/kafka/*"]
    error_message = "B12: The deployer may touch secrets of others."
  }

  assert {
    condition = { for statement in jsondecode(module.iam.deployer_policy.policy).Statement : statement.Sid => statement.Resource if contains(["Alarms"], statement.Sid) } == {
      Alarms = ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:orderflow-*", "arn:aws:cloudwatch::123456789012:dashboard/orderflow", "arn:aws:sns:us-east-1:123456789012:orderflow-alarms"]
    }
    error_message = "B12: The deployer may touch alarms, dashboards or topics of others, or not its own."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(module.iam.deployer_policy.policy).Statement :
      # Whatever no name narrows is narrowed by a region or a function, or looks only, or is Route 53's, which has neither.
      statement.Resource != "*" || can(statement.Condition) || contains(["Look", "Names"], statement.Sid)
    ])
    error_message = "B12: The deployer's policy has a statement about everything."
  }

  assert {
    condition = { for statement in jsondecode(module.iam.deployer_policy.policy).Statement : statement.Sid => statement.Condition if contains(["HostNames", "Mappings"], statement.Sid) } == {
      HostNames = { "ForAllValues:StringLike" = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["*.orderflow.internal"] } }
      Mappings  = { ArnEquals = { "lambda:FunctionArn" = [for name in sort(concat(["hello_world"], [for name, service in local.topology.services : name if service.host == "lambda"])) : "arn:aws:lambda:us-east-1:123456789012:function:${name}"] } }
    }
    error_message = "B12: The deployer may change names or mappings of others."
  }

  assert {
    condition     = !contains(flatten([for statement in jsondecode(module.iam.deployer_policy.policy).Statement : statement.Action]), "*") && !contains(flatten([for statement in jsondecode(module.iam.deployer_policy.policy).Statement : statement.Action]), "iam:*")
    error_message = "B12: The deployer may do anything."
  }

  assert {
    condition     = length(module.iam.deployer_policy.policy) <= 10240
    error_message = "B12: The deployer's policy is longer than IAM takes in a role: ${length(module.iam.deployer_policy.policy)} characters."
  }

  assert {
    condition     = jsondecode(module.iam.schedule_policy.policy).Statement == [{ Sid = "Invoke", Effect = "Allow", Action = "lambda:InvokeFunction", Resource = ["arn:aws:lambda:us-east-1:123456789012:function:order_generator"] }]
    error_message = "B23: The schedule may invoke something else than order_generator."
  }

  assert {
    condition     = toset(flatten([for statement in jsondecode(module.iam.stop_policy.policy).Statement : statement.Action])) == toset(["ec2:StopInstances", "lambda:UpdateEventSourceMapping"]) && alltrue([for statement in jsondecode(module.iam.stop_policy.policy).Statement : can(statement.Condition)])
    error_message = "B23: Schedules may do more than stop what is ours."
  }
}

run "B14_B15_B16_B17_B18_B19_B26_six_small_hosts_and_a_console_take_SSH_and_outputs_name_everything" {
  command = plan

  assert {
    condition = { for name, instance in module.hosts.instances : name => instance.instance_type if !startswith(name, "console") } == {
      for host in setproduct(["zookeeper", "kafka"], [1, 2, 3]) : "${host[0]}-${host[1]}" => "t2.micro"
    }
    error_message = "B14: Hosts are others than three of each role, t2.micro."
  }

  assert {
    condition     = alltrue([for name, instance in module.hosts.instances : contains(instance.vpc_security_group_ids, output.security_group_ids[split("-", name)[0]])])
    error_message = "B14: A host is not in the security group of its role."
  }

  assert {
    condition     = alltrue([for instance in module.hosts.instances : one(instance.metadata_options).http_tokens == "required"])
    error_message = "B14: A host takes IMDSv1."
  }

  assert {
    condition     = alltrue([for instance in module.hosts.instances : one(instance.root_block_device).encrypted && one(instance.root_block_device).volume_type == "gp3"])
    error_message = "B14: A host has a disk that is not encrypted, or not gp3."
  }

  assert {
    condition     = { for name, instance in module.hosts.instances : name => instance.instance_type if startswith(name, "console") } == { console-1 = "t3.large" }
    error_message = "B15: There is not exactly one console host of size t3.large."
  }

  assert {
    condition = alltrue([
      for name, instance in module.hosts.instances :
      yamldecode(base64decode(instance.user_data_base64)) == { hostname = name, fqdn = "${name}.orderflow.internal" }
    ])
    error_message = "B16: User data is more than the host's name."
  }

  assert {
    condition = alltrue([
      for instance in module.hosts.instances :
      contains(instance.vpc_security_group_ids, output.security_group_ids["ssh"]) && contains(values(output.subnet_ids), instance.subnet_id) && instance.key_name == output.key_pair
    ])
    error_message = "B17: A host cannot be reached by SSH."
  }

  assert {
    condition     = strcontains(file("${path.module}/../../docs/deployment/README.md"), "bastion")
    error_message = "B17: docs/deployment/README.md does not say that production puts the hosts behind a bastion."
  }

  assert {
    condition     = output.instance_ids == { for name, instance in module.hosts.instances : name => instance.id }
    error_message = "B18: instance_ids are not those of the hosts."
  }

  assert {
    condition     = output.public_addresses == { for name, instance in module.hosts.instances : name => instance.public_ip } && output.private_addresses == { for name, instance in module.hosts.instances : name => instance.private_ip }
    error_message = "B18: Addresses are not those of the hosts."
  }

  assert {
    condition     = toset([for host in output.hosts : host.role]) == toset(["zookeeper", "kafka", "console"]) && [for name in ["kafka-1", "kafka-2", "kafka-3"] : output.hosts[name].number] == [1, 2, 3]
    error_message = "B18: hosts lacks what an inventory needs."
  }

  assert {
    condition = output.private_addresses == {
      zookeeper-1 = "10.0.0.11", zookeeper-2 = "10.0.1.11", zookeeper-3 = "10.0.2.11",
      kafka-1     = "10.0.0.21", kafka-2 = "10.0.1.21", kafka-3 = "10.0.2.21",
      console-1   = "10.0.0.31",
    }
    error_message = "B19: Private addresses are others."
  }

  assert {
    condition     = output.cluster.bootstrap_servers == ["kafka-1.orderflow.internal:9093", "kafka-2.orderflow.internal:9093", "kafka-3.orderflow.internal:9093"]
    error_message = "B19: Bootstrap servers are not the brokers' private names."
  }

  assert {
    condition     = one(module.network.private_zone.vpc).vpc_id == output.vpc_id
    error_message = "B19: The hosts' zone is not the VPC's."
  }

  assert {
    condition     = module.network.vpc.enable_dns_support && module.network.vpc.enable_dns_hostnames
    error_message = "B19: The VPC does not resolve private names."
  }

  assert {
    condition     = toset(keys(output.security_group_ids)) == toset(["ssh", "zookeeper", "kafka", "console", "functions", "pollers", "endpoints"])
    error_message = "B26: security_group_ids are others: ${join(", ", keys(output.security_group_ids))}."
  }

  assert {
    condition = alltrue([
      for id in [output.internet_gateway_id, output.route_table_id, output.private_zone_id, output.key_pair, output.bucket, output.roles.schedule, output.roles.stop, output.roles.deployer] : id != null && id != ""
    ]) && toset(keys(output.roles.functions)) == toset(keys(module.iam.function_roles))
    error_message = "B26: Something with a name is in no output."
  }

  assert {
    condition     = sum([for instance in module.hosts.instances : one(instance.root_block_device).volume_size]) <= 128
    error_message = "B26: Disks are larger than a demonstration needs."
  }
}

run "B25_applied_again_nothing_is_named_anew" {
  assert {
    condition     = output.bucket == run.B05_B06_B07_B08_B09_B10_subnets_lie_in_three_zones_and_each_port_is_open_to_those_who_need_it_and_to_nobody_else.bucket
    error_message = "B25: The bucket's suffix changes with each apply."
  }
}
