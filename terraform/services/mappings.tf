# What makes Kafka's records invocations: one mapping for each consumer group.

# Another poller_mode makes the mappings anew: while one of them exists, its function keeps the answers that it understands.
# The group's offsets are Kafka's, so that nothing is read twice or left out.
resource "terraform_data" "poller_mode" {
  input = var.poller_mode
}

resource "aws_lambda_event_source_mapping" "this" {
  for_each = local.groups

  function_name     = module.function[each.value.service].function.arn
  topics            = [each.value.topic]
  starting_position = "TRIM_HORIZON"
  batch_size        = each.value.batch_records
  # No window: AWS's default of 500 ms cannot be had back once it was changed.
  function_response_types = local.poller_mode.response_types

  self_managed_event_source {
    endpoints = { KAFKA_BOOTSTRAP_SERVERS = join(",", var.cluster.bootstrap_servers) }
  }

  self_managed_kafka_event_source_config {
    consumer_group_id = each.key
  }

  dynamic "source_access_configuration" {
    for_each = concat(
      [
        { type = "SASL_SCRAM_512_AUTH", uri = module.secret[each.value.service].secret.arn },
        { type = "SERVER_ROOT_CA_CERTIFICATE", uri = module.ca_secret.secret.arn },
        { type = "VPC_SECURITY_GROUP", uri = "security_group:${var.cluster.security_group_ids.pollers}" },
      ],
      [for id in var.cluster.subnet_ids : { type = "VPC_SUBNET", uri = "subnet:${id}" }],
    )

    content {
      type = source_access_configuration.value.type
      uri  = source_access_configuration.value.uri
    }
  }

  dynamic "provisioned_poller_config" {
    for_each = var.poller_mode == "provisioned" ? [each.value.partitions] : []

    content {
      minimum_pollers = 1
      maximum_pollers = provisioned_poller_config.value # more than partitions would have nothing to poll
    }
  }

  tags = { Name = each.key }

  lifecycle {
    replace_triggered_by = [terraform_data.poller_mode]
  }
}
