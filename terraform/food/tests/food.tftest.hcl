# What terraform/food plans, held against the requirements that each run names. No AWS, no credentials: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }

  # As ansible/food.example.ini has it.
  mock_resource "aws_instance" {
    defaults = { public_ip = "203.0.113.41", availability_zone = "us-east-1a" }
  }
}

variables {
  ssh_cidrs      = ["203.0.113.7/32"]
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIGVZMkWkBEGDrzN9OEnGYYpGwrSQlBmLOMNLx0QSfQd test"
}

run "O04_O10_one_t2_small_with_an_encrypted_disk_takes_SSH_alone_from_known_addresses" {
  assert {
    condition     = { for name, instance in module.hosts.instances : name => instance.instance_type } == { food-1 = "t2.small" }
    error_message = "O04: There is not exactly one host, t2.small."
  }

  assert {
    condition     = output.ingress == tolist(["ssh:22 from 203.0.113.7/32"])
    error_message = "Other ports are open: ${join(", ", output.ingress)}."
  }

  assert {
    condition = [for rule in module.network.ingress_rules : [rule.ip_protocol, rule.from_port, rule.to_port, rule.cidr_ipv4, rule.security_group_id]] == [
      ["tcp", 22, 22, "203.0.113.7/32", output.security_group_ids["ssh"]]
    ]
    error_message = "A rule opens something else than its key says."
  }

  assert {
    condition     = [for key, rule in module.network.egress_rules : [key, rule.ip_protocol, rule.cidr_ipv4]] == [["host to 0.0.0.0/0", "-1", "0.0.0.0/0"]]
    error_message = "The host cannot install packages, or there are other ways out: ${join(", ", keys(module.network.egress_rules))}."
  }

  assert {
    condition     = toset(module.hosts.instances["food-1"].vpc_security_group_ids) == toset(values(output.security_group_ids)) && toset(keys(output.security_group_ids)) == toset(["ssh", "host"])
    error_message = "The host is not in its two security groups."
  }

  assert {
    condition     = one(module.hosts.instances["food-1"].root_block_device).encrypted && one(module.hosts.instances["food-1"].root_block_device).volume_type == "gp3" && one(module.hosts.instances["food-1"].root_block_device).volume_size == 32
    error_message = "The host's disk is not encrypted, not gp3, or not of 32 GiB."
  }

  assert {
    condition     = one(module.hosts.instances["food-1"].metadata_options).http_tokens == "required"
    error_message = "The host takes IMDSv1."
  }

  assert {
    condition     = yamldecode(base64decode(module.hosts.instances["food-1"].user_data_base64)) == { hostname = "food-1", fqdn = "food-1.orderflow.internal" }
    error_message = "User data is more than the host's name."
  }

  assert {
    condition     = [for subnet in module.network.subnets : [subnet.availability_zone, subnet.cidr_block, subnet.map_public_ip_on_launch]] == [["us-east-1a", "10.0.0.0/24", true]]
    error_message = "There is another subnet than a public one in the first zone."
  }
}

run "what_it_makes_is_apart_from_the_cluster_and_stands_in_outputs" {
  # The names of the cluster's are taken, and what carries them goes with `orderflow destroy`.
  assert {
    condition     = output.key_pair == "orderflow-food" && module.network.private_zone.comment == "Hosts of orderflow-food" && [for group in module.network.security_groups : group.name] == ["orderflow-food-host", "orderflow-food-ssh"]
    error_message = "Something has a name of the cluster's."
  }

  assert {
    condition     = can(regex("tags = { Project = \"orderflow-food\", Root = \"food\" }", file("${path.module}/versions.tf")))
    error_message = "The tags are those of the cluster."
  }

  assert {
    condition = alltrue([
      for id in [output.vpc_id, output.subnet_id, output.internet_gateway_id, output.route_table_id, output.private_zone_id, output.hosts["food-1"].instance_id] : id != null && id != ""
    ])
    error_message = "Something with a name is in no output."
  }

  assert {
    condition     = output.hosts["food-1"].name == "food-1.orderflow.internal" && one(module.network.private_zone.vpc).vpc_id == output.vpc_id
    error_message = "The host has no name that its VPC resolves."
  }
}

run "the_inventory_is_the_one_that_Ansibles_documents_show" {
  assert {
    condition = [for line in split("\n", output.inventory) : line if !startswith(line, ";")] == [
      for line in split("\n", file("${path.module}/../../ansible/food.example.ini")) : line if !startswith(line, ";")
    ]
    error_message = "It is:\n${output.inventory}"
  }
}

run "B02_B04_state_may_move_and_documents_say_how_it_is_applied" {
  command = plan

  assert {
    condition     = can(regex("\n  # backend \"s3\" {", file("${path.module}/versions.tf"))) && !can(regex("\n *backend ", file("${path.module}/versions.tf")))
    error_message = "B02: versions.tf has no commented backend, or one that is in use."
  }

  assert {
    condition = alltrue([
      for command in ["init", "plan", "apply", "output -raw inventory", "destroy"] :
      strcontains(file("${path.module}/../../docs/deployment/terraform.md"), "terraform -chdir=terraform/food ${command}")
    ])
    error_message = "B04: docs/deployment/terraform.md lacks a command of this root."
  }
}
