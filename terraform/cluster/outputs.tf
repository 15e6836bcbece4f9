# Everything that has a name, so that nothing is orphaned.

output "region" {
  description = "Region of everything."
  value       = var.region
}

output "vpc_id" {
  description = "The VPC."
  value       = module.network.vpc.id
}

output "subnet_ids" {
  description = "Public subnets by zone."
  value       = { for subnet in module.network.subnets : subnet.availability_zone => subnet.id }
}

output "internet_gateway_id" {
  description = "The internet gateway."
  value       = module.network.internet_gateway.id
}

output "route_table_id" {
  description = "The route table of the subnets."
  value       = module.network.route_table.id
}

output "private_zone_id" {
  description = "The private zone that names the hosts."
  value       = module.network.private_zone.zone_id
}

output "security_group_ids" {
  description = "Security groups by name."
  value       = { for name, group in module.network.security_groups : name => group.id }
}

output "ingress" {
  description = "Who may reach which port, as GROUP:PORT from WHOM; everything else is closed."
  value       = sort(keys(module.network.ingress_rules))
}

output "hosts" {
  description = "Hosts by name, with role, zone, instance id, private name and addresses: the inventory is rendered from it."
  value       = module.hosts.hosts
}

output "instance_ids" {
  description = "Instance ids by host."
  value       = { for name, host in module.hosts.hosts : name => host.instance_id }
}

output "public_addresses" {
  description = "Public addresses by host."
  value       = { for name, host in module.hosts.hosts : name => host.public_address }
}

output "private_addresses" {
  description = "Private addresses by host."
  value       = { for name, host in module.hosts.hosts : name => host.private_address }
}

output "key_pair" {
  description = "The key pair that opens every host."
  value       = module.hosts.key_pair.key_name
}

output "bucket" {
  description = "The bucket of the functions' zips."
  value       = module.bucket.bucket.bucket
}

output "roles" {
  description = "Roles by use."
  value = {
    functions = { for name, role in module.iam.function_roles : name => role.arn }
    schedule  = module.iam.schedule_role.arn
    stop      = module.iam.stop_role.arn
    deployer  = module.iam.deployer_role.arn
  }
}

output "cluster" {
  description = "What terraform/services takes as its variable of this name."
  value = {
    region             = var.region
    vpc_id             = module.network.vpc.id
    subnet_ids         = [for subnet in module.network.subnets : subnet.id]
    security_group_ids = { for name in ["functions", "pollers", "endpoints"] : name => module.network.security_groups[name].id }
    bootstrap_servers  = [for name in sort(keys(local.brokers)) : "${local.brokers[name].name}:9093"]
    instance_ids       = [for name in sort(keys(module.hosts.hosts)) : module.hosts.hosts[name].instance_id]
    bucket             = module.bucket.bucket.bucket
    function_role_arns = { for name, role in module.iam.function_roles : name => role.arn }
    schedule_role_arn  = module.iam.schedule_role.arn
    stop_role_arn      = module.iam.stop_role.arn
  }
}
