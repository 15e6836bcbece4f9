# Everything that has a name, so that nothing is orphaned.

output "function_names" {
  description = "Functions."
  value       = sort(keys(module.function))
}

output "function_arns" {
  description = "ARNs of the functions by name."
  value       = { for name, function in module.function : name => function.function.arn }
}

output "log_groups" {
  description = "Log groups by function."
  value       = { for name, function in module.function : name => function.log_group.name }
}

output "alarms" {
  description = "Names of the alarms."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}

output "dashboard" {
  description = "The page in CloudWatch with all functions."
  value       = "https://${var.cluster.region}.console.aws.amazon.com/cloudwatch/home?region=${var.cluster.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.this.dashboard_name}"
}

output "alarm_topic" {
  description = "Where alarms are told, or null."
  value       = one(aws_sns_topic.alarms[*].arn)
}

output "zips" {
  description = "Zips in S3 by function."
  value       = { for name, function in module.function : name => "s3://${function.zip.bucket}/${function.zip.key}" }
}

output "event_source_mappings" {
  description = "Event source mappings by consumer group."
  value       = { for group, mapping in aws_lambda_event_source_mapping.this : group => mapping.uuid }
}

output "secrets" {
  description = "Names of the secrets."
  value       = sort(concat([for secret in module.secret : secret.secret.name], [module.ca_secret.secret.name]))
}

output "endpoint_ids" {
  description = "Interface endpoints by service of AWS."
  value       = { for service, endpoint in aws_vpc_endpoint.this : service => endpoint.id }
}

output "schedule_group" {
  description = "The group of all schedules."
  value       = aws_scheduler_schedule_group.this.name
}

output "schedules" {
  description = "Schedules of that group."
  value = concat(
    [for schedule in aws_scheduler_schedule.generator : schedule.name],
    [for schedule in aws_scheduler_schedule.stop_mapping : schedule.name],
    aws_scheduler_schedule.stop_instances[*].name,
  )
}

output "stop_at" {
  description = "When everything stops by itself, or null."
  value       = local.stop_at
}
