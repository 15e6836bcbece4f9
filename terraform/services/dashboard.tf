# All functions on one page: which alarms went off, what each function does and how long it takes, how far each is behind.

locals {
  # Six charts, a line for each function and metric.
  charts = [
    { title = "Invocations", functions = local.function_names, metrics = [merge(local.of_lambda, { name = "Invocations", statistic = "Sum" })] },
    { title = "Duration, ms", functions = local.function_names, metrics = [for statistic in ["p50", "p99"] : merge(local.of_lambda, { name = "Duration", statistic = statistic })] },
    { title = "Records behind, of the mapping that is furthest", functions = local.alarms.offset_lag.functions, metrics = [local.alarms.offset_lag.metric] },
    { title = "Errors", functions = local.alarms.errors.functions, metrics = [local.alarms.errors.metric] },
    { title = "Throttles", functions = local.alarms.throttles.functions, metrics = [local.alarms.throttles.metric] },
    { title = "Dead letters", functions = local.alarms.dead_letters.functions, metrics = [local.alarms.dead_letters.metric] },
  ]

  # Two questions to all logs: Lambda says there how much memory an invocation took, and services what went wrong.
  questions = [
    { title = "Memory, MB", query = "filter type = \"platform.report\" | stats max(record.metrics.maxMemoryUsedMB) as used, max(record.metrics.memorySizeMB) as limit by @log" },
    { title = "Warnings and errors", query = "filter level in [\"WARN\", \"ERROR\"] | fields @timestamp, service, status, topic, partition, offset, reason | sort @timestamp desc | limit 50" },
  ]
  sources = [for name in local.function_names : "SOURCE '${module.function[name].log_group.name}'"]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "orderflow"

  # The page is 24 units wide.
  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type       = "alarm"
        x          = 0
        y          = 0
        width      = 24
        height     = 4
        properties = { title = "Alarms", alarms = [for alarm in aws_cloudwatch_metric_alarm.this : alarm.arn] }
      }],
      [for index, chart in local.charts : {
        type   = "metric"
        x      = index % 3 * 8
        y      = 4 + floor(index / 3) * 6
        width  = 8
        height = 6
        properties = {
          title  = chart.title
          region = var.cluster.region
          view   = "timeSeries"
          period = 60
          metrics = [for pair in setproduct(chart.functions, chart.metrics) :
            [pair[1].namespace, pair[1].name, pair[1].dimension, pair[0], { label = "${pair[0]} ${pair[1].statistic}", stat = pair[1].statistic }]
          ]
        }
      }],
      [for index, question in local.questions : {
        type   = "log"
        x      = index * 12
        y      = 16
        width  = 12
        height = 8
        properties = {
          title  = question.title
          region = var.cluster.region
          view   = "table"
          query  = join(" | ", concat(local.sources, [question.query]))
        }
      }],
    )
  })
}
