# Resources as they are: roots choose what they print, and tests see each attribute.

output "vpc" {
  description = "The VPC."
  value       = aws_vpc.this
}

output "subnets" {
  description = "Public subnets, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone]]
}

output "internet_gateway" {
  description = "The internet gateway."
  value       = aws_internet_gateway.this
}

output "route_table" {
  description = "The route table of the subnets."
  value       = aws_route_table.public
}

output "internet_route" {
  description = "The way out."
  value       = aws_route.internet
}

output "private_zone" {
  description = "The private zone that names the hosts."
  value       = aws_route53_zone.private
}

output "security_groups" {
  description = "Security groups by name."
  value       = aws_security_group.this
}

output "ingress_rules" {
  description = "Who may come in, by GROUP:PORT from WHOM."
  value       = aws_vpc_security_group_ingress_rule.this
}

output "egress_rules" {
  description = "Who may go out, by GROUP to WHOM."
  value       = aws_vpc_security_group_egress_rule.this
}
