variable "subnets" {
  description = "Subnets, one for each zone: a ZooKeeper host and a broker go into each."
  type        = list(object({ id = string, cidr_block = string }))
}

variable "security_group_ids" {
  description = "Security groups of the hosts."
  type        = object({ ssh = string, zookeeper = string, kafka = string, console = string })
}

variable "private_zone" {
  description = "The private zone that names the hosts."
  type        = object({ zone_id = string, name = string })
}

variable "ssh_public_key" {
  description = "Public key that opens every host, as in ~/.ssh/id_ed25519.pub."
  type        = string
}

variable "instance_type" {
  description = "Size of the ZooKeeper hosts and brokers."
  type        = string
}

variable "volume_gib" {
  description = "Disk of each ZooKeeper host and broker."
  type        = number
}

variable "console_instance_type" {
  description = "Size of the console host."
  type        = string
}

variable "console_volume_gib" {
  description = "Disk of the console host."
  type        = number
}
