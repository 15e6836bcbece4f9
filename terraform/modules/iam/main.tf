# A role for each function, for each of the two kinds of schedule, and for who deploys: each as narrow as its use.

data "aws_caller_identity" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  in_account = "${var.region}:${local.account_id}" # the middle of most ARNs

  function_arns = { for name in keys(var.functions) : name => "arn:aws:lambda:${local.in_account}:function:${name}" }

  # Names of the secrets, as terraform/services makes them.
  secret_arns = { for name in concat(keys(var.functions), ["ca"]) :
    # Secrets Manager adds a dash and six characters to each name.
    name => "arn:aws:secretsmanager:${local.in_account}:secret:orderflow/kafka/${name}-??????"
  }

  # Who may take a role, for the services of AWS.
  trust = { for service in ["lambda", "scheduler"] : service => {
    Effect    = "Allow"
    Action    = "sts:AssumeRole"
    Principal = { Service = "${service}.amazonaws.com" }
  } }

  # Scheduler takes a role only for schedules of this account.
  trust_scheduler = merge(local.trust.scheduler, { Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } } })
}
