# After stop_after_hours the generator's schedule ends, the mappings are disabled, and five minutes later, when what they
# had begun is done, the instances stop. Disks and endpoints cost on: only destroy ends that.

# The time is taken once, and again when stop_after_hours changes.
resource "terraform_data" "stop_at" {
  count = var.stop_after_hours == null ? 0 : 1

  input            = timeadd(plantimestamp(), "${var.stop_after_hours}h")
  triggers_replace = var.stop_after_hours

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  stop_at = one(terraform_data.stop_at[*].output)

  # As `at(..)` has it.
  stop_mappings_at  = local.stop_at == null ? null : formatdate("YYYY-MM-DD'T'hh:mm:ss", local.stop_at)
  stop_instances_at = local.stop_at == null ? null : formatdate("YYYY-MM-DD'T'hh:mm:ss", timeadd(local.stop_at, "5m"))
}

resource "aws_scheduler_schedule" "stop_mapping" {
  for_each = { for group, mapping in aws_lambda_event_source_mapping.this : group => mapping if var.stop_after_hours != null }

  name                = "stop-${each.value.uuid}" # a group's name may be too long
  group_name          = aws_scheduler_schedule_group.this.name
  description         = "Disables the mapping of ${each.key}"
  schedule_expression = "at(${local.stop_mappings_at})"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:aws:scheduler:::aws-sdk:lambda:updateEventSourceMapping"
    role_arn = var.cluster.stop_role_arn
    input    = jsonencode({ UUID = each.value.uuid, Enabled = false })
  }
}

resource "aws_scheduler_schedule" "stop_instances" {
  count = var.stop_after_hours == null ? 0 : 1

  name                = "stop-instances"
  group_name          = aws_scheduler_schedule_group.this.name
  description         = "Stops the hosts of the cluster"
  schedule_expression = "at(${local.stop_instances_at})"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:aws:scheduler:::aws-sdk:ec2:stopInstances"
    role_arn = var.cluster.stop_role_arn
    input    = jsonencode({ InstanceIds = var.cluster.instance_ids })
  }
}
