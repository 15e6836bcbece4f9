# What calls somebody: alarms of CloudWatch on each function, over Lambda's own metrics and the dead letters in its log.

locals {
  # Functions that event source mappings invoke.
  consumers = toset([for group in local.groups : group.service])

  # What AWS itself counts.
  of_lambda = { namespace = "AWS/Lambda", dimension = "FunctionName" }

  # What the filters below count. A dimension excludes a default value: without dead letters there is no metric, and none is paid for.
  of_logs = { namespace = "orderflow", dimension = "service" }

  # Alarms by name. A window is five minutes; so many of them in a row make an alarm, as soon as each is above the threshold.
  alarms = {
    errors = {
      functions   = local.function_names
      metric      = merge(local.of_lambda, { name = "Errors", statistic = "Sum" })
      above       = 0
      windows     = 2 # a broker that is restarted fails a batch or two, which come again
      without     = "notBreaching"
      description = "invocations keep failing: their records come again, and those behind them wait"
    }
    throttles = {
      functions   = local.function_names
      metric      = merge(local.of_lambda, { name = "Throttles", statistic = "Sum" })
      above       = 0
      windows     = 1
      without     = "notBreaching"
      description = "invocations were refused: the account's concurrency is used up"
    }
    offset_lag = {
      functions = local.consumers
      # Lambda has it by function: of several mappings the maximum is the one that is furthest behind.
      metric      = merge(local.of_lambda, { name = "OffsetLag", statistic = "Maximum" })
      above       = var.lag_alarm_records
      windows     = 3
      without     = "missing" # nobody polls, so that nobody knows
      description = "a consumer group does not catch up"
    }
    dead_letters = {
      functions   = local.consumers
      metric      = merge(local.of_logs, { name = "DeadLetters", statistic = "Sum" })
      above       = 0
      windows     = 1
      without     = "notBreaching"
      description = "records were given up; orderflow dead-letters list shows them"
    }
  }

  alarm_window_s = 300

  function_alarms = merge([for name, alarm in local.alarms : {
    for function in alarm.functions : "${function}.${name}" => merge(alarm, { function = function })
  }]...)
}

resource "aws_cloudwatch_log_metric_filter" "dead_letters" {
  for_each = local.consumers

  name           = "orderflow-${each.key}-dead_letters"
  log_group_name = module.function[each.key].log_group.name
  pattern        = "{ $.status = \"dead_lettered\" }"

  metric_transformation {
    namespace  = local.of_logs.namespace
    name       = local.alarms.dead_letters.metric.name
    value      = "1"
    unit       = "Count"
    dimensions = { (local.of_logs.dimension) = "$.service" }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.function_alarms

  alarm_name        = "orderflow-${replace(each.key, ".", "-")}"
  alarm_description = "${each.value.function}: ${each.value.description}"

  namespace   = each.value.metric.namespace
  metric_name = each.value.metric.name
  dimensions  = { (each.value.metric.dimension) = module.function[each.value.function].function.function_name }
  statistic   = each.value.metric.statistic

  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = local.alarm_window_s
  evaluation_periods  = each.value.windows
  treat_missing_data  = each.value.without

  alarm_actions = aws_sns_topic.alarms[*].arn
  ok_actions    = aws_sns_topic.alarms[*].arn
}

# Not encrypted: CloudWatch may not use the key that AWS has for SNS, and an alarm holds names and numbers.
resource "aws_sns_topic" "alarms" {
  count = var.alarm_email == null ? 0 : 1

  name = "orderflow-alarms"
}

# AWS asks the address by mail whether it wants this; until somebody says yes there, nothing comes.
resource "aws_sns_topic_subscription" "alarms" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
