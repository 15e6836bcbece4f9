# A function from a zip in S3, with its log group.

resource "aws_s3_object" "zip" {
  bucket      = var.bucket
  key         = "${var.name}.zip"
  source      = var.zip
  source_hash = filemd5(var.zip)
}

# Lambda would make it by itself, without an end to what it keeps.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = var.description
  role          = var.role_arn

  s3_bucket         = aws_s3_object.zip.bucket
  s3_key            = aws_s3_object.zip.key
  s3_object_version = aws_s3_object.zip.version_id
  source_code_hash  = filebase64sha256(var.zip)

  runtime       = "provided.al2023"
  architectures = ["x86_64"]
  handler       = var.name # all zips hold one program, which is the service that the handler names
  memory_size   = var.memory_mib
  timeout       = var.timeout_s

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = aws_cloudwatch_log_group.this.name
  }

  dynamic "environment" {
    for_each = length(var.environment) == 0 ? [] : [var.environment]

    content {
      variables = environment.value
    }
  }

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }
}
