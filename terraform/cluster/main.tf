# The network, the hosts, the bucket and the roles. What runs on Lambda stands in ../services, which comes after the
# cluster answers.

locals {
  topology = jsondecode(file(var.topology_file))
  lambda   = { for name, service in local.topology.services : name => service if service.host == "lambda" }

  # A service that reads no topic runs on a schedule.
  functions = merge(
    { hello_world = { uses_kafka = false, is_scheduled = false } },
    { for name, service in local.lambda : name => { uses_kafka = true, is_scheduled = length(service.consumes) == 0 } },
  )

  availability_zones = coalesce(var.availability_zones, slice(data.aws_availability_zones.all.names, 0, min(3, length(data.aws_availability_zones.all.names))))
  bucket_prefix      = "kafka-demo-lambda-code"
  brokers            = { for name, host in module.hosts.hosts : name => host if host.role == "kafka" }

  # Three ZooKeeper hosts, three brokers, one of each a zone, and one console host.
  clustered = [for role in ["zookeeper", "kafka"] : {
    for index, subnet in module.network.subnets : "${role}-${index + 1}" => {
      role          = role
      number        = index + 1
      subnet        = subnet
      instance_type = var.instance_type
      volume_gib    = var.volume_gib
    }
  }]

  console = {
    console-1 = {
      role          = "console"
      number        = 1
      subnet        = module.network.subnets[0]
      instance_type = var.console_instance_type
      volume_gib    = var.console_volume_gib
    }
  }
}

data "aws_availability_zones" "all" {
  state            = "available"
  exclude_zone_ids = ["use1-az3"] # the oldest of us-east-1: neither t3 nor functions in a VPC

  # Local zones have neither t2.micro nor Lambda.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  lifecycle {
    postcondition {
      condition     = length(self.names) >= 3
      error_message = "${var.region} has fewer than three zones for this account: choose another region."
    }
  }
}

check "ssh_is_narrow" {
  assert {
    condition     = !contains(var.ssh_cidrs, "0.0.0.0/0")
    error_message = "Anyone may reach port 22 of the hosts: set ssh_cidrs to your own address, such as [\"203.0.113.7/32\"]."
  }
}

module "network" {
  source = "../modules/network"

  name               = "orderflow"
  vpc_cidr           = var.vpc_cidr
  availability_zones = local.availability_zones
  domain             = var.domain
  ssh_cidrs          = var.ssh_cidrs
  allowed_cidrs      = var.allowed_cidrs
  groups             = ["ssh", "zookeeper", "kafka", "console", "functions", "pollers", "endpoints"]
}

# In public subnets with public addresses, behind security groups. For production put them into private subnets, behind a
# bastion host.
module "hosts" {
  source = "../modules/hosts"

  hosts              = merge(concat(local.clustered, [local.console])...)
  security_group_ids = { for name, group in module.network.security_groups : name => group.id }
  private_zone       = module.network.private_zone
  key_name           = "orderflow"
  ssh_public_key     = var.ssh_public_key
}

module "bucket" {
  source = "../modules/bucket"

  prefix = local.bucket_prefix
}

module "iam" {
  source = "../modules/iam"

  region        = var.region
  bucket_prefix = local.bucket_prefix
  domain        = var.domain
  functions     = local.functions
}
