# What the topology says, as this root needs it. The functions, their mappings, secrets, endpoints, schedules, alarms and dashboard
# stand in files of these names.

locals {
  topology = jsondecode(file(var.topology_file))
  services = { for name, service in local.topology.services : name => service if service.host == "lambda" }

  function_names = concat(["hello_world"], keys(local.services))

  # A group for each topic that a service reads. A mapping has one topic and a group of its own.
  groups = merge([for name, service in local.services : {
    for consumption in service.consumes : coalesce(consumption.group, "${name}.${consumption.topic}") => {
      service       = name
      topic         = consumption.topic
      batch_records = consumption.batch_records
      partitions    = local.topology.topics[consumption.topic].partitions
    }
  }]...)

  # A service that reads no topic runs on a schedule.
  scheduled = { for name, service in local.services : name => service if length(service.consumes) == 0 }

  # A failed batch: as a whole, or record by record. A mapping without ReportBatchItemFailures takes a partial answer for
  # success, and the records would be lost: both follow from the one variable.
  poller_modes = {
    on_demand   = { response_types = [], answer_mode = "whole" }
    provisioned = { response_types = ["ReportBatchItemFailures"], answer_mode = "partial" }
  }
  poller_mode = local.poller_modes[var.poller_mode]
}
