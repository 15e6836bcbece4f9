# What is needed to apply and destroy both roots, this role itself included. The first apply needs somebody with more.

resource "aws_iam_role" "deployer" {
  name        = "orderflow-deployer"
  description = "Applies and destroys orderflow"

  # Whoever in this account may call sts:AssumeRole.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = "arn:aws:iam::${local.account_id}:root" }
    }]
  })
}

resource "aws_iam_role_policy" "deployer" {
  name = "deploy"
  role = aws_iam_role.deployer.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Look"
        Effect   = "Allow"
        Action   = ["ec2:Describe*", "ec2:GetConsoleOutput", "cloudwatch:DescribeAlarms", "cloudwatch:ListDashboards", "lambda:ListFunctions", "lambda:ListEventSourceMappings", "logs:DescribeLogGroups", "route53:Get*", "route53:List*", "scheduler:List*", "secretsmanager:ListSecrets", "s3:ListAllMyBuckets", "sns:ListTopics", "iam:ListRoles", "iam:ListInstanceProfiles", "iam:ListPolicies", "tag:GetResources"]
        Resource = "*"
      },
      {
        # Most of these make what has no name yet, so the region is what narrows them.
        Sid    = "Network"
        Effect = "Allow"
        Action = [
          "ec2:*InternetGateway", "ec2:*KeyPair", "ec2:*Route", "ec2:*RouteTable", "ec2:*SecurityGroup", "ec2:*SecurityGroupEgress",
          "ec2:*SecurityGroupIngress", "ec2:*Subnet", "ec2:*SubnetAttribute", "ec2:*Tags", "ec2:*Vpc", "ec2:*VpcAttribute",
          "ec2:*VpcEndpoint", "ec2:*VpcEndpoints", "ec2:ModifySecurityGroupRules", "ec2:DeleteNetworkInterface",
        ]
        Resource  = "*"
        Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
      },
      {
        Sid       = "Run"
        Effect    = "Allow"
        Action    = "ec2:RunInstances"
        Resource  = "*"
        Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
      },
      {
        Sid       = "Instances"
        Effect    = "Allow"
        Action    = ["ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances", "ec2:ModifyInstanceAttribute", "ec2:ModifyInstanceMetadataOptions", "ec2:ModifyVolume"]
        Resource  = "arn:aws:ec2:${local.in_account}:*/*"
        Condition = { StringEquals = { "aws:ResourceTag/Project" = "orderflow" } }
      },
      {
        # Interface endpoints with private names, and the private zone, call Route 53.
        Sid      = "Names"
        Effect   = "Allow"
        Action   = ["route53:CreateHostedZone", "route53:DeleteHostedZone", "route53:ChangeTagsForResource", "route53:AssociateVPCWithHostedZone", "route53:UpdateHostedZoneComment"]
        Resource = "*"
      },
      {
        Sid       = "HostNames"
        Effect    = "Allow"
        Action    = "route53:ChangeResourceRecordSets"
        Resource  = "arn:aws:route53:::hostedzone/*"
        Condition = { "ForAllValues:StringLike" = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["*.${var.domain}"] } }
      },
      {
        Sid      = "Bucket"
        Effect   = "Allow"
        Action   = "s3:*"
        Resource = ["arn:aws:s3:::${var.bucket_prefix}-*", "arn:aws:s3:::${var.bucket_prefix}-*/*"]
      },
      {
        Sid      = "Functions"
        Effect   = "Allow"
        Action   = "lambda:*"
        Resource = concat(values(local.function_arns), [for arn in values(local.function_arns) : "${arn}:*"])
      },
      {
        # A mapping's name is a number that AWS draws: the function that it is made for is what narrows it.
        Sid       = "Mappings"
        Effect    = "Allow"
        Action    = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"]
        Resource  = "*"
        Condition = { ArnEquals = { "lambda:FunctionArn" = values(local.function_arns) } }
      },
      {
        Sid      = "MappingTags"
        Effect   = "Allow"
        Action   = ["lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"]
        Resource = "arn:aws:lambda:${local.in_account}:event-source-mapping:*"
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = "logs:*"
        Resource = flatten([for name in keys(var.functions) : [for rest in ["", ":*"] : "arn:aws:logs:${local.in_account}:log-group:/aws/lambda/${name}${rest}"]])
      },
      {
        Sid      = "Alarms"
        Effect   = "Allow"
        Action   = ["cloudwatch:*", "sns:*"]
        Resource = ["arn:aws:cloudwatch:${local.in_account}:alarm:orderflow-*", "arn:aws:cloudwatch::${local.account_id}:dashboard/orderflow", "arn:aws:sns:${local.in_account}:orderflow-alarms"]
      },
      {
        # A subscription cannot be named in a policy.
        Sid       = "Subscriptions"
        Effect    = "Allow"
        Action    = ["sns:GetSubscriptionAttributes", "sns:Unsubscribe"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
      },
      {
        # GetSecretValue, because the provider asks by it whether a version is there, also of a secret that it only writes.
        Sid    = "Secrets"
        Effect = "Allow"
        Action = [
          "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret",
          "secretsmanager:GetResourcePolicy", "secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue",
          "secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:UpdateSecret",
          "secretsmanager:UpdateSecretVersionStage",
        ]
        Resource = "arn:aws:secretsmanager:${local.in_account}:secret:orderflow/kafka/*"
      },
      {
        Sid      = "Schedules"
        Effect   = "Allow"
        Action   = "scheduler:*"
        Resource = ["arn:aws:scheduler:${local.in_account}:schedule-group/orderflow", "arn:aws:scheduler:${local.in_account}:schedule/orderflow/*"]
      },
      {
        Sid    = "Roles"
        Effect = "Allow"
        Action = [
          "iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:UpdateRole", "iam:UpdateRoleDescription",
          "iam:UpdateAssumeRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:PutRolePolicy", "iam:GetRolePolicy",
          "iam:DeleteRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
        ]
        Resource = "arn:aws:iam::${local.account_id}:role/orderflow-*"
      },
      {
        Sid       = "ManagedPolicy"
        Effect    = "Allow"
        Action    = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
        Resource  = "arn:aws:iam::${local.account_id}:role/orderflow-*"
        Condition = { ArnEquals = { "iam:PolicyARN" = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole" } }
      },
      {
        Sid       = "PassRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = "arn:aws:iam::${local.account_id}:role/orderflow-*"
        Condition = { StringEquals = { "iam:PassedToService" = ["lambda.amazonaws.com", "scheduler.amazonaws.com"] } }
      },
    ]
  })
}
