# Everything that has a name, so that nothing is orphaned.

output "region" {
  description = "Region of everything."
  value       = var.region
}

output "vpc_id" {
  description = "The VPC."
  value       = module.network.vpc.id
}

output "subnet_id" {
  description = "The subnet."
  value       = module.network.subnets[0].id
}

output "internet_gateway_id" {
  description = "The internet gateway."
  value       = module.network.internet_gateway.id
}

output "route_table_id" {
  description = "The route table of the subnet."
  value       = module.network.route_table.id
}

output "private_zone_id" {
  description = "The private zone that names the host."
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

output "key_pair" {
  description = "The key pair that opens the host."
  value       = module.hosts.key_pair.key_name
}

output "hosts" {
  description = "The host by its name, as terraform/cluster tells of many: role, zone, instance id, private name and addresses."
  value       = module.hosts.hosts
}

output "inventory" {
  description = "Ansible's inventory: `terraform -chdir=terraform/food output -raw inventory > ansible/food.ini`."
  value       = <<-EOT
    ; Written by terraform/food. Each playbook finds on the one host what a cluster has hosts of its own for.

    [food]
    food-1 ansible_host=${local.host.public_address} private_address=${local.host.private_address} number=${local.host.number} zone=${local.host.zone}

    [zookeeper:children]
    food

    [kafka:children]
    food

    [console:children]
    food
  EOT
}
