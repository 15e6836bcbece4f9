variable "name" {
  description = "Name of the function: the service's, and what its handler is called."
  type        = string
}

variable "description" {
  description = "What it does."
  type        = string
}

variable "zip" {
  description = "Path of the zip that is uploaded."
  type        = string
}

variable "bucket" {
  description = "The bucket that it is uploaded to."
  type        = string
}

variable "role_arn" {
  description = "Role that the function runs with."
  type        = string
}

variable "memory_mib" {
  description = "Memory, MiB."
  type        = number
}

variable "timeout_s" {
  description = "The longest an invocation may take, seconds."
  type        = number
}

variable "environment" {
  description = "Environment variables, none of them secret: they are kept in the state."
  type        = map(string)
}

variable "network" {
  description = "Subnets and security groups of the VPC that the function joins, or null."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
}

variable "log_retention_days" {
  description = "How long its log is kept, days."
  type        = number
}
