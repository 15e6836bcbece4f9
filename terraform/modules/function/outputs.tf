output "function" {
  description = "The function."
  value       = aws_lambda_function.this
}

output "zip" {
  description = "Its zip in S3."
  value       = aws_s3_object.zip
}

output "log_group" {
  description = "Its log group."
  value       = aws_cloudwatch_log_group.this
}
