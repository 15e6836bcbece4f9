# What places orders by itself, and what stops everything by itself.

resource "aws_scheduler_schedule_group" "this" {
  name = "orderflow"
}

resource "aws_scheduler_schedule" "generator" {
  for_each = var.schedule == "off" ? {} : local.scheduled

  name                = each.key
  group_name          = aws_scheduler_schedule_group.this.name
  description         = "Invokes ${each.key}"
  schedule_expression = var.schedule
  end_date            = local.stop_at

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.function[each.key].function.arn
    role_arn = var.cluster.schedule_role_arn
    # Orders derive from this time, so that a retry publishes the same ones. A literal: jsonencode would escape < and >.
    input = "{\"scheduled_time\":\"<aws.scheduler.scheduled-time>\"}"

    retry_policy {
      maximum_event_age_in_seconds = 300
      maximum_retry_attempts       = 5
    }
  }
}

# Scheduler invokes asynchronously, and what then fails is Lambda's to retry.
resource "aws_lambda_function_event_invoke_config" "generator" {
  for_each = local.scheduled

  function_name                = module.function[each.key].function.function_name
  maximum_event_age_in_seconds = 300 # a cluster that was away does not get hours of orders at once
  maximum_retry_attempts       = 2
}
