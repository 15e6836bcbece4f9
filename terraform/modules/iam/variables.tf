variable "region" {
  description = "Region of everything that the roles may touch."
  type        = string
}

variable "bucket_prefix" {
  description = "Start of the bucket's name."
  type        = string
}

variable "domain" {
  description = "Domain of the hosts' private names."
  type        = string
}

variable "functions" {
  description = "Functions by name: whether each has a user on Kafka, and whether a schedule invokes it."
  type        = map(object({ uses_kafka = bool, is_scheduled = bool }))
}
