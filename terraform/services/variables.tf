variable "cluster" {
  description = "What `terraform output -json cluster` of terraform/cluster prints."
  type = object({
    region             = string
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = object({ functions = string, pollers = string, endpoints = string })
    bootstrap_servers  = list(string)
    instance_ids       = list(string)
    bucket             = string
    function_role_arns = map(string)
    schedule_role_arn  = string
    stop_role_arn      = string
  })

  validation {
    condition     = length(var.cluster.bootstrap_servers) >= 1 && alltrue([for server in var.cluster.bootstrap_servers : can(regex("^[^:,\\s]+:[0-9]+$", server))])
    error_message = "cluster.bootstrap_servers has to list brokers as HOST:PORT: take the output `cluster` of terraform/cluster as it is."
  }

  validation {
    condition     = length(setsubtract(local.function_names, keys(var.cluster.function_role_arns))) == 0
    error_message = "cluster.function_role_arns has no role for ${join(", ", setsubtract(local.function_names, keys(var.cluster.function_role_arns)))}: the topology has changed since terraform/cluster was applied; apply that again, and take its output `cluster` anew."
  }
}

variable "credentials_file" {
  description = "JSON file, for its owner alone, with the users' passwords on Kafka: {\"kafka_passwords_version\": 1, \"kafka_passwords\": {\"SERVICE\": \"..\"}}."
  type        = string

  validation {
    condition     = fileexists(var.credentials_file)
    error_message = "credentials_file is \"${var.credentials_file}\": there is no such file. Ansible gives the users their passwords from the same file."
  }

  validation {
    condition     = !fileexists(var.credentials_file) ? true : try(floor(jsondecode(file(var.credentials_file)).kafka_passwords_version) == jsondecode(file(var.credentials_file)).kafka_passwords_version && jsondecode(file(var.credentials_file)).kafka_passwords_version >= 1, false)
    error_message = "${var.credentials_file} has to be JSON: {\"kafka_passwords_version\": 1, \"kafka_passwords\": {\"SERVICE\": \"..\"}}, the version a whole number from 1 on."
  }

  validation {
    condition     = !fileexists(var.credentials_file) ? true : try(alltrue([for name in keys(local.services) : length(jsondecode(file(var.credentials_file)).kafka_passwords[name]) > 0]), false)
    error_message = "${var.credentials_file} has no password for one or more of ${join(", ", keys(local.services))}: add it below kafka_passwords, and raise kafka_passwords_version."
  }
}

variable "ca_file" {
  description = "PEM file with the certificate of the authority that signed the brokers' certificates."
  type        = string

  validation {
    condition     = fileexists(var.ca_file) ? startswith(file(var.ca_file), "-----BEGIN CERTIFICATE-----") : false
    error_message = "ca_file is \"${var.ca_file}\": there is no such file, or it does not begin with -----BEGIN CERTIFICATE-----. Ansible makes the authority."
  }
}

variable "zips" {
  description = "Folder with NAME.zip for each function; a path is taken from this folder."
  type        = string
  default     = "../../target/lambdas"
  nullable    = false

  validation {
    condition     = alltrue([for name in local.function_names : fileexists("${var.zips}/${name}.zip")])
    error_message = "zips: ${join(", ", [for name in local.function_names : "${name}.zip" if !fileexists("${var.zips}/${name}.zip")])} not found in ${var.zips}: `ci/package` makes them."
  }
}

variable "poller_mode" {
  description = "Who runs the Kafka pollers: AWS on demand, or a number of them that is paid by the hour. Failed batches are answered as a whole, or record by record, accordingly."
  type        = string
  default     = "on_demand"
  nullable    = false

  validation {
    condition     = contains(["on_demand", "provisioned"], var.poller_mode)
    error_message = "poller_mode is \"${var.poller_mode}\": use \"on_demand\" or \"provisioned\"."
  }
}

variable "schedule" {
  description = "When order_generator places an order by itself: rate(N minutes|hours|days), cron(..), or off."
  type        = string
  default     = "rate(1 minute)"
  nullable    = false

  validation {
    condition     = var.schedule == "off" || can(regex("^rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)$", var.schedule)) || can(regex("^cron\\([^ ]+( [^ ]+){5}\\)$", var.schedule))
    error_message = "schedule is \"${var.schedule}\": use \"rate(1 minute)\", \"rate(5 minutes)\", a cron(..) of six fields, or \"off\"."
  }
}

variable "stop_after_hours" {
  description = "So many hours after it is first set, schedules stop the generator, the mappings and the instances; null never does. Another number counts anew."
  type        = number
  default     = null

  validation {
    condition     = var.stop_after_hours == null ? true : floor(var.stop_after_hours) == var.stop_after_hours && var.stop_after_hours >= 1 && var.stop_after_hours <= 168
    error_message = "stop_after_hours has to be whole hours, 1 to 168 (a week), or null."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the functions' logs, days."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_retention_days)
    error_message = "log_retention_days is ${var.log_retention_days}: CloudWatch knows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 and 365."
  }
}

variable "lag_alarm_records" {
  description = "How many records a function may be behind on one of its topics, for a quarter of an hour, before an alarm goes off."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = floor(var.lag_alarm_records) == var.lag_alarm_records && var.lag_alarm_records >= 1
    error_message = "lag_alarm_records is ${var.lag_alarm_records}: use a whole number of records, 1 or more."
  }
}

variable "alarm_email" {
  description = "Who is told by mail that an alarm goes off, and that it is over; null tells nobody."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null ? true : can(regex("^[^@\\s]+@[^@\\s]+[.][^@\\s.]+$", var.alarm_email))
    error_message = "alarm_email is \"${coalesce(var.alarm_email, "null")}\": use an address such as ops@example.com, or null."
  }
}

variable "topology_file" {
  description = "The topology; a path is taken from this folder."
  type        = string
  default     = "../../topology.json"
  nullable    = false

  validation {
    condition     = can(keys(jsondecode(file(var.topology_file)).services))
    error_message = "topology_file is \"${var.topology_file}\", which is no JSON file with services: name one that `orderflow topology check` accepts."
  }

  validation {
    condition = can([for service in jsondecode(file(var.topology_file)).services : [
      service.host, service.memory_mib, service.timeout_s, service.settings,
      [for consumption in service.consumes : [consumption.group, consumption.batch_records, jsondecode(file(var.topology_file)).topics[consumption.topic].partitions]],
    ]])
    error_message = "${var.topology_file} lacks a key, or names a topic that it does not have: `orderflow topology check` says which."
  }
}
