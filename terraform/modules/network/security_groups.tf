# Who may reach whom, as one table. What it does not name is closed. Rows of groups that a root does not ask for do not count.

locals {
  every_group = {
    ssh       = "SSH to every host"
    zookeeper = "ZooKeeper hosts"
    kafka     = "Kafka brokers"
    console   = "Console host: pages, metrics, the operator's commands"
    host      = "A host that has all of it, and serves nobody but itself"
    functions = "Lambda functions"
    pollers   = "Pollers of the event source mappings"
    endpoints = "Interface endpoints of AWS services"
  }
  security_groups = { for name in var.groups : name => local.every_group[name] }

  # `from` names security groups, `cidrs` addresses.
  ingress = [
    { to = "ssh", port = 22, from = [], cidrs = var.ssh_cidrs },
    { to = "zookeeper", port = 2181, from = ["kafka", "console"], cidrs = [] }, # clients
    { to = "zookeeper", port = 2888, from = ["zookeeper"], cidrs = [] },        # followers to their leader
    { to = "zookeeper", port = 3888, from = ["zookeeper"], cidrs = [] },        # election
    { to = "zookeeper", port = 9404, from = ["console"], cidrs = [] },          # metrics of the JVM
    { to = "kafka", port = 9092, from = ["kafka"], cidrs = [] },                # between brokers
    { to = "kafka", port = 9093, from = ["kafka", "functions", "pollers", "console"], cidrs = [] },
    { to = "kafka", port = 9404, from = ["console"], cidrs = [] },
    { to = "console", port = 3000, from = [], cidrs = var.allowed_cidrs }, # Grafana
    { to = "console", port = 9021, from = [], cidrs = var.allowed_cidrs }, # Control Center
    { to = "endpoints", port = 443, from = ["functions", "pollers"], cidrs = [] },
  ]

  # Hosts install packages from anywhere. Functions and pollers know only the brokers and the endpoints.
  egress = [
    { of = "zookeeper", port = null, to = [], cidrs = ["0.0.0.0/0"] },
    { of = "kafka", port = null, to = [], cidrs = ["0.0.0.0/0"] },
    { of = "console", port = null, to = [], cidrs = ["0.0.0.0/0"] },
    { of = "host", port = null, to = [], cidrs = ["0.0.0.0/0"] },
    { of = "functions", port = 9093, to = ["kafka"], cidrs = [] },
    { of = "functions", port = 443, to = ["endpoints"], cidrs = [] },
    { of = "pollers", port = 9093, to = ["kafka"], cidrs = [] },
    { of = "pollers", port = 443, to = ["endpoints"], cidrs = [] },
  ]

  ingress_rules = merge([
    for row in local.ingress : merge(
      { for from in row.from : "${row.to}:${row.port} from ${from}" => { to = row.to, port = row.port, group = from, cidr = null } },
      { for cidr in toset(row.cidrs) : "${row.to}:${row.port} from ${cidr}" => { to = row.to, port = row.port, group = null, cidr = cidr } },
    ) if contains(var.groups, row.to)
  ]...)

  egress_rules = merge([
    for row in local.egress : merge(
      { for to in row.to : "${row.of} to ${to}:${row.port}" => { of = row.of, port = row.port, group = to, cidr = null } },
      { for cidr in toset(row.cidrs) : "${row.of} to ${cidr}" => { of = row.of, port = row.port, group = null, cidr = cidr } },
    ) if contains(var.groups, row.of)
  ]...)
}

resource "aws_security_group" "this" {
  for_each = local.security_groups

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.ingress_rules

  security_group_id            = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  cidr_ipv4                    = each.value.cidr
  referenced_security_group_id = each.value.group == null ? null : aws_security_group.this[each.value.group].id

  tags = { Name = each.key }
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = local.egress_rules

  security_group_id            = aws_security_group.this[each.value.of].id
  ip_protocol                  = each.value.port == null ? "-1" : "tcp" # -1: every protocol, and then without ports
  from_port                    = each.value.port
  to_port                      = each.value.port
  cidr_ipv4                    = each.value.cidr
  referenced_security_group_id = each.value.group == null ? null : aws_security_group.this[each.value.group].id

  tags = { Name = each.key }
}
