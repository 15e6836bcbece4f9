# What each variable refuses, and that it then says so itself.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
}

variables {
  ssh_cidrs      = ["203.0.113.7/32"]
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIGVZMkWkBEGDrzN9OEnGYYpGwrSQlBmLOMNLx0QSfQd test"
}

run "B08_D16_by_default_SSH_is_open_to_anywhere_with_a_warning_and_the_pages_to_nobody" {
  command = plan

  variables {
    ssh_cidrs = null # the default
  }

  expect_failures = [check.ssh_is_narrow]

  assert {
    condition     = contains(output.ingress, "ssh:22 from 0.0.0.0/0")
    error_message = "SSH is not open to anywhere."
  }

  assert {
    condition     = !anytrue([for key in output.ingress : startswith(key, "console:")])
    error_message = "A page is open: ${join(", ", output.ingress)}."
  }
}

run "zones_may_be_chosen" {
  command = plan

  variables {
    availability_zones = ["us-east-1b", "us-east-1d", "us-east-1f"]
  }

  assert {
    condition     = [for subnet in module.network.subnets : subnet.availability_zone] == ["us-east-1b", "us-east-1d", "us-east-1f"]
    error_message = "Subnets are in other zones."
  }
}

run "a_region_with_two_zones_is_refused" {
  command = plan

  override_data {
    target = data.aws_availability_zones.all
    values = { names = ["us-west-1a", "us-west-1c"] }
  }

  expect_failures = [data.aws_availability_zones.all]
}

# One run costs as much as another, so each gives a bad value to every variable that has one left.

run "a_network_begins_at_its_first_address_a_zone_is_no_region_and_a_private_key_no_public_key" {
  command = plan

  variables {
    ssh_cidrs             = ["203.0.113.7/24"]
    allowed_cidrs         = ["198.51.100.1/24"]
    vpc_cidr              = "10.0.0.1/16"
    region                = "us-east-1a"
    ssh_public_key        = "-----BEGIN OPENSSH PRIVATE KEY-----"
    instance_type         = "micro"
    console_instance_type = "large"
    volume_gib            = 4
    console_volume_gib    = 8.5
    domain                = "Orderflow.internal."
    topology_file         = "no/such/topology.json"
  }

  expect_failures = [
    var.ssh_cidrs, var.allowed_cidrs, var.vpc_cidr, var.region, var.ssh_public_key, var.instance_type,
    var.console_instance_type, var.volume_gib, var.console_volume_gib, var.domain, var.topology_file,
  ]
}

run "D16_an_address_is_no_network_and_the_pages_are_never_open_to_anywhere" {
  command = plan

  variables {
    ssh_cidrs          = ["203.0.113.7"]
    allowed_cidrs      = ["0.0.0.0/0"]
    vpc_cidr           = "10.0.0.0/24"                # too small
    availability_zones = ["eu-west-1a", "us-east-1b"] # two, and one of another region
    topology_file      = "tests/variables.tftest.hcl" # no JSON
  }

  expect_failures = [var.ssh_cidrs, var.allowed_cidrs, var.vpc_cidr, var.availability_zones, var.topology_file]
}
