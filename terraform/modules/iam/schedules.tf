# What EventBridge Scheduler may do.

resource "aws_iam_role" "schedule" {
  name               = "orderflow-schedule"
  description        = "Schedule that invokes the functions without a topic to read"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [local.trust_scheduler] })
}

resource "aws_iam_role_policy" "schedule" {
  name = "invoke"
  role = aws_iam_role.schedule.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Invoke"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = [for name, function in var.functions : local.function_arns[name] if function.is_scheduled]
    }]
  })
}

resource "aws_iam_role" "stop" {
  name               = "orderflow-stop"
  description        = "Schedules that stop everything after some hours"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [local.trust_scheduler] })
}

resource "aws_iam_role_policy" "stop" {
  name = "stop"
  role = aws_iam_role.stop.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Instances"
        Effect    = "Allow"
        Action    = "ec2:StopInstances"
        Resource  = "arn:aws:ec2:${local.in_account}:instance/*"
        Condition = { StringEquals = { "aws:ResourceTag/Project" = "orderflow" } }
      },
      {
        Sid       = "Mappings"
        Effect    = "Allow"
        Action    = "lambda:UpdateEventSourceMapping"
        Resource  = "arn:aws:lambda:${local.in_account}:event-source-mapping:*"
        Condition = { ArnEquals = { "lambda:FunctionArn" = values(local.function_arns) } }
      },
    ]
  })
}
