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

run "by_default_SSH_is_open_to_anywhere_with_a_warning" {
  command = plan

  variables {
    ssh_cidrs = null # the default
  }

  expect_failures = [check.ssh_is_narrow]

  assert {
    condition     = output.ingress == tolist(["ssh:22 from 0.0.0.0/0"])
    error_message = "SSH is not open to anywhere, or something else is: ${join(", ", output.ingress)}."
  }
}

run "the_zone_may_be_chosen" {
  command = plan

  variables {
    availability_zone = "us-east-1d"
  }

  assert {
    condition     = [for subnet in module.network.subnets : subnet.availability_zone] == ["us-east-1d"]
    error_message = "The subnet is in another zone."
  }
}

# One run costs as much as another, so each gives a bad value to every variable that has one left.

run "a_network_begins_at_its_first_address_a_zone_is_no_region_and_a_private_key_no_public_key" {
  command = plan

  variables {
    ssh_cidrs      = ["203.0.113.7/24"]
    region         = "us-east-1a"
    ssh_public_key = "-----BEGIN OPENSSH PRIVATE KEY-----"
    instance_type  = "small"
    volume_gib     = 4
  }

  expect_failures = [var.ssh_cidrs, var.region, var.ssh_public_key, var.instance_type, var.volume_gib]
}

run "an_address_is_no_network_another_regions_zone_none_of_ours_and_half_a_GiB_no_disk" {
  command = plan

  variables {
    ssh_cidrs         = ["203.0.113.7"]
    availability_zone = "eu-west-1a"
    volume_gib        = 16.5
  }

  expect_failures = [var.ssh_cidrs, var.availability_zone, var.volume_gib]
}
