# What terraform/services plans, held against topology.json and the requirements that each run names. The provider is a mock.

mock_provider "aws" {
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:other" }
  }

  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:other" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:orderflow-alarms" }
  }

  # For the run that applies terraform/cluster.
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }

  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
}

override_resource {
  target = module.function["payment_processor"].aws_lambda_function.this
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:payment_processor" }
}

override_resource {
  target = module.secret["payment_processor"].aws_secretsmanager_secret.this
  values = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:payment_processor" }
}

override_resource {
  target = module.ca_secret.aws_secretsmanager_secret.this
  values = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca" }
}

variables {
  cluster = {
    region             = "us-east-1"
    vpc_id             = "vpc-0"
    subnet_ids         = ["subnet-a", "subnet-b", "subnet-c"]
    security_group_ids = { functions = "sg-functions", pollers = "sg-pollers", endpoints = "sg-endpoints" }
    bootstrap_servers  = ["kafka-1.test:9093", "kafka-2.test:9093", "kafka-3.test:9093"]
    instance_ids       = ["i-1", "i-2"]
    bucket             = "kafka-demo-lambda-code-00000000"
    function_role_arns = {
      hello_world          = "arn:aws:iam::123456789012:role/hello_world"
      order_generator      = "arn:aws:iam::123456789012:role/order_generator"
      payment_processor    = "arn:aws:iam::123456789012:role/payment_processor"
      inventory_manager    = "arn:aws:iam::123456789012:role/inventory_manager"
      shipping_handler     = "arn:aws:iam::123456789012:role/shipping_handler"
      notification_handler = "arn:aws:iam::123456789012:role/notification_handler"
      refund_handler       = "arn:aws:iam::123456789012:role/refund_handler"
    }
    schedule_role_arn = "arn:aws:iam::123456789012:role/schedule"
    stop_role_arn     = "arn:aws:iam::123456789012:role/stop"
  }
  zips             = ".terraform/tests/zips"
  credentials_file = ".terraform/tests/credentials.json"
  ca_file          = ".terraform/tests/ca.pem"
}

run "files" {
  module {
    source = "./tests/files"
  }
}

run "B20_B21_B22_functions_come_from_S3_join_the_VPC_and_know_their_own_user" {
  assert {
    condition     = toset(output.function_names) == toset(concat(["hello_world"], [for name, service in local.topology.services : name if service.host == "lambda"]))
    error_message = "Functions are others than hello_world and the topology's: ${join(", ", output.function_names)}."
  }

  assert {
    condition     = alltrue([for name, function in module.function : function.function.filename == null && function.function.s3_bucket == var.cluster.bucket && function.function.s3_key == "${name}.zip"])
    error_message = "B21: A function is not from S3."
  }

  assert {
    condition     = alltrue([for name, function in module.function : function.zip.source == "${var.zips}/${name}.zip" && function.zip.source_hash == md5("the zip of ${name}") && function.function.source_code_hash == base64sha256("the zip of ${name}")])
    error_message = "B21: A zip is not uploaded, or a changed one would not be noticed."
  }

  assert {
    condition     = !anytrue([for file in setunion(fileset(path.module, "*.tf"), fileset(path.module, "../modules/*/*.tf")) : can(regex("\n *filename *=", file("${path.module}/${file}")))])
    error_message = "B21: Some file here says filename."
  }

  assert {
    condition = alltrue([for name, service in local.services :
      one(module.function[name].function.environment).variables == tomap(merge(
        { for setting, number in service.settings : upper(setting) => tostring(number) },
        {
          KAFKA_BROKERS      = "kafka-1.test:9093,kafka-2.test:9093,kafka-3.test:9093"
          KAFKA_USERNAME     = name
          KAFKA_SECRET_ID    = "orderflow/kafka/${name}"
          KAFKA_CA_SECRET_ID = "orderflow/kafka/ca"
          ANSWER_MODE        = "whole"
        },
      ))
    ])
    error_message = "B22: A function's environment is not its brokers, its own user and its settings."
  }

  assert {
    condition     = one(module.function["payment_processor"].function.environment).variables["SUCCESS_PERCENT"] == "90" && one(module.function["inventory_manager"].function.environment).variables["AVAILABLE_PERCENT"] == "80"
    error_message = "B22: Settings are not those of the requirements."
  }

  assert {
    condition = alltrue([for name in keys(local.services) :
      toset(one(module.function[name].function.vpc_config).subnet_ids) == toset(var.cluster.subnet_ids) &&
      toset(one(module.function[name].function.vpc_config).security_group_ids) == toset([var.cluster.security_group_ids.functions])
    ])
    error_message = "B20: A function does not join the VPC's subnets with the functions' security group."
  }

  assert {
    condition     = length(module.function["hello_world"].function.vpc_config) == 0 && length(module.function["hello_world"].function.environment) == 0
    error_message = "B20: hello_world needs neither the VPC nor an environment."
  }

  assert {
    condition     = alltrue([for name, function in module.function : function.function.role == var.cluster.function_role_arns[name]])
    error_message = "B12: A function runs with a role that is not its own."
  }

  assert {
    condition = alltrue([for name, service in local.services :
      module.function[name].function.memory_size == service.memory_mib && module.function[name].function.timeout == service.timeout_s
    ]) && alltrue([for name, function in module.function : function.function.handler == name && function.function.runtime == "provided.al2023"])
    error_message = "A function has other limits than the topology's, or another handler than its name."
  }

  assert {
    condition = alltrue([for name, function in module.function :
      function.log_group.name == "/aws/lambda/${name}" && function.log_group.retention_in_days == 7 && one(function.function.logging_config).log_group == function.log_group.name
    ])
    error_message = "A function's log is kept for ever, or elsewhere."
  }
}

run "B09_B22_B23_mappings_poll_over_TLS_as_the_functions_own_user_and_order_generator_runs_every_minute" {
  command = plan

  assert {
    condition = toset(keys(aws_lambda_event_source_mapping.this)) == toset([
      "payment_processor.order_placed", "inventory_manager.order_placed", "shipping_handler.payment_result",
      "notification_handler.inventory_result", "notification_handler.order_shipped", "notification_handler.notifications",
    ])
    error_message = "Mappings are others: ${join(", ", keys(aws_lambda_event_source_mapping.this))}."
  }

  assert {
    condition = alltrue([for group, mapping in aws_lambda_event_source_mapping.this :
      one(mapping.self_managed_kafka_event_source_config).consumer_group_id == group && "${split(".", group)[0]}.${one(mapping.topics)}" == group
    ])
    error_message = "A mapping has another group than SERVICE.TOPIC."
  }

  assert {
    condition = alltrue([for name, service in local.services : alltrue([for consumption in service.consumes :
      aws_lambda_event_source_mapping.this["${name}.${consumption.topic}"].batch_size == consumption.batch_records
    ])])
    error_message = "A mapping has another batch size than the topology's."
  }

  assert {
    condition = alltrue([for mapping in aws_lambda_event_source_mapping.this :
      one(mapping.self_managed_event_source).endpoints == tomap({ KAFKA_BOOTSTRAP_SERVERS = join(",", var.cluster.bootstrap_servers) }) && mapping.starting_position == "TRIM_HORIZON"
    ])
    error_message = "A mapping does not read all records of these brokers."
  }

  assert {
    condition = aws_lambda_event_source_mapping.this["payment_processor.order_placed"].source_access_configuration == toset([
      { type = "SASL_SCRAM_512_AUTH", uri = "arn:aws:secretsmanager:us-east-1:123456789012:secret:payment_processor" },
      { type = "SERVER_ROOT_CA_CERTIFICATE", uri = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca" },
      { type = "VPC_SECURITY_GROUP", uri = "security_group:sg-pollers" },
      { type = "VPC_SUBNET", uri = "subnet:subnet-a" },
      { type = "VPC_SUBNET", uri = "subnet:subnet-b" },
      { type = "VPC_SUBNET", uri = "subnet:subnet-c" },
    ])
    error_message = "A mapping does not poll as its service's user, over TLS, from the pollers' security group."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this["payment_processor.order_placed"].function_name == "arn:aws:lambda:us-east-1:123456789012:function:payment_processor"
    error_message = "A mapping invokes another service's function."
  }

  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.this : length(coalesce(mapping.function_response_types, [])) == 0]) && alltrue([for mapping in aws_lambda_event_source_mapping.this : length(mapping.provisioned_poller_config) == 0])
    error_message = "On demand, a mapping takes partial answers or has provisioned pollers."
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.this)) == toset(["secretsmanager", "lambda", "sts"]) && alltrue([for endpoint in aws_vpc_endpoint.this : endpoint.private_dns_enabled && endpoint.security_group_ids == toset(["sg-endpoints"]) && endpoint.vpc_endpoint_type == "Interface"])
    error_message = "On demand, functions and pollers need the endpoints secretsmanager, lambda and sts."
  }

  assert {
    condition     = output.secrets == tolist(["orderflow/kafka/ca", "orderflow/kafka/inventory_manager", "orderflow/kafka/notification_handler", "orderflow/kafka/order_generator", "orderflow/kafka/payment_processor", "orderflow/kafka/shipping_handler"])
    error_message = "Secrets are others: ${join(", ", output.secrets)}."
  }

  assert {
    condition     = alltrue([for secret in concat(values(module.secret), [module.ca_secret]) : secret.version.secret_string == null && secret.version.secret_string_wo == null])
    error_message = "A secret's text is in the state."
  }

  assert {
    condition     = alltrue([for secret in module.secret : secret.version.secret_string_wo_version == 3])
    error_message = "A secret has another version than the credentials file."
  }

  assert {
    condition     = alltrue([for secret in concat(values(module.secret), [module.ca_secret]) : secret.secret.recovery_window_in_days == 0])
    error_message = "A destroyed secret would keep its name from the next apply."
  }

  assert {
    condition     = { for name, schedule in aws_scheduler_schedule.generator : name => schedule.schedule_expression } == { order_generator = "rate(1 minute)" }
    error_message = "Something else than order_generator is scheduled, or at other times."
  }

  assert {
    condition     = one(aws_scheduler_schedule.generator["order_generator"].target).input == "{\"scheduled_time\":\"<aws.scheduler.scheduled-time>\"}"
    error_message = "order_generator is not told the scheduled time."
  }

  assert {
    condition     = one(aws_scheduler_schedule.generator["order_generator"].target).role_arn == var.cluster.schedule_role_arn
    error_message = "The schedule has another role."
  }

  assert {
    condition     = length(aws_scheduler_schedule.stop_mapping) == 0 && length(aws_scheduler_schedule.stop_instances) == 0 && output.stop_at == null && output.schedules == ["order_generator"]
    error_message = "Something stops by itself, though nobody asked for it."
  }
}

run "B23_the_schedule_can_be_off" {
  command = plan

  variables {
    schedule = "off"
  }

  assert {
    condition     = length(aws_scheduler_schedule.generator) == 0
    error_message = "The generator is scheduled."
  }
}

run "B23_everything_stops_after_some_hours" {
  variables {
    stop_after_hours = 4
  }

  assert {
    condition     = aws_scheduler_schedule.generator["order_generator"].end_date == terraform_data.stop_at[0].input
    error_message = "The generator goes on."
  }

  assert {
    condition     = toset([for schedule in aws_scheduler_schedule.stop_mapping : schedule.schedule_expression]) == toset([formatdate("'at('YYYY-MM-DD'T'hh:mm:ss')'", terraform_data.stop_at[0].input)])
    error_message = "Mappings stop at another time."
  }

  assert {
    condition     = timecmp(terraform_data.stop_at[0].input, timeadd(plantimestamp(), "3h55m")) > 0 && timecmp(terraform_data.stop_at[0].input, timeadd(plantimestamp(), "4h5m")) < 0
    error_message = "It does not stop after four hours."
  }

  assert {
    condition     = { for group, schedule in aws_scheduler_schedule.stop_mapping : group => one(schedule.target).input } == { for group, mapping in aws_lambda_event_source_mapping.this : group => jsonencode({ UUID = mapping.uuid, Enabled = false }) }
    error_message = "Not every mapping is disabled."
  }

  assert {
    condition     = one(aws_scheduler_schedule.stop_instances[0].target).input == "{\"InstanceIds\":[\"i-1\",\"i-2\"]}" && alltrue([for schedule in concat(values(aws_scheduler_schedule.stop_mapping), aws_scheduler_schedule.stop_instances) : one(schedule.target).role_arn == var.cluster.stop_role_arn])
    error_message = "The hosts do not stop, or with another role."
  }
}

run "X05_O06_each_function_has_its_alarms_and_its_dead_letters_are_counted" {
  command = plan

  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(flatten([
      for name in concat(["hello_world"], [for name, service in local.topology.services : name if service.host == "lambda"]) : concat(
        ["${name}.errors", "${name}.throttles"],
        length(try(local.topology.services[name].consumes, [])) == 0 ? [] : ["${name}.offset_lag", "${name}.dead_letters"],
      )
    ])) && length(aws_cloudwatch_metric_alarm.this) == 20
    error_message = "X05: Alarms are others than two of each function and two more of each that reads a topic: ${join(", ", keys(aws_cloudwatch_metric_alarm.this))}."
  }

  assert {
    condition = alltrue([for name in output.function_names : alltrue([for metric in ["Errors", "Throttles"] : (
      aws_cloudwatch_metric_alarm.this["${name}.${lower(metric)}"].namespace == "AWS/Lambda" &&
      aws_cloudwatch_metric_alarm.this["${name}.${lower(metric)}"].metric_name == metric &&
      aws_cloudwatch_metric_alarm.this["${name}.${lower(metric)}"].dimensions == tomap({ FunctionName = name }) &&
      aws_cloudwatch_metric_alarm.this["${name}.${lower(metric)}"].statistic == "Sum" &&
      aws_cloudwatch_metric_alarm.this["${name}.${lower(metric)}"].threshold == 0 &&
      aws_cloudwatch_metric_alarm.this["${name}.${lower(metric)}"].treat_missing_data == "notBreaching"
    )])])
    error_message = "X05: Errors or throttles of a function go off late, of another function, or while nobody invokes it."
  }

  assert {
    condition     = toset([for name, alarm in aws_cloudwatch_metric_alarm.this : "${split(".", name)[1]} ${alarm.evaluation_periods} x ${alarm.period} s ${alarm.comparison_operator}"]) == toset(["errors 2 x 300 s GreaterThanThreshold", "throttles 1 x 300 s GreaterThanThreshold", "offset_lag 3 x 300 s GreaterThanThreshold", "dead_letters 1 x 300 s GreaterThanThreshold"])
    error_message = "X05: Alarms go off after other times than docs/monitoring.md says."
  }

  # AWS has OffsetLag by function, whatever the number of its mappings, and adds nothing up over topics.
  assert {
    condition = alltrue([for name, alarm in aws_cloudwatch_metric_alarm.this :
      alarm.namespace == "AWS/Lambda" && alarm.metric_name == "OffsetLag" && alarm.statistic == "Maximum" && alarm.threshold == 100 &&
      alarm.dimensions == tomap({ FunctionName = split(".", name)[0] }) && alarm.treat_missing_data == "missing" if endswith(name, ".offset_lag")
    ])
    error_message = "O06: Lag of a function does not go off where its furthest mapping is 100 records behind, or looks well where nobody polls."
  }

  assert {
    condition = toset([for group in keys(aws_lambda_event_source_mapping.this) : split(".", group)[0]]) == toset(keys(aws_cloudwatch_log_metric_filter.dead_letters)) && alltrue([for name, filter in aws_cloudwatch_log_metric_filter.dead_letters :
      filter.log_group_name == "/aws/lambda/${name}" && one(filter.metric_transformation).value == "1" &&
      one(filter.metric_transformation).dimensions == tomap({ service = "$.service" }) && one(filter.metric_transformation).default_value == null
    ])
    error_message = "X05: Dead letters of a function that a mapping invokes are not counted, or in a way that CloudWatch refuses: a dimension excludes a default."
  }

  assert {
    condition = alltrue([for name, filter in aws_cloudwatch_log_metric_filter.dead_letters : (
      aws_cloudwatch_metric_alarm.this["${name}.dead_letters"].namespace == one(filter.metric_transformation).namespace &&
      aws_cloudwatch_metric_alarm.this["${name}.dead_letters"].metric_name == one(filter.metric_transformation).name &&
      aws_cloudwatch_metric_alarm.this["${name}.dead_letters"].dimensions == tomap({ service = name }) &&
      aws_cloudwatch_metric_alarm.this["${name}.dead_letters"].statistic == "Sum" && aws_cloudwatch_metric_alarm.this["${name}.dead_letters"].threshold == 0
    )])
    error_message = "X05: The first dead letter of a service does not set an alarm off: the alarm looks at another metric than the filter makes."
  }

  # By these names the policy of who deploys knows them, and `orderflow destroy` what remains.
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : startswith(alarm.alarm_name, "orderflow-")]) && aws_cloudwatch_dashboard.this.dashboard_name == "orderflow" && length(output.alarms) == 20 && endswith(output.dashboard, "#dashboards/dashboard/orderflow")
    error_message = "B26: An alarm or the dashboard has a name that is not ours, or is in no output."
  }

  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && length(aws_sns_topic_subscription.alarms) == 0 && output.alarm_topic == null && alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(coalesce(alarm.alarm_actions, [])) == 0])
    error_message = "X05: Somebody is told, though no address was given."
  }
}

run "X05_who_gives_an_address_is_told_when_an_alarm_goes_off_and_when_it_is_over" {
  variables {
    alarm_email       = "ops@example.com"
    lag_alarm_records = 5
  }

  assert {
    condition     = one(aws_sns_topic_subscription.alarms).endpoint == "ops@example.com" && one(aws_sns_topic_subscription.alarms).protocol == "email" && one(aws_sns_topic_subscription.alarms).topic_arn == one(aws_sns_topic.alarms).arn && one(aws_sns_topic.alarms).name == "orderflow-alarms"
    error_message = "X05: Mail goes elsewhere."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([output.alarm_topic]) && alarm.ok_actions == toset([output.alarm_topic])])
    error_message = "X05: An alarm tells nobody."
  }

  assert {
    condition     = toset([for name, alarm in aws_cloudwatch_metric_alarm.this : alarm.threshold if endswith(name, ".offset_lag")]) == toset([5])
    error_message = "O06: Lag sets an alarm off at another number of records than was asked for."
  }
}

run "X05_O06_the_dashboard_shows_metrics_and_logs_that_there_are" {
  # Metrics that Lambda publishes of a function (Lambda's developer guide, Types of metrics), with a statistic that says something.
  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : alltrue([for metric in widget.properties.metrics :
      contains(["AWS/Lambda Invocations FunctionName Sum", "AWS/Lambda Errors FunctionName Sum", "AWS/Lambda Throttles FunctionName Sum", "AWS/Lambda Duration FunctionName p50", "AWS/Lambda Duration FunctionName p99", "AWS/Lambda OffsetLag FunctionName Maximum", "orderflow DeadLetters service Sum"], "${join(" ", slice(metric, 0, 3))} ${metric[4].stat}")
    ]) if widget.type == "metric"])
    error_message = "X05: The dashboard names a metric that nobody publishes."
  }

  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
      toset([for metric in widget.properties.metrics : metric[3]]) == toset(contains(["OffsetLag", "DeadLetters"], widget.properties.metrics[0][1]) ? keys(aws_cloudwatch_log_metric_filter.dead_letters) : output.function_names) if widget.type == "metric"
    ])
    error_message = "X05: A chart leaves a function out, or shows one that has no such metric."
  }

  assert {
    condition     = [for filter in values(aws_cloudwatch_log_metric_filter.dead_letters) : "${one(filter.metric_transformation).namespace} ${one(filter.metric_transformation).name}"] == [for name in keys(aws_cloudwatch_log_metric_filter.dead_letters) : "orderflow DeadLetters"]
    error_message = "X05: The dashboard looks for dead letters elsewhere than the filters count them."
  }

  assert {
    condition     = [for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : toset(widget.properties.alarms) if widget.type == "alarm"] == [toset([for alarm in aws_cloudwatch_metric_alarm.this : alarm.arn])]
    error_message = "X05: The dashboard does not show every alarm."
  }

  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
      alltrue([for group in values(output.log_groups) : strcontains(widget.properties.query, "SOURCE '${group}'")]) if widget.type == "log"
    ])
    error_message = "O06: A question leaves a log out."
  }

  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.x + widget.width <= 24 && (widget.type == "alarm" || lookup(widget.properties, "region", "") == "us-east-1")])
    error_message = "X05: Something is off the page, or shows another region."
  }

  assert {
    condition     = join(" ", jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[*].type) == "alarm metric metric metric metric metric metric log log"
    error_message = "X05: The page has other parts than its alarms, six charts and two questions."
  }
}

run "a_new_service_and_topic_need_no_change_here" {
  command = plan

  variables {
    topology_file = ".terraform/tests/with_one_more.json"
  }

  assert {
    condition     = setsubtract(output.function_names, run.B20_B21_B22_functions_come_from_S3_join_the_VPC_and_know_their_own_user.function_names) == toset(["refund_handler"])
    error_message = "The new service has no function, or the worker has one."
  }

  assert {
    condition     = setsubtract(keys(aws_lambda_event_source_mapping.this), keys(run.B20_B21_B22_functions_come_from_S3_join_the_VPC_and_know_their_own_user.event_source_mappings)) == toset(["refund_handler.payment_result", "refunds"])
    error_message = "The new service's topics have no mappings, or others than its groups'."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this["refunds"].batch_size == 7 && one(aws_lambda_event_source_mapping.this["refunds"].topics) == "refund_result"
    error_message = "The new mapping is not as the topology says."
  }

  assert {
    condition     = module.function["refund_handler"].log_group.name == "/aws/lambda/refund_handler" && module.secret["refund_handler"].secret.name == "orderflow/kafka/refund_handler"
    error_message = "The new service has no log group, or no user."
  }

  assert {
    condition     = setsubtract(output.alarms, run.X05_O06_each_function_has_its_alarms_and_its_dead_letters_are_counted.alarms) == toset([for name in ["dead_letters", "errors", "offset_lag", "throttles"] : "orderflow-refund_handler-${name}"])
    error_message = "The new service has other alarms than those of a service that reads topics."
  }

  assert {
    condition     = module.function["refund_handler"].function.memory_size == 256 && module.function["refund_handler"].function.timeout == 60 && one(module.function["refund_handler"].function.environment).variables["REFUND_PERCENT"] == "50"
    error_message = "The new function is not as the topology says."
  }
}

run "the_cluster" {
  variables {
    topology_file  = ".terraform/tests/with_one_more.json"
    ssh_cidrs      = []
    ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIGVZMkWkBEGDrzN9OEnGYYpGwrSQlBmLOMNLx0QSfQd test"
  }

  module {
    source = "../cluster"
  }

  assert {
    condition     = keys(output.roles.functions) == ["hello_world", "inventory_manager", "notification_handler", "order_generator", "payment_processor", "refund_handler", "shipping_handler"]
    error_message = "The new service has no role of its own."
  }
}

run "B26_the_output_of_the_cluster_is_what_services_take_and_outputs_name_everything" {
  command = plan

  variables {
    cluster = run.the_cluster.cluster
  }

  assert {
    condition     = one(module.function["payment_processor"].function.environment).variables["KAFKA_BROKERS"] == join(",", run.the_cluster.cluster.bootstrap_servers)
    error_message = "Functions know other brokers than the cluster's."
  }

  assert {
    condition     = tolist(keys(output.log_groups)) == output.function_names && tolist(keys(output.zips)) == output.function_names && keys(output.event_source_mappings) == keys(aws_lambda_event_source_mapping.this) && keys(output.endpoint_ids) == keys(aws_vpc_endpoint.this) && output.schedule_group == "orderflow"
    error_message = "Something with a name is in no output."
  }
}

run "provisioned_mode_sets_response_type_and_answer_mode_together" {
  variables {
    poller_mode = "provisioned"
  }

  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.this : mapping.function_response_types == toset(["ReportBatchItemFailures"])]) && alltrue([for name in keys(local.services) : one(module.function[name].function.environment).variables["ANSWER_MODE"] == "partial"])
    error_message = "Mappings and functions do not agree on partial answers."
  }

  assert {
    condition = alltrue([for mapping in aws_lambda_event_source_mapping.this :
      one(mapping.provisioned_poller_config).minimum_pollers == 1 && one(mapping.provisioned_poller_config).maximum_pollers == local.topology.topics[one(mapping.topics)].partitions
    ])
    error_message = "A mapping has more pollers than its topic has partitions."
  }

  # In between a function would answer partially, and its mapping take that for success.
  assert {
    condition     = length(setintersection(values(output.event_source_mappings), values(run.B20_B21_B22_functions_come_from_S3_join_the_VPC_and_know_their_own_user.event_source_mappings))) == 0
    error_message = "A mapping stays while its function changes its answers."
  }

  assert {
    condition     = keys(aws_vpc_endpoint.this) == ["secretsmanager"]
    error_message = "Provisioned pollers need no endpoint of their own."
  }
}

run "values_that_cannot_be_are_refused" {
  command = plan

  variables {
    poller_mode        = "ondemand"
    schedule           = "every minute"
    stop_after_hours   = 0.5
    log_retention_days = 8
    lag_alarm_records  = 0
    alarm_email        = "ops"
    credentials_file   = ".terraform/tests/credentials-odd.json"
  }

  expect_failures = [var.credentials_file, var.poller_mode, var.schedule, var.stop_after_hours, var.log_retention_days, var.lag_alarm_records, var.alarm_email]
}

run "missing_files_and_roles_are_named" {
  command = plan

  variables {
    cluster          = merge(var.cluster, { function_role_arns = {}, bootstrap_servers = ["kafka-1.test"] })
    zips             = "no/such/folder"
    credentials_file = "no/such/credentials.json"
    ca_file          = "no/such/ca.pem"
    schedule         = "rate(1 minutes)"
  }

  expect_failures = [var.cluster, var.zips, var.credentials_file, var.ca_file, var.schedule]
}

run "passwords_of_other_services_are_too_few" {
  command = plan

  variables {
    credentials_file = ".terraform/tests/credentials-too-few.json"
    ca_file          = ".terraform/tests/credentials.json"
  }

  expect_failures = [var.credentials_file, var.ca_file]
}

run "an_empty_password_is_none" {
  command = plan

  variables {
    credentials_file = ".terraform/tests/credentials-empty.json"
  }

  expect_failures = [var.credentials_file]
}
