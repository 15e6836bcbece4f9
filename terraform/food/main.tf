# One small host for the food orders: ZooKeeper, a broker, PostgreSQL, and the two services. It stands alone, beside ../cluster or without it.

locals {
  name              = "orderflow-food"
  availability_zone = coalesce(var.availability_zone, data.aws_availability_zones.all.names[0])
  host              = module.hosts.hosts["food-1"]
}

data "aws_availability_zones" "all" {
  state            = "available"
  exclude_zone_ids = ["use1-az3"] # the oldest of us-east-1, short of sizes

  # Local zones have no t2.small.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

check "ssh_is_narrow" {
  assert {
    condition     = !contains(var.ssh_cidrs, "0.0.0.0/0")
    error_message = "Anyone may reach port 22 of the host: set ssh_cidrs to your own address, such as [\"203.0.113.7/32\"]."
  }
}

# From outside there is SSH alone: Kafka and PostgreSQL serve what runs beside them on the host.
module "network" {
  source = "../modules/network"

  name               = local.name
  vpc_cidr           = "10.0.0.0/16"
  availability_zones = [local.availability_zone]
  domain             = "orderflow.internal" # as Ansible's variable of this name
  ssh_cidrs          = var.ssh_cidrs
  allowed_cidrs      = []
  groups             = ["ssh", "host"]
}

module "hosts" {
  source = "../modules/hosts"

  hosts = {
    food-1 = {
      role          = "food"
      number        = 1
      subnet        = module.network.subnets[0]
      instance_type = var.instance_type
      volume_gib    = var.volume_gib
    }
  }
  security_group_ids = { ssh = module.network.security_groups["ssh"].id, food = module.network.security_groups["host"].id }
  private_zone       = module.network.private_zone
  key_name           = local.name
  ssh_public_key     = var.ssh_public_key
}
