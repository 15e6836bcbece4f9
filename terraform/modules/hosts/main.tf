# Debian hosts, each in its subnet, with a fixed private address and a name.

locals {
  # The last number of each address. Fixed, so that a host built anew keeps its address, name and certificate.
  first_address = { zookeeper = 11, kafka = 21, console = 31, food = 41 }
}

# Debian's own image of Debian 12: the number is Debian's account.
data "aws_ami" "debian" {
  owners      = ["136693071363"]
  most_recent = true

  filter {
    name   = "name"
    values = ["debian-12-amd64-*"]
  }
}

resource "aws_key_pair" "this" {
  key_name   = var.key_name
  public_key = var.ssh_public_key
}

resource "aws_instance" "this" {
  for_each = var.hosts

  ami           = data.aws_ami.debian.id
  instance_type = each.value.instance_type
  key_name      = aws_key_pair.this.key_name
  subnet_id     = each.value.subnet.id
  private_ip    = cidrhost(each.value.subnet.cidr_block, local.first_address[each.value.role])

  vpc_security_group_ids = [var.security_group_ids.ssh, var.security_group_ids[each.value.role]]

  # Debian's image starts sshd by itself: only the host's name is missing. Base64, because provider 6 keeps the other form in clear.
  user_data_base64 = base64encode(<<-EOT
    #cloud-config
    hostname: ${each.key}
    fqdn: ${each.key}.${var.private_zone.name}
  EOT
  )

  metadata_options {
    http_tokens                 = "required" # IMDSv2 only
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = each.value.volume_gib
    encrypted   = true
    tags        = { Name = "orderflow-${each.key}" }
  }

  tags = { Name = "orderflow-${each.key}", Role = each.value.role }

  lifecycle {
    # Debian publishes images every few weeks: a new one must not replace hosts with data.
    ignore_changes = [ami]
  }
}

resource "aws_route53_record" "this" {
  for_each = var.hosts

  zone_id = var.private_zone.zone_id
  name    = "${each.key}.${var.private_zone.name}"
  type    = "A"
  ttl     = 60
  records = [aws_instance.this[each.key].private_ip]

  allow_overwrite = true # the zone is ours: an apply that was killed goes on over what it has written
}
