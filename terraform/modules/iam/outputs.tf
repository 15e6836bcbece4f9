output "function_roles" {
  description = "Roles of the functions by name."
  value       = aws_iam_role.function
}

output "function_policies" {
  description = "What each function that has a user on Kafka may do beside logging."
  value       = aws_iam_role_policy.kafka
}

output "function_managed_policies" {
  description = "What AWS keeps up to date, attached to each function's role."
  value       = aws_iam_role_policy_attachment.logs
}

output "schedule_role" {
  description = "Role of the schedule that invokes functions."
  # With its policy: a schedule made before that would fail at first.
  value      = aws_iam_role.schedule
  depends_on = [aws_iam_role_policy.schedule]
}

output "schedule_policy" {
  description = "What that schedule may do."
  value       = aws_iam_role_policy.schedule
}

output "stop_role" {
  description = "Role of the schedules that stop everything."
  value       = aws_iam_role.stop
}

output "stop_policy" {
  description = "What those schedules may do."
  value       = aws_iam_role_policy.stop
}

output "deployer_role" {
  description = "Role of who deploys."
  value       = aws_iam_role.deployer
}

output "deployer_policy" {
  description = "What who deploys may do."
  value       = aws_iam_role_policy.deployer
}
