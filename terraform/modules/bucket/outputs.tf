output "bucket" {
  description = "The bucket."
  value       = aws_s3_bucket.this
}

output "versioning" {
  description = "Its versioning."
  value       = aws_s3_bucket_versioning.this
}

output "encryption" {
  description = "Its encryption."
  value       = aws_s3_bucket_server_side_encryption_configuration.this
}

output "public_access_block" {
  description = "What keeps it private."
  value       = aws_s3_bucket_public_access_block.this
}

output "policy" {
  description = "Its policy."
  value       = aws_s3_bucket_policy.tls_only
}
