# What a function may do. Its event source mappings act with the same role.

resource "aws_iam_role" "function" {
  for_each = var.functions

  name               = "orderflow-${each.key}"
  description        = "Function ${each.key} and its event source mappings"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [local.trust.lambda] })
}

resource "aws_iam_role_policy_attachment" "logs" {
  for_each = var.functions

  role       = aws_iam_role.function[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_iam_role_policy" "kafka" {
  for_each = { for name, function in var.functions : name => function if function.uses_kafka }

  name = "kafka"
  role = aws_iam_role.function[each.key].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # AWSLambdaVPCAccessExecutionRole lacks DescribeVpcs and DescribeSecurityGroups, which a Kafka mapping needs.
        # None of these can be narrowed to a resource.
        Sid    = "NetworkInterfaces"
        Effect = "Allow"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSubnets",
          "ec2:DescribeVpcs",
        ]
        Resource = "*"
      },
      {
        Sid      = "OwnUser"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = [local.secret_arns[each.key], local.secret_arns["ca"]]
      },
    ]
  })
}
