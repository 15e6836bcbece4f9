output "secret" {
  description = "The secret."
  # With its text: whoever reads it at once would find none.
  value      = aws_secretsmanager_secret.this
  depends_on = [aws_secretsmanager_secret_version.this]
}

output "version" {
  description = "Its version."
  value       = aws_secretsmanager_secret_version.this
}
