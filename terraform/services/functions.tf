# Six functions of one program: hello_world and the services.

locals {
  functions = merge(
    {
      # Joins no VPC and has no user: it shows that a zip runs.
      hello_world = {
        description = "Says Hello World"
        memory_mib  = 128
        timeout_s   = 3
        environment = {}
        network     = null
      }
    },
    { for name, service in local.services : name => {
      description = "Service ${name} of topology.json"
      memory_mib  = service.memory_mib
      timeout_s   = service.timeout_s
      environment = merge(
        { for setting, number in service.settings : upper(setting) => tostring(number) },
        {
          KAFKA_BROKERS      = join(",", var.cluster.bootstrap_servers)
          KAFKA_USERNAME     = name
          KAFKA_SECRET_ID    = local.secret_names[name]
          KAFKA_CA_SECRET_ID = local.secret_names["ca"]
          ANSWER_MODE        = local.poller_mode.answer_mode
        },
      )
      network = {
        subnet_ids         = var.cluster.subnet_ids
        security_group_ids = [var.cluster.security_group_ids.functions]
      }
    } },
  )
}

module "function" {
  source   = "../modules/function"
  for_each = local.functions

  name               = each.key
  description        = each.value.description
  zip                = "${var.zips}/${each.key}.zip"
  bucket             = var.cluster.bucket
  role_arn           = var.cluster.function_role_arns[each.key]
  memory_mib         = each.value.memory_mib
  timeout_s          = each.value.timeout_s
  environment        = each.value.environment
  network            = each.value.network
  log_retention_days = var.log_retention_days

  # A function reads its secrets as it starts.
  depends_on = [module.secret, aws_vpc_endpoint.this]
}
