# The user of each service and the brokers' CA, as functions and mappings name them.

locals {
  secret_names = { for name in concat(keys(local.services), ["ca"]) : name => "orderflow/kafka/${name}" }
  credentials  = jsondecode(file(var.credentials_file))
}

module "secret" {
  source   = "../modules/secret"
  for_each = local.services

  name         = local.secret_names[each.key]
  description  = "User of ${each.key} on Kafka"
  text         = jsonencode({ username = each.key, password = local.credentials.kafka_passwords[each.key] })
  text_version = local.credentials.kafka_passwords_version
}

module "ca_secret" {
  source = "../modules/secret"

  name        = local.secret_names["ca"]
  description = "Certificate of the authority that signed the brokers' certificates"
  text        = jsonencode({ certificate = file(var.ca_file) })
  # A certificate is no secret, so a number made of it may be kept.
  text_version = parseint(substr(filesha256(var.ca_file), 0, 7), 16)
}
