# How functions and pollers reach AWS from subnets where they get no public address.

resource "aws_vpc_endpoint" "this" {
  # Functions read their secrets in both modes. Pollers on demand also take the function's role and invoke it from within the VPC.
  for_each = toset(concat(["secretsmanager"], var.poller_mode == "on_demand" ? ["lambda", "sts"] : []))

  vpc_id              = var.cluster.vpc_id
  service_name        = "com.amazonaws.${var.cluster.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = var.cluster.subnet_ids
  security_group_ids  = [var.cluster.security_group_ids.endpoints]

  tags = { Name = "orderflow-${each.key}" }
}
